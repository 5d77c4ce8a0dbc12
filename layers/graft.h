/* Grafts: layers that lie elsewhere because of a link below them.
 *
 * A layer that has bin/x but no bin means whatever bin is on the layers below; where that is a link
 * to usr/bin, unpacking them one after the other puts the file at usr/bin/x, as all other builders
 * do. So such a layer has another table, and another tree, on these layers.
 */
#pragma once
#include "layers/stack.h"

/* Layer number I, as it is on those below it, whose tables are right: *AS becomes the name of its
 * table in the store. 1; 0, and *AS as it was, when its own table is right, as nearly always; -1 and
 * E, ERROR_CORRUPT when an entry would lie below a file. */
int graft_table(struct store *s, const struct layer *layers, struct table *const *tables, size_t i,
                struct digest *as, struct error *e);
