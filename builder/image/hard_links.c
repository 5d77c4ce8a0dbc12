#include "builder/image/hard_links.h"

#include <stdlib.h>
#include <string.h>

/* A file with several names: where its content is. */
struct shared {
	size_t layer;
	int64_t offset;
	char *first; /* the name it was written under; NULL: not yet */
};

struct hard_links {
	struct shared *file; /* sorted, each once */
	size_t count, capacity;
};

static int by_place(const void *left, const void *right)
{
	const struct shared *a = left, *b = right;

	if (a->layer != b->layer)
		return a->layer < b->layer ? -1 : 1;
	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

static int note_link(void *context, const struct found *found, struct error *e)
{
	struct hard_links *h = context;

	if (!found->linked || found->entry.type != ENTRY_FILE)
		return 0;
	if (h->count == h->capacity) {
		size_t capacity = h->capacity ? 2 * h->capacity : 64;
		struct shared *grown = reallocarray(h->file, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		h->file = grown;
		h->capacity = capacity;
	}
	h->file[h->count++] = (struct shared){ found->layer, found->entry.offset, NULL };
	return 0;
}

static void sort(struct hard_links *h)
{
	size_t kept = 0;

	if (h->count == 0)
		return;
	qsort(h->file, h->count, sizeof *h->file, by_place);
	for (size_t i = 1; i < h->count; i++)
		if (by_place(&h->file[kept], &h->file[i]) != 0)
			h->file[++kept] = h->file[i];
	h->count = kept + 1;
}

struct hard_links *hard_links_find(struct stack *st, struct error *e)
{
	struct hard_links *h = calloc(1, sizeof *h);

	if (!h) {
		error_memory(e);
		return NULL;
	}
	if (stack_walk(st, "", true, note_link, h, e) < 0) {
		hard_links_free(h);
		return NULL;
	}
	sort(h);
	return h;
}

void hard_links_free(struct hard_links *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->count; i++)
		free(h->file[i].first);
	free(h->file);
	free(h);
}

int hard_links_first(struct hard_links *h, const struct found *found, const char **first,
                     struct error *e)
{
	struct shared wanted = { found->layer, found->entry.offset, NULL }, *file;

	*first = NULL;
	file = h->count ? bsearch(&wanted, h->file, h->count, sizeof *h->file, by_place) : NULL;
	if (!file)
		return 0;
	if (file->first) {
		*first = file->first;
		return 0;
	}
	file->first = strdup(found->entry.path);
	return file->first ? 0 : error_memory(e);
}
