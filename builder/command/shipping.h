/* Shipping: large layers leave for a registry while they are still being compressed.
 *
 * That is a head start and no duty: what does not arrive in this way, for whatever reason, is sent
 * as every blob is.
 *
 * Threads: shipping_begin is called by one; each shipment has a thread of its own.
 */
#pragma once
#include <stdbool.h>

#include "layers/growing.h"
#include "layers/layer.h"
#include "registry/auth.h"
#include "registry/reference.h"

struct shipping;
struct shipment;

/* To the repository of TO, which outlives it, as does A. Talks to nobody yet. */
struct shipping *shipping_new(struct auth *a, const struct reference *to, struct error *e);

/* What has not arrived is given up. S may be NULL. */
void shipping_free(struct shipping *s);

/* As struct packing_watch wants it: SHIPPING is a struct shipping. */
struct growing *shipping_begin(void *shipping, const struct layer *layer);

/* The shipment of LAYER, or NULL. */
struct shipment *shipping_of(struct shipping *s, const struct layer *layer);

/* LAYER is compressed: has it arrived? Waits for it, unless the registry had it before. */
bool shipment_arrived(struct shipment *s);
