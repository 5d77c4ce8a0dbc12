/* The bytes that a function gives, fetched ahead by a second thread: while one inflates, the other
 * hashes. A stream that fits into one chunk starts no thread; memory is a fixed ring of chunks.
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "layers/error.h"

struct readahead;

/* PULL is called by one thread at a time, and not after its end or failure. */
struct readahead *readahead_begin(ssize_t (*pull)(void *context, void *buffer, size_t size,
                                                  struct error *e),
                                  void *context, struct error *e);

/* The next bytes, lent until the call after: how many, 0 at the end, -1 and E. */
ssize_t readahead_next(struct readahead *r, const unsigned char **bytes, struct error *e);
void readahead_end(struct readahead *r);
