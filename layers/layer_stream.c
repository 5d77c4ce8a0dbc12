#include "layers/layer_stream.h"

#include <stdlib.h>
#include <string.h>

#include "layers/interrupted.h"
#include "layers/readahead.h"
#include "layers/scope.h"

struct layer_stream {
	layer_fetch *fetch;
	void *context;
	struct inflater *inflater;
	struct readahead *ahead;    /* of what is inflated */
	struct sha256 blob, tar;    /* of what that has taken and given; its thread's until the end */
	int64_t blob_size, tar_size;
	const unsigned char *bytes; /* lent by it */
	size_t at, have;
};

static ssize_t pull_blob(void *context, void *buffer, size_t size, struct error *e)
{
	struct layer_stream *st = context;
	ssize_t n = st->fetch(st->context, buffer, size, st->blob_size, e);

	if (n > 0) {
		sha256_add(&st->blob, buffer, (size_t)n);
		st->blob_size += n;
	}
	return n;
}

static ssize_t pull_inflated(void *context, void *buffer, size_t size, struct error *e)
{
	struct layer_stream *st = context;
	ssize_t n = interrupted_check(e) < 0 ? -1 : inflate_read(st->inflater, buffer, size, e);

	if (n > 0) {
		sha256_add(&st->tar, buffer, (size_t)n);
		st->tar_size += n;
	}
	return n;
}

ssize_t layer_stream_pull(void *stream, void *buffer, size_t size, struct error *e)
{
	struct layer_stream *st = stream;

	if (st->at == st->have) {
		ssize_t n = readahead_next(st->ahead, &st->bytes, e);

		if (n <= 0)
			return n;
		st->at = 0;
		st->have = (size_t)n;
	}
	if (size > st->have - st->at)
		size = st->have - st->at;
	memcpy(buffer, st->bytes + st->at, size);
	st->at += size;
	return (ssize_t)size;
}

static int check_magic(struct layer_stream *st, const struct layer *layer, struct error *e)
{
	unsigned char magic[8];
	size_t have = 0;
	ssize_t n;

	if (layer->compression == COMPRESSION_NONE)
		return 0;
	while (have < sizeof magic &&
	       (n = st->fetch(st->context, magic + have, sizeof magic - have, (int64_t)have, e)) != 0) {
		if (n < 0)
			return -1;
		have += (size_t)n;
	}
	if (compression_sniff(magic, have) != layer->compression)
		return error_set(e, ERROR_CORRUPT, "it is not %s, as its media type says",
		                 compression_name(layer->compression));
	return 0;
}

struct layer_stream *layer_stream_open(const struct layer *layer, layer_fetch *fetch, void *context,
                                       struct error *e)
{
	struct layer_stream *st = calloc(1, sizeof *st);

	if (!st) {
		error_memory(e);
		return NULL;
	}
	st->fetch = fetch;
	st->context = context;
	sha256_begin(&st->blob);
	sha256_begin(&st->tar);
	if (check_magic(st, layer, e) == 0)
		st->inflater = inflate_begin(layer->compression, pull_blob, st, e);
	if (st->inflater)
		st->ahead = readahead_begin(pull_inflated, st, e);
	if (!st->ahead) {
		layer_stream_close(st);
		return NULL;
	}
	return st;
}

void layer_stream_close(struct layer_stream *st)
{
	if (!st)
		return;
	readahead_end(st->ahead);
	inflate_end(st->inflater);
	free(st);
}

/* The archive has been read to its end, and the end of an archive is the end of its blob: whoever
 * read ahead has nothing left to do. */
int layer_stream_verify(struct layer_stream *st, const struct layer *layer, struct error *e)
{
	char text[DIGEST_TEXT];
	struct digest blob, tar;

	sha256_end(&st->blob, &blob);
	sha256_end(&st->tar, &tar);
	if (st->blob_size != layer->blob_size || !digest_equal(&blob, &layer->blob))
		return error_set(e, ERROR_CORRUPT, "its bytes are those of %s", digest_format(&blob, text));
	if (!digest_equal(&tar, &layer->diff_id))
		return error_set(e, ERROR_CORRUPT, "its tar is not its diff_id, but %s",
		                 digest_format(&tar, text));
	return 0;
}

int64_t layer_stream_size(const struct layer_stream *st)
{
	return st->tar_size;
}
