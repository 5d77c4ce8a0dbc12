#include "builder/copy/context_index.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "layers/checksum.h"
#include "layers/scope.h"

#define MAGIC "cairnix2"

struct header {
	char magic[8];
	uint64_t names_size;
	uint32_t count;
	uint32_t entry_size;
	uint32_t checksum;    /* of all behind the header */
	uint32_t unused;
};

struct context_index {
	const struct header *header; /* the mapping */
	size_t size;
	const struct index_entry *entry;
	const char *names;
};

static bool is_sound(const struct header *h, size_t size)
{
	const char *names;

	if (size < sizeof *h || memcmp(h->magic, MAGIC, sizeof h->magic) != 0 ||
	    h->entry_size != sizeof(struct index_entry) || h->count == 0 || h->names_size == 0)
		return false;
	if (h->names_size > size ||
	    sizeof *h + (uint64_t)h->count * h->entry_size + h->names_size != size)
		return false;
	names = (const char *)h + (size - h->names_size);
	return names[h->names_size - 1] == '\0' &&
	       checksum_add(0, h + 1, size - sizeof *h) == h->checksum;
}

struct context_index *index_open(struct store *s, const char *name)
{
	struct error ignored;
	struct stat st;
	auto_close int fd = store_find(s, STORE_CONTEXTS, name, &st, &ignored);
	struct context_index *x = NULL;
	void *map;
	bool sound;

	if (fd < 0)
		return NULL;
	map = st.st_size ? mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0)
	                 : MAP_FAILED;
	sound = map != MAP_FAILED && is_sound(map, (size_t)st.st_size);
	if (sound)
		x = calloc(1, sizeof *x);
	else
		store_set_aside(s, STORE_CONTEXTS, name, "its checksum is wrong", &ignored);
	if (!x) {
		if (map != MAP_FAILED)
			munmap(map, (size_t)st.st_size);
		return NULL;
	}
	x->header = map;
	x->size = (size_t)st.st_size;
	x->entry = (const struct index_entry *)(x->header + 1);
	x->names = (const char *)(x->entry + x->header->count);
	return x;
}

void index_close(struct context_index *x)
{
	if (!x)
		return;
	munmap((void *)x->header, x->size);
	free(x);
}

void index_forget(struct context_index *x)
{
	madvise((void *)x->header, x->size, MADV_DONTNEED);
}

const struct index_entry *index_root(const struct context_index *x)
{
	return x->entry;
}

const char *index_name(const struct context_index *x, const struct index_entry *entry)
{
	return entry->name < x->header->names_size ? x->names + entry->name : "";
}

const struct index_entry *index_children(const struct context_index *x,
                                         const struct index_entry *dir, uint32_t *count)
{
	uint64_t end = (uint64_t)dir->first + dir->count;

	/* Children stand behind their folder: damage cannot lead in a circle. */
	*count = 0;
	if (dir->first <= (uint64_t)(dir - x->entry) || end > x->header->count)
		return NULL;
	*count = dir->count;
	return x->entry + dir->first;
}

struct index_writer {
	struct store *store;
	struct store_temp temp;
	FILE *file;
	char *names;
	size_t names_size, names_capacity;
	uint32_t count, next_first, checksum;
};

struct index_writer *index_begin(struct store *s, struct error *e)
{
	struct index_writer *w = calloc(1, sizeof *w);
	struct header empty = { 0 };
	int fd;

	if (!w) {
		error_memory(e);
		return NULL;
	}
	fd = store_temp_file(s, &w->temp, e);
	if (fd < 0) {
		free(w);
		return NULL;
	}
	w->store = s;
	w->next_first = 1;
	w->file = fdopen(fd, "w");
	if (!w->file || fwrite(&empty, sizeof empty, 1, w->file) != 1) {
		error_errno(e, "write the index of a context");
		if (!w->file)
			close(fd);
		index_discard(w);
		return NULL;
	}
	return w;
}

/* Grown in place: with many files this is the largest piece of memory (a stream would fill it with
 * zeros first). */
static int add_name(struct index_writer *w, const char *name, struct error *e)
{
	size_t size = strlen(name) + 1;

	if (w->names_capacity - w->names_size < size) {
		size_t capacity = 2 * (w->names_size + size);
		char *grown = realloc(w->names, capacity);

		if (!grown)
			return error_memory(e);
		w->names = grown;
		w->names_capacity = capacity;
	}
	memcpy(w->names + w->names_size, name, size);
	w->names_size += size;
	return 0;
}

int index_add(struct index_writer *w, const char *name, struct index_entry *entry,
              struct error *e)
{
	entry->name = (uint32_t)w->names_size;
	entry->first = 0;
	if (entry->is_dir) {
		entry->first = w->next_first;
		w->next_first += entry->count;
	}
	w->count++;
	w->checksum = checksum_add(w->checksum, entry, sizeof *entry);
	if (fwrite(entry, sizeof *entry, 1, w->file) != 1)
		return error_errno(e, "write the index of a context");
	return add_name(w, name, e);
}

static int write_rest(struct index_writer *w, struct error *e)
{
	struct header h = {
		.count = w->count,
		.entry_size = sizeof(struct index_entry),
		.names_size = w->names_size,
		.checksum = checksum_add(w->checksum, w->names, w->names_size),
	};

	memcpy(h.magic, MAGIC, sizeof h.magic);
	if (fwrite(w->names, 1, w->names_size, w->file) != w->names_size ||
	    fseek(w->file, 0, SEEK_SET) < 0 || fwrite(&h, sizeof h, 1, w->file) != 1 ||
	    fflush(w->file) != 0)
		return error_errno(e, "write the index of a context");
	return 0;
}

int index_commit(struct index_writer *w, const char *name, struct error *e)
{
	int result = write_rest(w, e);

	if (fclose(w->file) != 0 && result == 0)
		result = error_errno(e, "write the index of a context");
	w->file = NULL;
	if (result == 0)
		result = store_keep(w->store, &w->temp, STORE_CONTEXTS, name, e);
	index_discard(w);
	return result;
}

void index_discard(struct index_writer *w)
{
	if (w->file)
		fclose(w->file);
	store_discard(&w->temp);
	free(w->names);
	free(w);
}
