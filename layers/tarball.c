#include "layers/tarball.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layers/archive.h"
#include "layers/blob.h"
#include "layers/path.h"
#include "layers/readahead.h"
#include "layers/reserve.h"
#include "layers/scope.h"

#define COPY_SIZE (256 << 10)

struct tarball {
	int fd;
	struct inflater *inflater; /* NULL: the blob is the tar */
	struct readahead *ahead;   /* of what is inflated */
	const unsigned char *bytes; /* lent by it */
	size_t at, have;
	int64_t position;
	unsigned char *buffer;      /* of a plain tar, many small files at once, */
	int64_t buffer_at;          /* from here on */
	ssize_t buffer_size;
};

/* Of a plain tar, from its position on. */
static ssize_t read_plain(struct tarball *t, void *to, size_t size, struct error *e)
{
	int64_t left = t->buffer_at + t->buffer_size - t->position;

	if (t->position < t->buffer_at || left <= 0) {
		t->buffer_size = path_read_at(t->fd, t->buffer, COPY_SIZE, t->position);
		if (t->buffer_size < 0)
			return error_errno(e, "read a layer");
		t->buffer_at = t->position;
		left = t->buffer_size;
	}
	if ((int64_t)size > left)
		size = (size_t)left;
	memcpy(to, t->buffer + (t->position - t->buffer_at), size);
	return (ssize_t)size;
}

static ssize_t pull(void *context, void *buffer, size_t size, struct error *e)
{
	const struct tarball *t = context;

	for (;;) {
		ssize_t n = read(t->fd, buffer, size);

		if (n >= 0)
			return n;
		if (errno != EINTR)
			return error_errno(e, "read a layer");
	}
}

static ssize_t pull_inflated(void *context, void *buffer, size_t size, struct error *e)
{
	const struct tarball *t = context;

	return inflate_read(t->inflater, buffer, size, e);
}

/* Inflated bytes, up to SIZE; BUFFER may be NULL when nobody wants them. */
static ssize_t take(struct tarball *t, void *buffer, size_t size, struct error *e)
{
	if (t->at == t->have) {
		ssize_t n = readahead_next(t->ahead, &t->bytes, e);

		if (n <= 0)
			return n;
		t->at = 0;
		t->have = (size_t)n;
	}
	if (size > t->have - t->at)
		size = t->have - t->at;
	if (buffer)
		memcpy(buffer, t->bytes + t->at, size);
	t->at += size;
	return (ssize_t)size;
}

struct tarball *tarball_open(struct store *s, const struct layer *layer, struct error *e)
{
	struct tarball *t = calloc(1, sizeof *t);

	if (!t) {
		error_memory(e);
		return NULL;
	}
	t->fd = blob_open(s, &layer->blob, layer->blob_size, e);
	if (t->fd >= 0 && layer->compression != COMPRESSION_NONE)
		t->inflater = inflate_begin(layer->compression, pull, t, e);
	if (t->inflater)
		t->ahead = readahead_begin(pull_inflated, t, e);
	if (t->fd >= 0 && layer->compression == COMPRESSION_NONE &&
	    !(t->buffer = malloc(COPY_SIZE)))
		error_memory(e);
	if (!t->ahead && !t->buffer) {
		tarball_close(t);
		return NULL;
	}
	return t;
}

void tarball_close(struct tarball *t)
{
	if (!t)
		return;
	readahead_end(t->ahead);
	inflate_end(t->inflater);
	free(t->buffer);
	if (t->fd >= 0)
		close(t->fd);
	free(t);
}

ssize_t tarball_read(struct tarball *t, void *buffer, size_t size, struct error *e)
{
	ssize_t n = t->inflater ? take(t, buffer, size, e) : read_plain(t, buffer, size, e);

	if (n > 0)
		t->position += n;
	return n;
}

int tarball_seek(struct tarball *t, int64_t offset, struct error *e)
{
	if (offset < t->position)
		return error_set(e, ERROR_CORRUPT, "the table does not belong to its layer");
	if (!t->inflater)
		t->position = offset;
	while (t->position < offset) {
		int64_t left = offset - t->position;
		ssize_t n = take(t, NULL, (size_t)left, e);

		if (n < 0)
			return -1;
		if (n == 0)
			return error_set(e, ERROR_CORRUPT, "the layer is cut short");
		t->position += n;
	}
	return 0;
}

/* An unnamed file in the store's folder for temporary ones. */
static int unnamed_file(struct store *s, struct error *e)
{
	struct store_temp temp;
	int fd = store_temp_file(s, &temp, e);

	if (fd >= 0)
		store_discard(&temp);
	return fd;
}

static int copy_all(struct store *s, ssize_t (*from)(void *, void *, size_t, struct error *),
                    void *context, struct error *e)
{
	auto_close int fd = unnamed_file(s, e);
	auto_free char *buffer = malloc(COPY_SIZE);
	struct reserve reserve = { 0 };
	ssize_t n;

	if (fd < 0)
		return -1;
	if (!buffer)
		return error_memory(e);
	while ((n = from(context, buffer, COPY_SIZE, e)) > 0)
		if (reserve_write(&reserve, fd, buffer, (size_t)n, e) < 0)
			return error_context(e, "%s/tmp", store_path(s));
	return n < 0 || reserve_end(&reserve, fd, e) < 0 ? -1 : take_fd(&fd);
}

static ssize_t read_tarball(void *context, void *buffer, size_t size, struct error *e)
{
	return tarball_read(context, buffer, size, e);
}

int layer_open_tar(struct store *s, const struct layer *layer, struct error *e)
{
	struct tarball *t;
	int fd;

	if (layer->compression == COMPRESSION_NONE)
		return blob_open(s, &layer->blob, layer->blob_size, e);
	t = tarball_open(s, layer, e);
	if (!t)
		return -1;
	fd = copy_all(s, read_tarball, t, e);
	tarball_close(t);
	return fd;
}

/* A place in a tar, for reading one entry of it. */
struct place {
	int fd;
	int64_t offset;
};

static ssize_t read_place(void *context, void *buffer, size_t size, struct error *e)
{
	struct place *p = context;
	ssize_t n = path_read_at(p->fd, buffer, size, p->offset);

	if (n < 0)
		return error_errno(e, "read a layer");
	p->offset += n;
	return n;
}

static ssize_t read_archive(void *context, void *buffer, size_t size, struct error *e)
{
	return archive_read(context, buffer, size, e);
}

int layer_expand(struct store *s, int tar, const struct entry *entry, struct error *e)
{
	struct place place = { tar, -1 - entry->offset };
	struct archive *a = archive_begin(read_place, &place, e);
	struct entry again;
	int result = a ? archive_next(a, &again, e) : -1;

	if (result == 0 || (result > 0 && again.size != entry->size))
		result = error_set(e, ERROR_CORRUPT, "%s: the layer is damaged", entry->path);
	if (result > 0)
		result = copy_all(s, read_archive, a, e);
	archive_end(a);
	return result;
}
