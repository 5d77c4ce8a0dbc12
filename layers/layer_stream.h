/* A layer's bytes on their way from its blob to whoever reads its tar: hashed, inflated, hashed.
 *
 * A second thread inflates ahead and keeps both hashes, while the caller takes what is ready.
 */
#pragma once
#include <stdint.h>

#include "layers/layer.h"

struct layer_stream;

/* FETCH gives the blob's bytes from OFFSET on, up to SIZE of them and in order; 0 at the end, -1
 * and E. It is called by one thread at a time. */
typedef ssize_t layer_fetch(void *context, void *buffer, size_t size, int64_t offset,
                            struct error *e);

/* ERROR_CORRUPT when the first bytes are not of LAYER's compression. */
struct layer_stream *layer_stream_open(const struct layer *layer, layer_fetch *fetch, void *context,
                                       struct error *e);
void layer_stream_close(struct layer_stream *st);

/* The next bytes of the tar, as archive_begin wants them: ST is a struct layer_stream. */
ssize_t layer_stream_pull(void *st, void *buffer, size_t size, struct error *e);

/* The tar has been read to its end: were these the bytes of LAYER, both as blob and as tar? */
int layer_stream_verify(struct layer_stream *st, const struct layer *layer, struct error *e);

/* Its size, after that. */
int64_t layer_stream_size(const struct layer_stream *st);
