/* A piece of one file to another, moved by the kernel where it can: shared extents, or at least no
 * copy through us.
 */
#pragma once
#include <stdint.h>

#include "layers/digest.h"

/* SIZE bytes of FROM at OFFSET to where TO stands, which may be a pipe. Less than SIZE there is
 * ERROR_CORRUPT. E names no file: the caller knows them. */
int extent_copy(int from, int64_t offset, int to, int64_t size, struct error *e);

/* The digest of SIZE bytes of FD from OFFSET on; ERROR_CORRUPT when there are fewer. */
int extent_digest(int fd, int64_t offset, int64_t size, struct digest *d, struct error *e);
