#include "builder/variables.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "parser/suggest.h"

static struct variable *find(const struct variables *v, const char *name)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->item[i].name, name) == 0)
			return &v->item[i];
	return NULL;
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

bool variables_set(struct variables *v, struct arena *a, const char *name, const char *value)
{
	struct variable *found = find(v, name);

	if (!found) {
		struct variable *item = array_room(a, v->item, v->count, sizeof *item);

		if (!item)
			return false;
		v->item = item;
		found = &item[v->count++];
		found->name = name;
	}
	found->value = value;
	found->pair = NULL;
	return true;
}

void variables_remove(struct variables *v, const char *name)
{
	struct variable *found = find(v, name);
	struct variable *end = v->item + v->count;

	if (!found)
		return;
	/* The array is as large as COUNT says it must be, so it may lose one but not grow back in
	 * place: array_room would copy it, which is fine. */
	memmove(found, found + 1, (size_t)(end - found - 1) * sizeof *found);
	v->count--;
}

bool variables_copy(struct variables *to, const struct variables *from, struct arena *a)
{
	*to = (struct variables){ 0 };
	for (size_t i = 0; i < from->count; i++)
		if (!variables_set(to, a, from->item[i].name, from->item[i].value))
			return false;
	return true;
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

#define ROOM_AT_FIRST 8

void *array_room(struct arena *a, void *items, size_t count, size_t size)
{
	bool full = count == 0 || (count >= ROOM_AT_FIRST && (count & (count - 1)) == 0);
	void *more;

	if (!full)
		return items;
	more = arena_array(a, count ? 2 * count : ROOM_AT_FIRST, size);
	if (more && count)
		memcpy(more, items, count * size);
	return more;
}
