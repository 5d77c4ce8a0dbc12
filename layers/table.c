#include "layers/table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "layers/checksum.h"
#include "layers/path.h"
#include "layers/record.h"
#include "layers/scope.h"

/* The file: this header, the records, the array of their places, that of entries whose directory
 * has none. */
#define TABLE_MAGIC "cairn table 3\n\0"

struct header {
	char magic[16];
	uint64_t count;
	uint64_t places;          /* where the array of places begins */
	int64_t tar_size;
	uint32_t needs_below;
	uint32_t checksum;        /* of all of the file, this field being 0 */
	uint64_t orphans;
};

struct table {
	const unsigned char *bytes;
	size_t size;
	const struct header *header;
	const uint64_t *places;
	const uint64_t *orphans;
};

struct table_writer {
	struct store *store;
	struct store_temp temp;
	FILE *file;
	uint64_t at;
	uint64_t *places;
	size_t count, capacity;
	uint64_t *orphans;
	size_t orphan_count, orphan_capacity;
	bool needs_below;

	char *last;               /* the path before, for the order */
	size_t last_capacity;
	size_t *dirs;             /* lengths of the directories that LAST lies in or is */
	size_t dir_count, dir_capacity;
};

int path_order(const char *a, const char *b)
{
	while (*a == *b && *a) {
		a++;
		b++;
	}
	if (*a == *b)
		return 0;
	/* The end of a path comes before all, then its own content, then longer names. */
	if (!*a || !*b)
		return *a ? 1 : -1;
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

bool path_is_below(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	if (length == 0)
		return *path != '\0';
	return strncmp(path, dir, length) == 0 && path[length] == '/';
}

struct table_writer *table_begin(struct store *s, struct error *e)
{
	struct table_writer *w = calloc(1, sizeof *w);
	struct header empty = { .count = 0 };
	int fd;

	if (!w) {
		error_memory(e);
		return NULL;
	}
	w->store = s;
	fd = store_temp_file(s, &w->temp, e);
	if (fd < 0) {
		free(w);
		return NULL;
	}
	w->file = fdopen(fd, "w");
	if (!w->file || setvbuf(w->file, NULL, _IOFBF, 64 << 10) != 0 ||
	    fwrite(&empty, sizeof empty, 1, w->file) != 1) {
		error_memory(e);
		if (!w->file)
			close(fd);
		table_discard(w);
		return NULL;
	}
	w->at = sizeof empty;
	return w;
}

static void release(struct table_writer *w)
{
	free(w->places);
	free(w->orphans);
	free(w->last);
	free(w->dirs);
	free(w);
}

void table_discard(struct table_writer *w)
{
	if (!w)
		return;
	if (w->file)
		fclose(w->file);
	store_discard(&w->temp);
	release(w);
}

static int grow(void **array, size_t *capacity, size_t wanted, size_t item, struct error *e)
{
	size_t larger = *capacity ? 2 * *capacity : 64;
	void *grown;

	if (wanted <= *capacity)
		return 0;
	if (larger < wanted)
		larger = wanted;
	grown = reallocarray(*array, larger, item);
	if (!grown)
		return error_memory(e);
	*array = grown;
	*capacity = larger;
	return 0;
}

/* The entry to come, PATH, has a parent of PARENT bytes, which has no entry. */
static int note_orphan(struct table_writer *w, const char *path, size_t parent, struct error *e)
{
	w->needs_below = true;
	/* One entry is enough to tell of a directory. */
	if (w->last && strncmp(w->last, path, parent + 1) == 0 && !strchr(w->last + parent + 1, '/'))
		return 0;
	if (grow((void **)&w->orphans, &w->orphan_capacity, w->orphan_count + 1, sizeof *w->orphans,
	         e) < 0)
		return -1;
	w->orphans[w->orphan_count++] = w->count;
	return 0;
}

/* Does ENTRY's parent have an entry? Sorted as they come, it must be among the directories that
 * the path before lies in. Remembers ENTRY as one of them when it is a directory itself. */
static int note_parent(struct table_writer *w, const struct entry *entry, struct error *e)
{
	const char *slash = strrchr(entry->path, '/');
	size_t parent = slash ? (size_t)(slash - entry->path) : 0;
	size_t length = strlen(entry->path);

	while (w->dir_count > 0) {
		size_t dir = w->dirs[w->dir_count - 1];

		if (dir < length && entry->path[dir] == '/' && memcmp(w->last, entry->path, dir) == 0)
			break;
		w->dir_count--;
	}
	w->needs_below |= entry->type == ENTRY_WHITEOUT;
	if (parent > 0 && (w->dir_count == 0 || w->dirs[w->dir_count - 1] != parent) &&
	    note_orphan(w, entry->path, parent, e) < 0)
		return -1;
	if ((entry->type != ENTRY_DIR && entry->type != ENTRY_OPAQUE) || length == 0)
		return 0;
	if (grow((void **)&w->dirs, &w->dir_capacity, w->dir_count + 1, sizeof *w->dirs, e) < 0)
		return -1;
	w->dirs[w->dir_count++] = length;
	return 0;
}

int table_add(struct table_writer *w, const struct entry *entry, struct error *e)
{
	size_t length = strlen(entry->path);
	ssize_t written;

	if (w->count > 0 && path_order(w->last, entry->path) >= 0)
		return error_set(e, ERROR_INPUT, "%s comes after %s: entries must be sorted", entry->path,
		                 w->last);
	if (note_parent(w, entry, e) < 0 ||
	    grow((void **)&w->last, &w->last_capacity, length + 1, 1, e) < 0 ||
	    grow((void **)&w->places, &w->capacity, w->count + 1, sizeof *w->places, e) < 0)
		return -1;
	memcpy(w->last, entry->path, length + 1);
	written = record_write(w->file, entry);
	if (written < 0)
		return error_errno(e, "write the table in %s/tmp", store_path(w->store));
	w->places[w->count++] = w->at;
	w->at += (uint64_t)written;
	return 0;
}

void table_set_needs_below(struct table_writer *w)
{
	w->needs_below = true;
}

/* The checksum of the file FD with HEADER. */
static int add_up(int fd, const struct header *header, uint32_t *sum, struct error *e)
{
	struct header blank = *header;

	blank.checksum = 0;
	*sum = checksum_add(0, &blank, sizeof blank);
	return checksum_add_file(sum, fd, sizeof blank, e);
}

int table_commit(struct table_writer *w, const struct digest *diff_id, int64_t tar_size,
                 struct error *e)
{
	struct header header = { TABLE_MAGIC,    w->count, w->at,          tar_size,
		                 w->needs_below, 0,        w->orphan_count };
	char name[DIGEST_HEX + 1];
	int result = 0;

	if (w->count > 0)
		fwrite(w->places, sizeof *w->places, w->count, w->file);
	if (w->orphan_count > 0)
		fwrite(w->orphans, sizeof *w->orphans, w->orphan_count, w->file);
	if (fflush(w->file) != 0 || ferror(w->file) ||
	    add_up(fileno(w->file), &header, &header.checksum, e) < 0 ||
	    lseek(fileno(w->file), 0, SEEK_SET) < 0 ||
	    path_write_all(fileno(w->file), &header, sizeof header, e) < 0) {
		error_errno(e, "write the table in %s/tmp", store_path(w->store));
		table_discard(w);
		return -1;
	}
	if (fclose(w->file) != 0) {
		result = error_errno(e, "write the table in %s/tmp", store_path(w->store));
		store_discard(&w->temp);
	} else {
		result = store_keep(w->store, &w->temp, STORE_TABLES, digest_hex(diff_id, name), e);
	}
	release(w);
	return result;
}

/* Everything that is not a record adds up to the SIZE of the file. */
static bool is_whole(const struct header *h, size_t size)
{
	return h->places >= sizeof *h && h->places % 8 == 0 && h->places <= size &&
	       h->count <= SIZE_MAX / 32 && h->orphans <= h->count &&
	       size - h->places == (h->count + h->orphans) * sizeof(uint64_t) && h->tar_size >= 0;
}

/* What is wrong with the table in FD of SIZE bytes; NULL: nothing is. */
static const char *find_fault(int fd, size_t size)
{
	struct header header;
	struct error failed;
	uint32_t sum;

	if (path_read_at(fd, &header, sizeof header, 0) != sizeof header)
		return "it was cut short";
	if (memcmp(header.magic, TABLE_MAGIC, sizeof header.magic) != 0)
		return "it is no table of this version";
	if (!is_whole(&header, size))
		return "it was cut short";
	if (add_up(fd, &header, &sum, &failed) < 0)
		return "it cannot be read";
	return sum == header.checksum ? NULL : "its checksum is wrong";
}

struct table *table_open(struct store *s, const struct digest *diff_id, struct error *e)
{
	char name[DIGEST_HEX + 1];
	struct stat st;
	auto_close int fd = store_find(s, STORE_TABLES, digest_hex(diff_id, name), &st, e);
	const char *fault = fd < 0 ? NULL : find_fault(fd, (size_t)st.st_size);
	struct table *t;
	void *bytes;

	if (fault)
		store_set_aside(s, STORE_TABLES, name, fault, e);
	if (fd < 0 || fault)
		return NULL;
	t = calloc(1, sizeof *t);
	if (!t) {
		error_memory(e);
		return NULL;
	}
	bytes = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (bytes == MAP_FAILED) {
		error_errno(e, "map %s/tables/%s", store_path(s), name);
		free(t);
		return NULL;
	}
	t->bytes = bytes;
	t->size = (size_t)st.st_size;
	t->header = bytes;
	t->places = (const uint64_t *)(t->bytes + t->header->places);
	t->orphans = t->places + t->header->count;
	return t;
}

void table_close(struct table *t)
{
	if (!t)
		return;
	munmap((void *)t->bytes, t->size);
	free(t);
}

void table_forget(struct table *t)
{
	madvise((void *)t->bytes, t->size, MADV_DONTNEED);
}

bool table_exists(struct store *s, const struct digest *diff_id)
{
	char name[DIGEST_HEX + 1];

	return store_has(s, STORE_TABLES, digest_hex(diff_id, name));
}

size_t table_count(const struct table *t)
{
	return t->header->count;
}

int64_t table_tar_size(const struct table *t)
{
	return t->header->tar_size;
}

bool table_needs_below(const struct table *t)
{
	return t->header->needs_below;
}

size_t table_orphan_count(const struct table *t)
{
	return t->header->orphans;
}

size_t table_orphan(const struct table *t, size_t i)
{
	return t->orphans[i] < t->header->count ? t->orphans[i] : 0;
}

void table_get(const struct table *t, size_t i, struct entry *entry)
{
	uint64_t place = t->places[i], end = t->header->places;

	if (place > end || place % 8 != 0)
		place = end;
	record_read(t->bytes + place, end - place, entry);
}

size_t table_lower_bound(const struct table *t, const char *path)
{
	size_t low = 0, high = table_count(t);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct entry entry;

		table_get(t, middle, &entry);
		if (path_order(entry.path, path) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

ssize_t table_find(const struct table *t, const char *path)
{
	size_t i = table_lower_bound(t, path);
	struct entry entry;

	if (i == table_count(t))
		return -1;
	table_get(t, i, &entry);
	return strcmp(entry.path, path) == 0 ? (ssize_t)i : -1;
}

int table_hides(const struct table *t, const char *path)
{
	auto_free char *above = strdup(path);
	struct entry entry;
	ssize_t i;

	if (!above)
		return -1;
	for (;;) {
		char *slash = strrchr(above, '/');

		i = table_find(t, above);
		if (i >= 0)
			table_get(t, (size_t)i, &entry);
		if (i >= 0 && entry.type != ENTRY_DIR &&
		    (entry.type != ENTRY_OPAQUE || strcmp(above, path) != 0))
			return 1;
		if (!*above)
			return 0;
		*(slash ? slash : above) = '\0';
	}
}
