#include "builder/plan/names.h"

#include <string.h>

/* More than this are worth an index. */
#define WALK_MAX 16

/* Source: Fowler, Noll, Vo: FNV-1a. */
static size_t hash(const char *name)
{
	uint64_t h = 0xcbf29ce484222325;

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * 0x100000001b3;
	return (size_t)(h ^ h >> 32);
}

/* The slot that NAME has, or would get. */
static uint32_t *slot_of(const struct names *n, const char *name)
{
	size_t i = hash(name) & (n->slot_count - 1);

	while (n->slot[i] && strcmp(n->item[n->slot[i] - 1].name, name) != 0)
		i = (i + 1) & (n->slot_count - 1);
	return &n->slot[i];
}

static struct named_place *find(const struct names *n, const char *name)
{
	if (n->slot) {
		uint32_t place = *slot_of(n, name);

		return place ? &n->item[place - 1] : NULL;
	}
	for (size_t i = 0; i < n->count; i++)
		if (strcmp(n->item[i].name, name) == 0)
			return &n->item[i];
	return NULL;
}

/* Make the index anew, with room for twice as many. */
static bool index_all(struct names *n, struct arena *a)
{
	n->slot_count = 4 * WALK_MAX;
	while (n->slot_count < 4 * n->count)
		n->slot_count *= 2;
	n->slot = arena_array(a, n->slot_count, sizeof *n->slot);
	for (size_t i = 0; n->slot && i < n->count; i++)
		*slot_of(n, n->item[i].name) = (uint32_t)i + 1;
	return n->slot;
}

size_t names_find(const struct names *n, const char *name)
{
	const struct named_place *found = find(n, name);

	return found ? found->place : NO_PLACE;
}

bool names_set(struct names *n, struct arena *a, const char *name, size_t place)
{
	struct named_place *item = find(n, name);

	if (item) {
		item->place = place;
		return true;
	}
	item = arena_room(a, n->item, n->count, sizeof *item);
	if (!item)
		return false;
	n->item = item;
	item[n->count++] = (struct named_place){ name, place };
	if (n->slot && 2 * n->count <= n->slot_count)
		*slot_of(n, name) = (uint32_t)n->count;
	else if (n->count > WALK_MAX)
		return index_all(n, a);
	return true;
}
