/* The uncompressed tar of a layer in the store, read from its beginning to its end. */
#pragma once
#include <stdint.h>

#include "layers/layer.h"

struct tarball;

struct tarball *tarball_open(struct store *s, const struct layer *layer, struct error *e);
void tarball_close(struct tarball *t);

/* Move forward to OFFSET. Going back is ERROR_CORRUPT: the caller's table is not this layer's. */
int tarball_seek(struct tarball *t, int64_t offset, struct error *e);

/* Up to SIZE bytes, 0 at the end. */
ssize_t tarball_read(struct tarball *t, void *buffer, size_t size, struct error *e);
