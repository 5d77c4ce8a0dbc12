#include "builder/plan/variables.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "parser/suggest.h"

static struct variable *find(const struct variables *v, const char *name)
{
	size_t place = names_find(&v->names, name);

	return place == NO_PLACE ? NULL : &v->item[place];
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

static bool append(struct variables *v, struct arena *a, const struct variable *variable)
{
	struct variable *item = arena_room(a, v->item, v->count, sizeof *item);

	if (!item || !names_set(&v->names, a, variable->name, v->count))
		return false;
	v->item = item;
	v->list = NULL;
	item[v->count++] = *variable;
	return true;
}

bool variables_set(struct variables *v, struct arena *a, const char *name, const char *value)
{
	struct variable *found = find(v, name);

	if (!found)
		return append(v, a, &(struct variable){ .name = name, .value = value });
	found->value = value;
	found->pair = NULL;
	v->list = NULL;
	return true;
}

bool variables_remove(struct variables *v, struct arena *a, const char *name)
{
	struct variables rest = { 0 };

	if (!find(v, name))
		return true;
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->item[i].name, name) != 0 && !append(&rest, a, &v->item[i]))
			return false;
	*v = rest;
	return true;
}

bool variables_copy(struct variables *to, const struct variables *from, struct arena *a)
{
	*to = (struct variables){ 0 };
	for (size_t i = 0; i < from->count; i++)
		if (!append(to, a, &from->item[i]))
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
