#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "layers/scope.h"

/* --- sorted, each path once ------------------------------------------------------------------- */

struct sorting {
	const struct selection *copy;
	struct item_path left, right;
};

static int by_path(const void *left, const void *right, void *context)
{
	struct sorting *s = context;
	const struct copy_item *a = left, *b = right;
	int order = path_order(item_path(&s->left, s->copy, a), item_path(&s->right, s->copy, b));
	const struct copy_match *from, *to;

	/* A folder that was only made for others yields to one that was copied. */
	if (order == 0)
		order = (b->kind == ITEM_PARENT) - (a->kind == ITEM_PARENT);
	if (order)
		return order;
	from = copy_match_of(s->copy, a);
	to = copy_match_of(s->copy, b);
	return from < to ? -1 : from > to;
}

static bool is_sorted(struct sorting *s)
{
	const struct selection *c = s->copy;

	for (size_t i = 1; i < c->count; i++)
		if (by_path(&c->item[i - 1], &c->item[i], s) > 0)
			return false;
	return true;
}

static bool is_dir(const struct copy_item *item)
{
	return item->type == ENTRY_DIR || item->type == ENTRY_OPAQUE;
}

/* NEW goes to PATH, where OLD is. */
static int collide(const struct selection *c, const struct copy_item *old,
                   const struct copy_item *new, const char *path, struct error *e)
{
	if (copy_match_of(c, new)->replaces)
		return 0;
	if (is_dir(old) && !is_dir(new))
		return error_set(e, ERROR_INPUT, "cannot replace to directory /%s with file", path);
	if (!is_dir(old) && is_dir(new))
		return error_set(e, ERROR_INPUT, "cannot copy to non-directory: /%s", path);
	return 0;
}

/* Of several items of one path the last one stays; below a file that an archive put in the place of
 * a folder nothing does. */
static int drop_overwritten(struct selection *c, struct sorting *s, struct error *e)
{
	struct item_path *now = &s->right, *last = &s->left, *other;
	const char *path, *before = NULL;
	auto_free char *file = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++) {
		const struct copy_item *item = &c->item[i];

		path = item_path(now, c, item);
		if (file && path_is_below(path, file))
			continue;
		if (before && strcmp(before, path) == 0) {
			if (collide(c, &c->item[kept - 1], item, path, e) < 0)
				return -1;
			kept--;
		}
		if (!is_dir(item) && copy_match_of(c, item)->replaces) {
			free(file);
			file = strdup(path);
			if (!file)
				return error_memory(e);
		}
		c->item[kept++] = *item;
		before = path;
		other = last;
		last = now;
		now = other;
	}
	c->count = kept;
	return 0;
}

static int sort(struct selection *c, struct error *e)
{
	struct sorting s = { .copy = c };
	int result = -1;

	if (item_path_begin(&s.left, c, e) == 0 && item_path_begin(&s.right, c, e) == 0) {
		if (!is_sorted(&s))
			qsort_r(c->item, c->count, sizeof *c->item, by_path, &s);
		result = drop_overwritten(c, &s, e);
	}
	item_path_release(&s.left);
	item_path_release(&s.right);
	return result;
}

/* --- hard links ------------------------------------------------------------------------------- */

/* Which file an item is; names of one file within one match stay links of each other. */
struct identity {
	uint64_t number[2];
	uint32_t match;
	uint32_t item; /* 1 + index; 0: a free slot */
};

static bool identify(const struct selection *c, const struct copy_item *item, struct identity *id)
{
	if (item->type != ENTRY_FILE)
		return false;
	id->match = c->anchor[item->anchor].match;
	if (item->kind == ITEM_CONTEXT)
		return context_identity(item->file, id->number);
	if (item->kind != ITEM_ARRIVED)
		return false;
	/* A layer holds the content of a file once, whatever its names; members of an archive that
	 * are one file share their facts. */
	id->number[0] =
		item->arrived->fd < 0 ? item->arrived->layer : (uint64_t)(uintptr_t)item->arrived;
	id->number[1] = (uint64_t)item->arrived->entry.offset;
	return true;
}

