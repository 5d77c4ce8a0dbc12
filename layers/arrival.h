/* Arrivals: layers that come from elsewhere, understood while they come.
 *
 * Whoever downloads writes the blob's bytes here. Meanwhile one thread inflates what is there and
 * another reads the entries, as layer_index does, and begins the layer's tree when one will be
 * wanted: a layer is ready for a RUN a moment after its last byte. Nothing is kept of a layer whose
 * bytes are not what its digests say.
 *
 * Threads: an arrival belongs to one.
 */
#pragma once
#include <stddef.h>

#include "layers/layer.h"
#include "layers/tree.h"

struct arrival;

/* LAYER is lent until the end. With TREES a RUN will want it unpacked that way; may be NULL. */
struct arrival *arrival_begin(struct store *s, const struct layer *layer,
                              const struct tree_rules *trees, struct error *e);

/* The next bytes of the blob. What is wrong with them is told at the end. */
int arrival_write(struct arrival *a, const void *bytes, size_t size, struct error *e);

/* All bytes are here: keep blob and table, and the tree where there is one. ERROR_CORRUPT as for
 * layer_index. Consumes A in every case. */
int arrival_finish(struct arrival *a, struct error *e);
void arrival_abandon(struct arrival *a);
