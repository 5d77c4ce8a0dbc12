/* A context that came as an archive: a folder of the store that goes away with the build.
 *
 * Whoever sent it may be hostile: every member is made below the folder, by descriptors, through no
 * link; names that lead out are refused, and so are links in the middle of a name. Owners and times
 * are not kept, for a context has none.
 */
#pragma once
#include <stdint.h>

#include "layers/error.h"
#include "layers/store.h"

/* 1: the file FD, read from its beginning, is an archive (plain or compressed with gzip, bzip2, xz
 * or zstd) and now the folder PLACE, which the caller discards; NEWEST (may be NULL) is the time of
 * its newest regular file, -1 without one. 0: it is none. -1 and E: it is a bad one, and nothing of
 * it is left. */
int tar_context_unpack(struct store *s, int fd, struct store_temp *place, int64_t *newest,
                       struct error *e);

/* Everything that FD still gives, in an unnamed file of the store: its descriptor, at its start. */
int tar_context_spool(struct store *s, int fd, struct error *e);
