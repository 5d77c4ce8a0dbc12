/* Unpack one layer into an empty directory, by its table.
 *
 * What the layer holds besides contents is made from the table, in its order; contents are taken
 * from the tar in the order they have there, in one pass, which may be inflated on the way. A
 * table has nothing below what is no directory, each path once: no link is ever walked through.
 */
#pragma once
#include "layers/table.h"
#include "layers/tree.h"

/* UNDER are the layers below, or NULL. ROOT is the directory to fill. */
int unpack(struct store *s, const struct layer *layer, const struct table *table,
           struct stack *under, const struct tree_rules *rules, int root, struct error *e);

/* The same when ROOT has the layer's files, and the directories that they are in, already; TABLE
 * needs no layers below. */
int unpack_rest(const struct table *table, const struct tree_rules *rules, int root,
                struct error *e);
