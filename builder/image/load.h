/* Loading: images out of bundles into the store, every byte verified.
 *
 * Known are OCI layouts and what docker save writes, of any age. Where a bundle is both, the layout
 * counts, because it keeps manifests as they were, and manifest.json only adds names.
 *
 * Source: OCI image-spec 1.1, image-layout.md; moby image-spec v1.2, "Combined Image JSON".
 */
#pragma once
#include "builder/image/bundle.h"
#include "layers/image.h"
#include "layers/store.h"

struct loaded {
	struct image image;
	char **name; /* canonical */
	size_t name_count;
};

/* All images of B. Of one for several platforms, that for this machine. The store is not told any
 * names. */
int load_images(struct store *s, struct bundle *b, struct loaded **images, size_t *count,
                struct error *e);
void loaded_free(struct loaded *images, size_t count);
