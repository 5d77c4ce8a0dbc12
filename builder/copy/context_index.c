#include "builder/copy/context_index.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "layers/scope.h"

#define MAGIC "cairnix1"

struct header {
	char magic[8];
	uint64_t names_size;
	uint32_t count;
	uint32_t entry_size;
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
	return names[h->names_size - 1] == '\0';
}

struct context_index *index_open(struct store *s, const char *name)
{
	struct error ignored;
	auto_close int fd = store_find(s, STORE_CONTEXTS, name, O_RDONLY, &ignored);
	struct context_index *x = NULL;
	struct stat st;
	void *map;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < (off_t)sizeof(struct header))
		return NULL;
	map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (map == MAP_FAILED)
		return NULL;
	if (is_sound(map, (size_t)st.st_size))
		x = calloc(1, sizeof *x);
	if (!x) {
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
	FILE *file, *names;
	char *names_text;
	size_t names_size;
	uint32_t count, next_first;
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
	w->names = open_memstream(&w->names_text, &w->names_size);
	if (!w->file || !w->names || fwrite(&empty, sizeof empty, 1, w->file) != 1) {
		error_errno(e, "write the index of a context");
		if (!w->file)
			close(fd);
		index_discard(w);
		return NULL;
	}
	return w;
}

int index_add(struct index_writer *w, const char *name, struct index_entry *entry,
              struct error *e)
{
	entry->name = (uint32_t)ftell(w->names);
	entry->first = 0;
	if (entry->is_dir) {
		entry->first = w->next_first;
		w->next_first += entry->count;
	}
	w->count++;
	if (fwrite(entry, sizeof *entry, 1, w->file) != 1 ||
	    fwrite(name, strlen(name) + 1, 1, w->names) != 1)
		return error_errno(e, "write the index of a context");
	return 0;
}

static int write_rest(struct index_writer *w, struct error *e)
{
	struct header h = { .count = w->count, .entry_size = sizeof(struct index_entry) };
	int bad;

	memcpy(h.magic, MAGIC, sizeof h.magic);
	bad = fclose(w->names);
	w->names = NULL;
	h.names_size = w->names_size;
	if (bad || fwrite(w->names_text, 1, w->names_size, w->file) != w->names_size ||
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
	if (w->names)
		fclose(w->names);
	store_discard(&w->temp);
	free(w->names_text);
	free(w);
}
