#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "layers/scope.h"

/* --- sorted, each path once ------------------------------------------------------------------- */

static int by_path(const void *left, const void *right)
{
	const struct copy_item *a = left, *b = right;
	int order = path_order(a->path, b->path);

	/* A folder that was only made for others yields to one that was copied. */
	if (order == 0)
		order = (b->kind == ITEM_PARENT) - (a->kind == ITEM_PARENT);
	return order ? order : a->match < b->match ? -1 : a->match > b->match;
}

static bool is_sorted(const struct selection *c)
{
	for (size_t i = 1; i < c->count; i++)
		if (by_path(&c->item[i - 1], &c->item[i]) > 0)
			return false;
	return true;
}

static bool is_dir(const struct copy_item *item)
{
	return item->type == ENTRY_DIR || item->type == ENTRY_OPAQUE;
}

static int collide(const struct selection *c, const struct copy_item *old,
                   const struct copy_item *new, struct error *e)
{
	if (c->match[new->match].replaces)
		return 0;
	if (is_dir(old) && !is_dir(new))
		return error_set(e, ERROR_INPUT, "cannot replace to directory /%s with file",
		                 new->path);
	if (!is_dir(old) && is_dir(new))
		return error_set(e, ERROR_INPUT, "cannot copy to non-directory: /%s", new->path);
	return 0;
}

/* Of several items of one path the last one stays; below a file that an archive put in the place of
 * a folder nothing does. */
static int drop_overwritten(struct selection *c, struct error *e)
{
	const char *file = NULL;
	size_t kept = 0;

	for (size_t i = 0; i < c->count; i++) {
		if (file && path_is_below(c->item[i].path, file))
			continue;
		if (kept > 0 && strcmp(c->item[kept - 1].path, c->item[i].path) == 0) {
			if (collide(c, &c->item[kept - 1], &c->item[i], e) < 0)
				return -1;
			kept--;
		}
		c->item[kept++] = c->item[i];
		if (!is_dir(&c->item[i]) && c->match[c->item[i].match].replaces)
			file = c->item[i].path;
	}
	c->count = kept;
	return 0;
}

/* --- hard links ------------------------------------------------------------------------------- */

/* Which file an item is; names of one file within one match stay links of each other. */
struct identity {
	uint64_t number[2];
	uint32_t match;
	uint32_t item; /* 1 + index; 0: a free slot */
};

static bool identify(const struct copy_item *item, struct identity *id)
{
	if (item->type != ENTRY_FILE)
		return false;
	id->match = item->match;
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

static int find_hard_links(struct selection *c, struct error *e)
{
	struct identity id, *table, *slot;
	size_t candidates = 0, size = 8;
	unsigned bits = 3;

	for (size_t i = 0; i < c->count; i++) {
		c->item[i].hard_link = 0;
		candidates += identify(&c->item[i], &id);
	}
	if (candidates < 2)
		return 0;
	for (; size < 2 * candidates; size *= 2)
		bits++;
	table = calloc(size, sizeof *table);
	if (!table)
		return error_memory(e);
	for (size_t i = 0; i < c->count; i++) {
		if (!identify(&c->item[i], &id))
			continue;
		slot = &table[slot_of(&id) >> (64 - bits)];
		while (slot->item && (slot->match != id.match ||
		                      memcmp(slot->number, id.number, sizeof id.number) != 0))
			if (++slot == table + size)
				slot = table;
		if (slot->item) {
			c->item[i].hard_link = slot->item;
		} else {
			id.item = (uint32_t)i + 1;
			*slot = id;
		}
	}
	free(table);
	return 0;
}

/* --- what the image has there already --------------------------------------------------------- */

/* Folders of the selection around the current item. */
struct around {
	const char **path;
	bool *there;
	size_t count, capacity;
};

static int go_into(struct around *a, const char *path, bool there, struct error *e)
{
	if (a->count == a->capacity) {
		size_t capacity = a->capacity ? 2 * a->capacity : 32;
		const char **paths = reallocarray(a->path, capacity, sizeof *paths);
		bool *theres = paths ? reallocarray(a->there, capacity, sizeof *theres) : NULL;

		if (paths)
			a->path = paths;
		if (!theres)
			return error_memory(e);
		a->there = theres;
		a->capacity = capacity;
	}
	a->path[a->count] = path;
	a->there[a->count++] = there;
	return 0;
}

/* COPY replaces files by files and merges folders; it refuses to replace one by the other. Below a
 * folder that the image does not have there is nothing to ask, so that a tree of 20,000 new files
 * costs one look-up. */
static int check_collisions(struct selection *c, struct around *a, struct error *e)
{
	for (size_t i = 0; i < c->count; i++) {
		const struct copy_item *item = &c->item[i];
		struct copy_item old = { .path = item->path };
		struct found found;
		int there = 0;

		while (a->count > 0 && !path_is_below(item->path, a->path[a->count - 1]))
			a->count--;
		if (a->count == 0 || a->there[a->count - 1]) {
			there = stack_lookup(c->onto, item->path, &found, e);
			if (there < 0)
				return -1;
			old.type = (uint8_t)found.entry.type;
			if (there && collide(c, &old, item, e) < 0)
				return -1;
		}
		if (is_dir(item) && go_into(a, item->path, there, e) < 0)
			return -1;
	}
	return 0;
}

int copy_arrange(struct selection *c, struct error *e)
{
	struct around around = { 0 };
	int result;

	if (!is_sorted(c))
		qsort(c->item, c->count, sizeof *c->item, by_path);
	if (drop_overwritten(c, e) < 0 || find_hard_links(c, e) < 0)
		return -1;
	if (!c->onto)
		return 0;
	result = check_collisions(c, &around, e);
	free(around.path);
	free(around.there);
	return result;
}

/* --- facts ------------------------------------------------------------------------------------ */

/* The image's times never lie behind SOURCE_DATE_EPOCH; what comes from a context has no time of
 * its own. */
static int64_t item_time(const struct selection *c, const struct copy_item *item)
{
	int64_t epoch = c->world->epoch;

	if (item->kind != ITEM_ARRIVED)
		return epoch >= 0 ? epoch : CONTEXT_TIME;
	return epoch >= 0 && item->arrived->entry.mtime > epoch ? epoch
	                                                        : item->arrived->entry.mtime;
}

void copy_entry(const struct selection *c, const struct copy_item *item, struct entry *entry)
{
	switch ((enum item_kind)item->kind) {
	case ITEM_PARENT:
		*entry = (struct entry){ 0 };
		break;
	case ITEM_CONTEXT:
		context_entry(item->file, entry);
		break;
	case ITEM_ARRIVED:
		*entry = item->arrived->entry;
		break;
	case ITEM_BYTES:
		*entry = (struct entry){ .size = (int64_t)item->source->document_size };
		digest_of(item->source->document, item->source->document_size, &entry->digest);
		break;
	}
	entry->path = item->path;
	entry->type = (enum entry_type)item->type;
	entry->mode = item->mode;
	entry->uid = item->uid;
	entry->gid = item->gid;
	entry->mtime = item_time(c, item);
	if (item->hard_link) {
		entry->type = ENTRY_HARDLINK;
		entry->link = c->item[item->hard_link - 1].path;
		entry->size = 0;
	}
}
