/* A shelf: what a build has found out about layers, so that it asks the disk once.
 *
 * A build of a hundred steps looks at its lower layers a hundred times each. The shelf keeps their
 * tables open, and remembers which layers it has seen whole, which trees they have and what their
 * tables are on others. Layers do not go away while somebody has the store open (layers/store.h), so
 * what was seen stays true.
 *
 * Threads: may be shared.
 */
#pragma once
#include <stdbool.h>

#include "layers/layer.h"
#include "layers/store.h"
#include "layers/table.h"

struct shelf;

struct shelf *shelf_new(struct store *s, struct error *e);
void shelf_free(struct shelf *shelf);

/* As layer_is_whole. */
bool shelf_has_whole(struct shelf *shelf, const struct layer *layer);

/* The tree of the layer on top of a pile whose digest is CHAIN, as shelf_keep_tree was told; NULL: not
 * told yet. Lent until the shelf is freed. */
const char *shelf_tree(struct shelf *shelf, const struct digest *chain);
/* The copy that is kept, lent; NULL when memory is out. */
const char *shelf_keep_tree(struct shelf *shelf, const struct digest *chain, const char *path);

/* The table of DIFF_ID, lent until the shelf is freed. NULL and E as table_open. */
struct table *shelf_table(struct shelf *shelf, const struct digest *diff_id, struct error *e);

/* What shelf_keep_graft was told last of DIFF_ID, if that was on these COUNT tables, all lent by
 * SHELF: the name of its table there. False: ask layers/graft.h. */
bool shelf_graft(struct shelf *shelf, const struct digest *diff_id, struct table *const *below,
                 size_t count, struct digest *name);
void shelf_keep_graft(struct shelf *shelf, const struct digest *diff_id, struct table *const *below,
                      size_t count, const struct digest *name);
