#include "layers/layer.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/blob.h"
#include "layers/packed.h"
#include "layers/scope.h"
#include "layers/sink.h"
#include "layers/tar.h"

/* Files from this size on are asked where their holes are. */
#define SPARSE_MIN (1 << 20)

#define WHITEOUT ".wh."
#define OPAQUE ".wh..wh..opq"

struct layer_writer {
	struct store *store;
	struct sink *sink;
	struct table_writer *table;
	char *name; /* of the entry under work, as the tar has it */
	size_t name_capacity;
};

struct layer_writer *layer_begin(struct store *s, struct error *e)
{
	struct layer_writer *w = calloc(1, sizeof *w);

	if (!w) {
		error_memory(e);
		return NULL;
	}
	w->store = s;
	w->sink = sink_begin(s, e);
	w->table = w->sink ? table_begin(s, e) : NULL;
	if (!w->table) {
		layer_abandon(w);
		return NULL;
	}
	return w;
}

void layer_expect(struct layer_writer *w, int64_t size)
{
	sink_expect(w->sink, size);
}

static void release(struct layer_writer *w)
{
	free(w->name);
	free(w);
}

void layer_abandon(struct layer_writer *w)
{
	if (!w)
		return;
	sink_abandon(w->sink);
	table_discard(w->table);
	release(w);
}

/* Room for PATH and the longest thing that is ever added to it. */
static int set_name(struct layer_writer *w, const char *path, struct error *e)
{
	size_t length = strlen(path), wanted = length + sizeof "/" OPAQUE;

	if (wanted > w->name_capacity) {
		char *grown = realloc(w->name, 2 * wanted);

		if (!grown)
			return error_memory(e);
		w->name = grown;
		w->name_capacity = 2 * wanted;
	}
	memcpy(w->name, path, length + 1);
	return 0;
}

/* The name in the tar: directories end with a slash, whiteouts have their mark in front of the
 * last component. */
static int name_entry(struct layer_writer *w, const struct entry *entry, struct error *e)
{
	const char *slash = strrchr(entry->path, '/');
	const char *last = slash ? slash + 1 : entry->path;

	if (set_name(w, entry->path, e) < 0)
		return -1;
	if (entry->type == ENTRY_WHITEOUT) {
		char *at = w->name + (last - entry->path);

		strcpy(stpcpy(at, WHITEOUT), last);
	} else if (entry->type == ENTRY_DIR || entry->type == ENTRY_OPAQUE) {
		strcat(w->name, *w->name ? "/" : "./");
	}
	return 0;
}

static int put_header(struct layer_writer *w, const struct entry *entry, const char *name,
                      struct error *e)
{
	struct tar_header header;

	if (!tar_header(entry, name, &header)) {
		size_t size;
		auto_free char *records = tar_records(entry, name, &size);

		if (!records)
			return error_memory(e);
		if (sink_write(w->sink, records, size, e) < 0)
			return -1;
	}
	return sink_write(w->sink, &header, sizeof header, e);
}

/* SIZE bytes of FD from OFFSET on, read straight into the stream. HASH may be NULL. */
static int put_bytes(struct layer_writer *w, int fd, int64_t offset, int64_t size,
                     struct sha256 *hash, const char *path, struct error *e)
{
	while (size > 0) {
		size_t room;
		void *to = sink_room(w->sink, &room, e);
		ssize_t n;

		if (!to)
			return -1;
		if ((int64_t)room > size)
			room = (size_t)size;
		n = pread(fd, to, room, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "read %s", path);
		if (n == 0)
			return error_set(e, ERROR_INPUT, "%s changed while it was read", path);
		if (hash)
			sha256_add(hash, to, (size_t)n);
		sink_advance(w->sink, (size_t)n);
		offset += n;
		size -= n;
	}
	return 0;
}

/* The same for a file with holes: they are hashed without being read. */
static int put_sparse(struct layer_writer *w, int fd, int64_t offset, int64_t size,
                      struct sha256 *hash, const char *path, struct error *e)
{
	int64_t end = offset + size;

	while (offset < end) {
		int64_t data = lseek(fd, offset, SEEK_DATA), hole;

		if (data < 0 && errno != ENXIO)
			return put_bytes(w, fd, offset, end - offset, hash, path, e);
		if (data < 0 || data > end)
			data = end;
		if (hash)
			sha256_add_zeros(hash, data - offset);
		if (sink_zeros(w->sink, data - offset, e) < 0)
			return -1;
		hole = data < end ? lseek(fd, data, SEEK_HOLE) : end;
		if (hole < data || hole > end)
			hole = end;
		if (put_bytes(w, fd, data, hole - data, hash, path, e) < 0)
			return -1;
		offset = hole;
	}
	return 0;
}

