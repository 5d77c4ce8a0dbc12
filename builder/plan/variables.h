/* Variables: names and values in the order they were first set.
 *
 * The strings are borrowed, the arrays are the arena's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "builder/plan/names.h"
#include "parser/arena.h"

struct variable {
	const char *name;
	const char *value;       /* NULL: declared, without a value */
	const char *pair;        /* "name=value", once somebody needed it */
};

struct variables {
	struct variable *item;
	size_t count;
	struct names names;      /* places in ITEM */
	const char *const *list; /* the pairs, once somebody needed them; NULL since a change */
};

/* The value of NAME, or NULL when it is unset or unknown. */
const char *variables_get(const struct variables *v, const char *name);
bool variables_have(const struct variables *v, const char *name);

/* Set NAME where it stands, or at the end. False when memory ran out. */
bool variables_set(struct variables *v, struct arena *a, const char *name, const char *value);

/* Take NAME away; the others keep their order. */
bool variables_remove(struct variables *v, struct arena *a, const char *name);

/* A copy that can change by itself. */
bool variables_copy(struct variables *to, const struct variables *from, struct arena *a);

/* The name nearest to NAME, for "did you mean"; NULL when none is near. */
const char *variables_nearest(const struct variables *v, const char *name);
