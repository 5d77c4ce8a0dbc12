/* Names: where in some array the thing of a name is.
 *
 * A handful is looked through; more have an index, so that a file with many thousands of variables
 * or stages costs no more than its length. The strings are borrowed, the arrays are the arena's.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "parser/arena.h"

#define NO_PLACE SIZE_MAX

struct named_place {
	const char *name;
	size_t place;
};

struct names {
	struct named_place *item;
	size_t count;
	uint32_t *slot;          /* places in ITEM from 1, by hash; 0: free. NULL: no index */
	size_t slot_count;       /* a power of two */
};

/* The place of NAME, or NO_PLACE. */
size_t names_find(const struct names *n, const char *name);

/* NAME is at PLACE, wherever it was before. False when memory ran out. */
bool names_set(struct names *n, struct arena *a, const char *name, size_t place);