static bool has_holes(const struct content *content, int64_t size)
{
	struct stat st;

	return size >= SPARSE_MIN && fstat(content->fd, &st) == 0 &&
	       st.st_size - content->offset >= size && st.st_blocks < st.st_size / 512;
}

static int put_content(struct layer_writer *w, struct entry *entry, const struct content *content,
                       struct error *e)
{
	bool known = !digest_is_zero(&entry->digest);
	struct sha256 hash;
	int result;

	sha256_begin(&hash);
	if (content && content->memory) {
		if (!known)
			sha256_add(&hash, content->memory, (size_t)entry->size);
		result = sink_write(w->sink, content->memory, (size_t)entry->size, e);
	} else if (entry->size == 0) {
		result = 0;
	} else {
		result = (has_holes(content, entry->size) ? put_sparse : put_bytes)(
			w, content->fd, content->offset, entry->size, known ? NULL : &hash, entry->path, e);
	}
	if (result == 0 && !known)
		sha256_end(&hash, &entry->digest);
	return result < 0 ? -1 : sink_zeros(w->sink, (int64_t)tar_padding(entry->size), e);
}

static int check_entry(const struct entry *entry, struct error *e)
{
	const char *p = entry->path;

	for (; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (strncmp(p, WHITEOUT, strlen(WHITEOUT)) == 0)
			return error_set(e, ERROR_INPUT,
			                 "%s: a name that begins with .wh. would delete files in an image",
			                 entry->path);
		if (strcspn(p, "/") > NAME_MAX)
			return error_set(e, ERROR_INPUT, "%s: a name of more than %d bytes", entry->path,
			                 NAME_MAX);
	}
	if (entry->size < 0 || entry->mode > 07777)
		return error_set(e, ERROR_INPUT, "%s: size or mode out of range", entry->path);
	return 0;
}

int layer_add(struct layer_writer *w, const struct entry *entry, const struct content *content,
              struct error *e)
{
	struct entry put = *entry;

	if (entry->type == ENTRY_WHITEOUT)
		put = (struct entry){ .path = entry->path, .type = ENTRY_WHITEOUT, .mtime = entry->mtime };
	if (put.type != ENTRY_FILE)
		put.size = 0;
	if (check_entry(&put, e) < 0 || name_entry(w, &put, e) < 0 ||
	    put_header(w, &put, w->name, e) < 0)
		return -1;
	put.offset = sink_position(w->sink);
	if (put.type == ENTRY_FILE && put_content(w, &put, content, e) < 0)
		return -1;
	if (put.type == ENTRY_OPAQUE) {
		struct entry marker = { .type = ENTRY_WHITEOUT, .mtime = put.mtime };

		strcat(w->name, OPAQUE);
		if (put_header(w, &marker, w->name, e) < 0)
			return -1;
	}
	return table_add(w->table, &put, e);
}

int layer_finish(struct layer_writer *w, struct layer *layer, struct error *e)
{
	int64_t size = -1;
	int result = -1;

	if (sink_zeros(w->sink, 2 * TAR_BLOCK, e) < 0) {
		sink_abandon(w->sink);
		table_discard(w->table);
	} else if ((size = sink_finish(w->sink, &layer->diff_id, e)) < 0) {
		table_discard(w->table);
	} else {
		layer->blob = layer->diff_id;
		layer->blob_size = size;
		layer->compression = COMPRESSION_NONE;
		result = table_commit(w->table, &layer->diff_id, size, e);
	}
	release(w);
	return result;
}

bool layer_is_whole(struct store *s, const struct layer *layer)
{
	return blob_has(s, &layer->blob, layer->blob_size) && table_exists(s, &layer->diff_id) &&
	       packed_is_proven(s, layer);
}

int layer_blame(struct store *s, const struct layer *layer, struct error *e)
{
	struct error found;
	struct table *table;

	if (e->kind != ERROR_CORRUPT)
		return -1;
	if (blob_verify(s, &layer->blob, &found) < 0 && found.kind == ERROR_DAMAGED) {
		*e = found;
		return -1;
	}
	table = table_open(s, &layer->diff_id, &found);
	if (!table && found.kind == ERROR_DAMAGED)
		*e = found;
	table_close(table);
	return -1;
}
