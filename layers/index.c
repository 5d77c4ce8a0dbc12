/* Reading a layer for the first time: verify it, understand its names, write its table.
 *
 * Entries may come in any order and more than once, as if unpacked one after the other. They are
 * written down as they come, sorted by path, and what the last of them left is the table.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "layers/archive.h"
#include "layers/blob.h"
#include "layers/index.h"
#include "layers/packed.h"
#include "layers/record.h"
#include "layers/reserve.h"
#include "layers/scope.h"

#define BUFFER_SIZE (128 << 10)

#define NAME_SIZE_MAX 255
#define WHITEOUT ".wh."
#define AUFS ".wh..wh."
#define OPAQUE ".wh..wh..opq"

/* The mode of a record that says only that its directory is opaque. */
#define MARK_ONLY 0x10000

/* --- names -------------------------------------------------------------------------------------- */

/* NAME as a table has it, the caller frees it: no "/" in front or behind, no ".". ".." is refused
 * even where it would stay inside: nobody needs it, and readers differ (H084). */
static char *clean_name(const char *name, struct error *e)
{
	char *clean = malloc(strlen(name) + 1), *out = clean;

	if (!clean) {
		error_memory(e);
		return NULL;
	}
	while (*name) {
		size_t size = strcspn(name, "/");

		if ((size == 2 && memcmp(name, "..", 2) == 0) || size > NAME_SIZE_MAX) {
			error_set(e, ERROR_CORRUPT, "the name %.300s is not allowed in a layer", name);
			free(clean);
			return NULL;
		}
		if (size > 0 && !(size == 1 && *name == '.')) {
			if (out > clean)
				*out++ = '/';
			memcpy(out, name, size);
			out += size;
		}
		name += size + (name[size] == '/');
	}
	*out = '\0';
	return clean;
}

/* ENTRY's meaning as a whiteout, if it is one; PATH is its own. 1 when it is to be kept, 0 when
 * it says nothing (AUFS kept its own state under such names). */
static int take_whiteout(struct entry *entry, char *path, struct error *e)
{
	char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	const char *victim = last + strlen(WHITEOUT);

	for (char *p = path; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (p != last && strncmp(p, AUFS, strlen(AUFS)) == 0)
			return 0;
		if (p != last && strncmp(p, WHITEOUT, strlen(WHITEOUT)) == 0)
			return error_set(e, ERROR_CORRUPT, "%s lies below a whiteout", path);
	}
	if (strncmp(last, WHITEOUT, strlen(WHITEOUT)) != 0)
		return 1;
	if (strncmp(last, AUFS, strlen(AUFS)) == 0) {
		if (strcmp(last, OPAQUE) != 0)
			return 0;
		*(slash ? slash : path) = '\0';
		*entry = (struct entry){ .path = path, .type = ENTRY_OPAQUE, .mode = MARK_ONLY };
		return 1;
	}
	if (!*victim || strcmp(victim, ".") == 0 || strcmp(victim, "..") == 0)
		return error_set(e, ERROR_CORRUPT, "the whiteout %s names nothing", path);
	memmove(last, victim, strlen(victim) + 1);
	*entry = (struct entry){ .path = path, .type = ENTRY_WHITEOUT };
	return 1;
}

/* --- writing down ------------------------------------------------------------------------------- */

struct index {
	struct early_tree *tree; /* NULL: none is wanted */
	FILE *file;            /* the records, in the order of the archive */
	struct reserve reserve;
	uint64_t size;
	uint64_t *place;       /* of each record; later ones have larger places */
	size_t count, capacity;
	const unsigned char *bytes; /* the file, mapped */
	bool simple;           /* no path twice, nothing below what is no directory */
};

static int write_down(struct index *x, const struct entry *entry, struct error *e)
{
	ssize_t written;

	if (x->count == x->capacity) {
		size_t capacity = x->capacity ? 2 * x->capacity : 256;
		uint64_t *grown = reallocarray(x->place, capacity, sizeof *grown);
		if (!grown)
			return error_memory(e);
		x->place = grown;
		x->capacity = capacity;
	}
	written = record_write(x->file, entry);
	if (written < 0)
		return error_errno(e, "write an index");
	x->place[x->count++] = x->size;
	x->size += (uint64_t)written;
	return reserve_take(&x->reserve, fileno(x->file), written, e);
}

