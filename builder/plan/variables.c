#include "builder/plan/variables.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "parser/suggest.h"

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
static uint32_t *slot_of(const struct variables *v, const char *name)
{
	size_t i = hash(name) & (v->slot_count - 1);

	while (v->slot[i] && strcmp(v->item[v->slot[i] - 1].name, name) != 0)
		i = (i + 1) & (v->slot_count - 1);
	return &v->slot[i];
}

static struct variable *find(const struct variables *v, const char *name)
{
	uint32_t place;

	if (v->slot) {
		place = *slot_of(v, name);
		return place ? &v->item[place - 1] : NULL;
	}
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->item[i].name, name) == 0)
			return &v->item[i];
	return NULL;
}

/* Make the index anew, with room for twice as many; none where few need none. */
static bool index_all(struct variables *v, struct arena *a)
{
	v->slot = NULL;
	if (v->count <= WALK_MAX)
		return true;
	v->slot_count = 4 * WALK_MAX;
	while (v->slot_count < 4 * v->count)
		v->slot_count *= 2;
	v->slot = arena_array(a, v->slot_count, sizeof *v->slot);
	for (size_t i = 0; v->slot && i < v->count; i++)
		*slot_of(v, v->item[i].name) = (uint32_t)i + 1;
	return v->slot;
}

const char *variables_get(const struct variables *v, const char *name)
{
	const struct variable *found = find(v, name);

	return found ? found->value : NULL;
}

bool variables_have(const struct variables *v, const char *name)
{
	return find(v, name);
}

/* NAME is new. */
static struct variable *append(struct variables *v, struct arena *a, const char *name)
{
	struct variable *item = arena_room(a, v->item, v->count, sizeof *item);

	if (!item)
		return NULL;
	v->item = item;
	item[v->count++] = (struct variable){ .name = name };
	if (v->slot && 2 * v->count <= v->slot_count)
		*slot_of(v, name) = (uint32_t)v->count;
	else if (v->count > WALK_MAX && !index_all(v, a))
		return NULL;
	return &item[v->count - 1];
}

bool variables_set(struct variables *v, struct arena *a, const char *name, const char *value)
{
	struct variable *found = find(v, name);

	if (!found)
		found = append(v, a, name);
	if (!found)
		return false;
	found->value = value;
	found->pair = NULL;
	return true;
}

bool variables_remove(struct variables *v, struct arena *a, const char *name)
{
	struct variable *found = find(v, name);
	struct variable *end = v->item + v->count;

	if (!found)
		return true;
	memmove(found, found + 1, (size_t)(end - found - 1) * sizeof *found);
	v->count--;
	return index_all(v, a);
}

bool variables_copy(struct variables *to, const struct variables *from, struct arena *a)
{
	*to = (struct variables){ .count = from->count };
	/* As much room as arena_room would have made for so many. */
	for (size_t i = 0; i < from->count; i++) {
		to->item = arena_room(a, to->item, i, sizeof *to->item);
		if (!to->item)
			return false;
		to->item[i] = from->item[i];
	}
	return index_all(to, a);
}

const char *variables_nearest(const struct variables *v, const char *name)
{
	auto_free const char **names = calloc(v->count + 1, sizeof *names);

	if (!names)
		return NULL;
	for (size_t i = 0; i < v->count; i++)
		names[i] = v->item[i].name;
	return suggestion(name, names, v->count);
}
