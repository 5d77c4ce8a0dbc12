/* What stack*.c and tree.c share; nobody else includes this. */
#pragma once
#include "layers/stack.h"

/* What is known of one path: what is there, and, for a directory, the layers that have something
 * visible below it. Made once, never changed: look-ups of its names ask those layers only. */
struct folder {
	struct folder *next; /* of the same bucket */
	char *path;
	bool exists;
	struct found found;
	size_t *below; /* indices of layers, topmost first */
	size_t below_count;
};

/* Found out when asked for the first time; lent by the stack. Every table must be open. */
const struct folder *stack_folder(struct stack *st, const char *path, struct error *e);

/* Every table is open afterwards. */
int stack_make_ready(struct stack *st, struct error *e);
const struct table *stack_table(const struct stack *st, size_t i);

/* What names the table of layer I in the store: its diff_id, unless it is a graft. */
const struct digest *stack_table_name(const struct stack *st, size_t i);

/* Note where FOUND is named, and answer a hard link with the entry that it shares. The first name
 * may be in a layer below. */
int stack_follow_hardlink(struct stack *st, struct found *found, struct error *e);