static int take_content(struct index *x, struct archive *a, unsigned char *buffer,
                        struct entry *entry, struct error *e)
{
	struct sha256 hash;
	ssize_t n;

	if (x->tree)
		early_tree_file(x->tree, entry);
	sha256_begin(&hash);
	while ((n = archive_read(a, buffer, BUFFER_SIZE, e)) > 0) {
		sha256_add(&hash, buffer, (size_t)n);
		if (x->tree)
			early_tree_bytes(x->tree, buffer, (size_t)n);
	}
	sha256_end(&hash, &entry->digest);
	if (x->tree)
		early_tree_file_end(x->tree);
	return n < 0 ? error_context(e, "%s", entry->path) : 0;
}

static int take_entry(struct index *x, struct archive *a, unsigned char *buffer,
                      struct entry *entry, struct error *e)
{
	auto_free char *path = clean_name(entry->path, e);
	auto_free char *link = NULL;
	int result;

	if (!path)
		return -1;
	entry->path = path;
	if (entry->type == ENTRY_HARDLINK) {
		entry->link = link = clean_name(entry->link, e);
		if (!link)
			return -1;
	}
	/* To overlayfs this device is a deleted file: it would hide what lies below (H095). */
	if (entry->type == ENTRY_CHAR && entry->major == 0 && entry->minor == 0)
		return error_set(e, ERROR_CORRUPT, "%s: a device 0:0 cannot be in a layer", path);
	if (!*path && entry->type != ENTRY_DIR)
		return error_set(e, ERROR_CORRUPT, "the root of a layer is no directory");
	result = take_whiteout(entry, path, e);
	if (result <= 0)
		return result;
	if (entry->type == ENTRY_FILE && take_content(x, a, buffer, entry, e) < 0)
		return -1;
	if (entry->type == ENTRY_DIR && x->tree)
		early_tree_dir(x->tree, path);
	return write_down(x, entry, e);
}

static int read_entries(struct index *x, struct layer_stream *stream, struct error *e)
{
	auto_free unsigned char *buffer = malloc(BUFFER_SIZE);
	struct archive *a = buffer ? archive_begin(layer_stream_pull, stream, e) : NULL;
	struct entry entry;
	int result;

	if (!a)
		return buffer ? -1 : error_memory(e);
	while ((result = archive_next(a, &entry, e)) > 0)
		if ((result = take_entry(x, a, buffer, &entry, e)) < 0)
			break;
	archive_end(a);
	return result;
}

/* --- sorting ------------------------------------------------------------------------------------ */

static void get(const struct index *x, uint64_t place, struct entry *entry)
{
	record_read(x->bytes + place, x->size - place, entry);
}

static const char *path_at(const struct index *x, size_t i)
{
	struct entry entry;

	get(x, x->place[i], &entry);
	return entry.path;
}

static int by_path(const void *a, const void *b, void *context)
{
	uint64_t p = *(const uint64_t *)a, q = *(const uint64_t *)b;
	struct entry x, y;
	int order;

	get(context, p, &x);
	get(context, q, &y);
	order = path_order(x.path, y.path);
	return order ? order : p < q ? -1 : p > q;
}

/* Says something about lower layers only. */
static bool is_mark(const struct entry *entry)
{
	return entry->type == ENTRY_WHITEOUT || entry->mode == MARK_ONLY;
}

static int sort(struct index *x, struct error *e)
{
	void *bytes;

	if (fflush(x->file) != 0)
		return error_errno(e, "write an index");
	if (x->count == 0)
		return 0;
	bytes = mmap(NULL, x->size, PROT_READ, MAP_SHARED, fileno(x->file), 0);
	if (bytes == MAP_FAILED)
		return error_errno(e, "map an index");
	x->bytes = bytes;
	qsort_r(x->place, x->count, sizeof *x->place, by_path, x);
	x->simple = true;
	for (size_t i = 1; i < x->count; i++) {
		struct entry before, here;

		get(x, x->place[i - 1], &before);
		get(x, x->place[i], &here);
		if (strcmp(before.path, here.path) == 0 ||
		    (before.type != ENTRY_DIR && path_is_below(here.path, before.path)))
			x->simple = false;
	}
	return 0;
}

