/* A growing blob: what is there of it can be read while the rest is being written, so that sending a
 * layer does not wait for the end of compressing it. Its digest is known at the end.
 *
 * One thread writes, one reads; whoever made it frees it when both are done.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/digest.h"

struct growing;

struct growing *growing_new(struct error *e);
void growing_free(struct growing *g);

/* The writer: the bytes will be in FD, which becomes G's (-1: there will be none), perhaps written
 * directly (layers/direct.h) because so many are EXPECTED; SIZE of them are there; that was all, and
 * they are D (NULL: it failed). The last may be told twice: the first counts. */
void growing_begin(struct growing *g, int fd);
void growing_begin_direct(struct growing *g, int fd, int64_t expected);
void growing_reach(struct growing *g, int64_t size);
void growing_end(struct growing *g, const struct digest *d);

/* The reader: the bytes from OFFSET on, waited for; 0 at the end; -1 and E when there will be no end, or
 * somebody has called growing_abandon because nobody needs it any more. */
ssize_t growing_read(struct growing *g, void *buffer, size_t size, int64_t offset, struct error *e);
void growing_abandon(struct growing *g);

/* Wait for the end: the digest, and the size. -1 and E as above. */
int64_t growing_wait(struct growing *g, struct digest *d, struct error *e);
