/* Packed layers: the compressed forms of layers, remembered.
 *
 * packed/HEX says for a layer that the store has plain, a kind and a level which blob holds it, so
 * that a second export or push compresses nothing: "DIFF_ID BLOB SIZE". A record is believed when its
 * blob is there with the right size. Another one says the same of a layer that came compressed, when
 * every byte of it has been looked at.
 *
 * Threads: any number may pack at the same time.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "layers/layer.h"
#include "layers/store.h"

/* Who wants to read a packed layer while it grows. BEGIN is asked when LAYER, which is a large one, is
 * going to be compressed, and lends what is to be told of it; NULL: nothing. */
struct packing_watch {
	struct growing *(*begin)(void *context, const struct layer *layer);
	void *context;
};

struct packing {
	enum compression kind;
	int level;      /* -1: the default */
	bool force;     /* also layers that are compressed in another way already */
	unsigned threads;
	const struct packing_watch *watch; /* NULL: nobody */
	const atomic_bool *stop; /* ERROR_CANCELLED once it becomes true; or NULL */
};

/* LAYER as it leaves: itself when it is compressed (unless FORCE) or nothing else is wanted, else
 * a blob made now or found. */
int packed_layer(struct store *s, const struct layer *layer, const struct packing *how,
                 struct layer *out, struct error *e);

/* COUNT layers to OUT in their order: large ones with all threads each, small ones side by side. */
int packed_layers(struct store *s, const struct layer *layers, size_t count,
                  const struct packing *how, struct layer *out, struct error *e);

/* The blob of LAYER was seen to inflate to the tar DIFF_ID; was it? That both are known here proves
 * nothing: an image may claim the diff_id of another one's layer, whose table and tree are here. */
int packed_prove(struct store *s, const struct layer *layer, struct error *e);
bool packed_is_proven(struct store *s, const struct layer *layer);