/* The first record of PATH, or where it would be. */
static size_t find(const struct index *x, const char *path)
{
	size_t low = 0, high = x->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (path_order(path_at(x, middle), path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* --- what is left of it all --------------------------------------------------------------------- */

/* The state of PATH among the records before BEFORE: the last that is no mark. False when none. */
static bool state_at(const struct index *x, const char *path, uint64_t before, uint64_t *place)
{
	bool found = false;

	for (size_t i = find(x, path); i < x->count; i++) {
		struct entry entry;

		get(x, x->place[i], &entry);
		if (x->place[i] >= before || strcmp(entry.path, path) != 0)
			break;
		if (!is_mark(&entry)) {
			*place = x->place[i];
			found = true;
		}
	}
	return found;
}

/* Did the record at PLACE last to the end? It is gone when another took its path, or something
 * that is no directory the path of a directory above. 1, 0, or -1 when it could not have been
 * unpacked: something above it was no directory at that time. */
static int lasts(const struct index *x, uint64_t place, struct error *e)
{
	struct entry entry, above;
	auto_free char *path = NULL;
	uint64_t other;

	if (x->simple)
		return 1;
	get(x, place, &entry);
	if (!is_mark(&entry) && state_at(x, entry.path, UINT64_MAX, &other) && other != place)
		return 0;
	path = strdup(entry.path);
	if (!path)
		return error_memory(e);
	for (char *slash; (slash = strrchr(path, '/'));) {
		*slash = '\0';
		if (state_at(x, path, place, &other)) {
			get(x, other, &above);
			if (above.type != ENTRY_DIR)
				return error_set(e, ERROR_CORRUPT, "%s lies below %s, which is no directory",
				                 entry.path, path);
		}
		for (size_t i = find(x, path); i < x->count; i++) {
			get(x, x->place[i], &above);
			if (strcmp(above.path, path) != 0)
				break;
			if (x->place[i] > place && !is_mark(&above) && above.type != ENTRY_DIR)
				return 0;
		}
	}
	return 1;
}

/* Files that only hard links are left of: the first of these becomes the file. */
struct heirs {
	struct {
		uint64_t place;
		const char *path;
	} *item;
	size_t count;
};

static int inherit(struct heirs *h, uint64_t place, const struct index *x, struct entry *entry,
                   struct error *e)
{
	const char *path = entry->path;
	void *grown;

	for (size_t i = 0; i < h->count; i++) {
		if (h->item[i].place == place) {
			entry->link = h->item[i].path;
			return 0;
		}
	}
	grown = reallocarray(h->item, h->count + 1, sizeof *h->item);
	if (!grown)
		return error_memory(e);
	h->item = grown;
	h->item[h->count].place = place;
	h->item[h->count++].path = path;
	get(x, place, entry);
	entry->path = path;
	return 0;
}

/* ENTRY is a hard link, the record at PLACE. What it shares the content of is what its target was
 * when it was made. */
static int resolve_link(const struct index *x, struct heirs *heirs, uint64_t place,
                        struct entry *entry, struct table_writer *w, struct error *e)
{
	struct entry target = *entry;
	uint64_t at = place, any;
	int result;

	while (target.type == ENTRY_HARDLINK) {
		const char *wanted = target.link;

		if (!state_at(x, wanted, at, &at)) {
			if (at == place && state_at(x, wanted, UINT64_MAX, &any))
				return error_set(e, ERROR_CORRUPT, "%s: a hard link to %s, which comes later",
				                 entry->path, wanted);
			table_set_needs_below(w);
			entry->link = wanted;
			return 0;
		}
		get(x, at, &target);
	}
	if (target.type == ENTRY_DIR)
		return error_set(e, ERROR_CORRUPT, "%s: a hard link to the directory %s", entry->path,
		                 target.path);
	result = lasts(x, at, e);
	if (result < 0)
		return -1;
	if (result == 0)
		return inherit(heirs, at, x, entry, e);
	entry->link = target.path;
	return 0;
}

/* The records FROM to TO have one path; add what is left of them. */
static int add_path(const struct index *x, struct heirs *heirs, size_t from, size_t to,
                    struct table_writer *w, struct error *e)
{
	struct entry entry = { .type = ENTRY_WHITEOUT, .mode = 0755 }, other;
	bool whiteout = false, opaque = false, is_there = false, had_file = false;
	uint64_t place = 0;

	for (size_t i = from; i < to; i++) {
		int result = lasts(x, x->place[i], e);

		if (result < 0)
			return -1;
		get(x, x->place[i], &other);
		had_file |= !is_mark(&other) && other.type != ENTRY_DIR;
		if (result > 0 && is_mark(&other)) {
			whiteout |= other.type == ENTRY_WHITEOUT;
			opaque |= other.type == ENTRY_OPAQUE;
		} else if (result > 0) {
			entry = other;
			place = x->place[i];
			is_there = true;
		}
	}
	if (!is_there && !whiteout && !opaque)
		return 0;
	if (is_there && entry.type == ENTRY_HARDLINK)
		return resolve_link(x, heirs, place, &entry, w, e) < 0 ? -1 : table_add(w, &entry, e);
	entry.path = path_at(x, from);
	/* A directory deleted, or replaced by a file, and made again shows nothing of lower ones. */
	if (entry.type == ENTRY_DIR && (whiteout || opaque || had_file))
		entry.type = ENTRY_OPAQUE;
	if (!is_there && (opaque || (to < x->count && path_is_below(path_at(x, to), entry.path))))
		entry.type = ENTRY_OPAQUE;
	if (entry.type == ENTRY_WHITEOUT)
		entry.mode = 0;
	return table_add(w, &entry, e);
}

static int write_table(struct store *s, const struct index *x, const struct layer *layer,
                       int64_t tar_size, struct error *e)
{
	struct table_writer *w = table_begin(s, e);
	struct heirs heirs = { .count = 0 };
	int result = w ? 0 : -1;

	for (size_t from = 0, to; result == 0 && from < x->count; from = to) {
		const char *path = path_at(x, from);

		for (to = from + 1; to < x->count && strcmp(path_at(x, to), path) == 0; to++)
			continue;
		result = add_path(x, &heirs, from, to, w, e);
	}
	free(heirs.item);
	if (result == 0)
		return table_commit(w, &layer->diff_id, tar_size, e);
	table_discard(w);
	return -1;
}

static int index_stream(struct store *s, struct index *x, struct layer_stream *stream,
                        const struct layer *layer, struct error *e)
{
	struct store_temp temp;
	int fd = store_temp_file(s, &temp, e);

	if (fd < 0)
		return -1;
	store_discard(&temp); /* the file lives as long as we have it open */
	x->file = fdopen(fd, "w+");
	if (!x->file) {
		close(fd);
		return error_memory(e);
	}
	if (read_entries(x, stream, e) < 0 || layer_stream_verify(stream, layer, e) < 0 || sort(x, e) < 0)
		return -1;
	if (x->tree && !x->simple)
		early_tree_give_up(x->tree);
	if (write_table(s, x, layer, layer_stream_size(stream), e) < 0)
		return -1;
	return packed_prove(s, layer, e);
}

int index_bytes(struct store *s, const struct layer *layer, layer_fetch *fetch, void *context,
                struct early_tree *tree, struct error *e)
{
	struct index x = { .tree = tree };
	struct layer_stream *stream = layer_stream_open(layer, fetch, context, e);
	char text[DIGEST_TEXT];
	int result = stream ? index_stream(s, &x, stream, layer, e) : -1;

	layer_stream_close(stream);
	if (x.bytes)
		munmap((void *)x.bytes, x.size);
	if (x.file)
		fclose(x.file);
	free(x.place);
	return result < 0 ? error_context(e, "layer %s", digest_format(&layer->blob, text)) : 0;
}

static ssize_t fetch_blob(void *context, void *buffer, size_t size, int64_t offset, struct error *e)
{
	const int *fd = context;
	ssize_t n;

	do
		n = pread(*fd, buffer, size, offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(e, "read") : n;
}

int layer_index(struct store *s, const struct layer *layer, struct error *e)
{
	auto_close int fd = blob_open(s, &layer->blob, layer->blob_size, e);
	char text[DIGEST_TEXT];

	if (fd < 0)
		return error_context(e, "layer %s", digest_format(&layer->blob, text));
	return index_bytes(s, layer, fetch_blob, &fd, NULL, e) < 0 ? layer_blame(s, layer, e) : 0;
}
