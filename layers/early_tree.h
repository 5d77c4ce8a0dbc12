/* The tree of a layer, begun while the layer is read for the first time.
 *
 * Directories and files are put in place as they come by, so that whoever waits for the tree waits
 * for no second pass over the archive. That suits layers as most tools make them: a directory before
 * what is in it, each path once, nothing that depends on layers below. At the first surprise it
 * gives up without a word, and tree_make unpacks such a layer when it is wanted.
 *
 * Nobody sees any of it before early_tree_finish, by which time all bytes have been verified. No
 * link is made before that either, so no path leads elsewhere.
 */
#pragma once
#include "layers/store.h"
#include "layers/table.h"
#include "layers/tree.h"

struct early_tree;

/* RULES are copied. NULL: there will be none. */
struct early_tree *early_tree_begin(struct store *s, const struct tree_rules *rules);

/* A directory; a file, then its bytes, then its end. ENTRY's path is clean (layers/table.h). */
void early_tree_dir(struct early_tree *t, const char *path);
void early_tree_file(struct early_tree *t, const struct entry *entry);
void early_tree_bytes(struct early_tree *t, const void *bytes, size_t size);
void early_tree_file_end(struct early_tree *t);

void early_tree_give_up(struct early_tree *t);

/* The table of DIFF_ID is in the store: make the rest from it, and keep the tree. Consumes T, as
 * does abandoning it; T may be NULL in both. */
void early_tree_finish(struct early_tree *t, const struct digest *diff_id);
void early_tree_abandon(struct early_tree *t);
