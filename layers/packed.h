/* Packed layers: the compressed forms of layers that the store has plain, remembered.
 *
 * packed/HEX says for a layer, a kind and a level which blob holds it, so that a second export or
 * push compresses nothing: "DIFF_ID BLOB SIZE". A record is believed when its blob is there with the right size.
 *
 * Threads: any number may pack at the same time.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/layer.h"
#include "layers/store.h"

struct packing {
	enum compression kind;
	int level;      /* -1: the default */
	bool force;     /* also layers that are compressed in another way already */
	unsigned threads;
};

/* LAYER as it leaves: itself when it is compressed (unless FORCE) or nothing else is wanted, else
 * a blob made now or found. */
int packed_layer(struct store *s, const struct layer *layer, const struct packing *how,
                 struct layer *out, struct error *e);

/* COUNT layers to OUT in their order: large ones with all threads each, small ones side by side. */
int packed_layers(struct store *s, const struct layer *layers, size_t count,
                  const struct packing *how, struct layer *out, struct error *e);
