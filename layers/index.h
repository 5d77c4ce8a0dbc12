/* Reading a layer for the first time, from wherever its bytes come: layer_index and arrivals. */
#pragma once
#include "layers/early_tree.h"
#include "layers/layer_stream.h"

/* As layer_index, the bytes by FETCH. TREE (may be NULL) is told of all directories and files; when
 * 0 is returned it has given up or is ready to be finished. */
int index_bytes(struct store *s, const struct layer *layer, layer_fetch *fetch, void *context,
                struct early_tree *tree, struct error *e);