static uint64_t slot_of(const struct identity *id)
{
	return (id->number[0] * 31 + id->number[1] + id->match) * 0x9e3779b97f4a7c15u;
}

/* TABLE has 1 << BITS slots. */
static void link_equals(struct selection *c, struct identity *table, unsigned bits)
{
	struct identity id, *slot;

	for (size_t i = 0; i < c->count; i++) {
		if (!identify(c, &c->item[i], &id))
			continue;
		slot = &table[slot_of(&id) >> (64 - bits)];
		while (slot->item && (slot->match != id.match ||
		                      memcmp(slot->number, id.number, sizeof id.number) != 0))
			if (++slot == table + ((size_t)1 << bits))
				slot = table;
		if (slot->item) {
			c->hard_link[i] = slot->item;
		} else {
			id.item = (uint32_t)i + 1;
			*slot = id;
		}
	}
}

static int find_hard_links(struct selection *c, struct error *e)
{
	struct identity id, *table;
	size_t candidates = 0;
	unsigned bits = 3;

	free(c->hard_link);
	c->hard_link = NULL;
	for (size_t i = 0; i < c->count; i++)
		candidates += identify(c, &c->item[i], &id);
	if (candidates < 2)
		return 0;
	while ((size_t)1 << bits < 2 * candidates)
		bits++;
	table = calloc((size_t)1 << bits, sizeof *table);
	c->hard_link = calloc(c->count, sizeof *c->hard_link);
	if (table && c->hard_link)
		link_equals(c, table, bits);
	free(table);
	return table && c->hard_link ? 0 : error_memory(e);
}

/* --- what the image has there already --------------------------------------------------------- */

/* Folders of the selection around the current item: each is the beginning of the last one. */
struct around {
	char *path;       /* of the last one */
	struct folder {
		size_t size;  /* of its path */
		bool there;
	} *folder;
	size_t count, capacity;
};

static int go_into(struct around *a, const char *path, bool there, struct error *e)
{
	if (a->count == a->capacity) {
		size_t capacity = a->capacity ? 2 * a->capacity : 32;
		struct folder *grown = reallocarray(a->folder, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		a->folder = grown;
		a->capacity = capacity;
	}
	strcpy(a->path, path);
	a->folder[a->count++] = (struct folder){ strlen(path), there };
	return 0;
}

/* Leave the folders that PATH is not below; true when the image may have something at PATH. */
static bool come_to(struct around *a, const char *path)
{
	for (; a->count > 0; a->count--) {
		const struct folder *last = &a->folder[a->count - 1];

		if (last->size == 0 ||
		    (strncmp(path, a->path, last->size) == 0 && path[last->size] == '/'))
			return last->there;
	}
	return true;
}

/* COPY replaces files by files and merges folders; it refuses to replace one by the other. Below a
 * folder that the image does not have there is nothing to ask, so that a tree of 20,000 new files
 * costs one look-up. */
static int check_collisions(struct selection *c, struct around *a, struct item_path *p,
                            struct error *e)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct copy_item *item = &c->item[i];
		const char *path = item_path(p, c, item);
		struct found found;
		int there = 0;

		if (come_to(a, path)) {
			there = stack_lookup(c->onto, path, &found, e);
			if (there < 0)
				return -1;
			if (there && collide(c, &(struct copy_item){ .type = (uint8_t)found.entry.type },
			                     item, path, e) < 0)
				return -1;
		}
		if (is_dir(item) && go_into(a, path, there, e) < 0)
			return -1;
	}
	return 0;
}

int copy_arrange(struct selection *c, struct error *e)
{
	struct around around = { 0 };
	struct item_path path;
	int result = -1;

	if (sort(c, e) < 0 || find_hard_links(c, e) < 0)
		return -1;
	if (!c->onto)
		return 0;
	around.path = malloc(c->path_max + 1);
	if (!around.path)
		return error_memory(e);
	if (item_path_begin(&path, c, e) == 0)
		result = check_collisions(c, &around, &path, e);
	item_path_release(&path);
	free(around.path);
	free(around.folder);
	return result;
}
