/* A packer: compresses layers of an image while later steps of its build still run.
 *
 * One thread, which gives way to the steps. What it has packed is found again (layers/packed.h) when
 * the image leaves; what it has not, or could not, is packed then.
 */
#pragma once
#include "layers/packed.h"

struct packer;

/* HOW is copied. NULL and E; a build can do without. */
struct packer *packer_begin(struct store *s, const struct packing *how, struct error *e);

/* One more: struct build_options.layer_done, PACKER being a struct packer. From any thread. */
void packer_add(void *packer, const struct layer *layer);

/* With WANTED, the layer at hand is finished; those that have not been begun are not. P may be NULL. */
void packer_end(struct packer *p, bool wanted);
