/* Pull: an image from there.
 *
 * Resolving fetches index, manifest and config only; layers come one by one when somebody needs
 * them, perhaps never.
 *
 * Threads: after pull_resolve an image does not change; pull_layer may run in several at once.
 * Source: OCI image-spec 1.1, image-index.md, manifest.md, config.md.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/store.h"
#include "registry/auth.h"
#include "registry/platform.h"
#include "registry/reference.h"
#include "registry/registry.h"

struct remote_layer {
	struct digest digest;   /* of the bytes as the registry has them */
	int64_t size;
	char *media_type;
	struct digest diff_id;  /* of the uncompressed tar */
};

struct remote_image {
	struct registry *registry;
	char *name;                     /* canonical, with the digest that the tag names */
	struct digest digest;           /* of what the tag names: index or manifest */
	struct platform platform;       /* as the config says; may differ from what was wanted */
	struct manifest manifest;
	char *config;                   /* NUL added */
	size_t config_size;
	struct digest config_digest;
	struct remote_layer *layer;     /* bottom first */
	size_t layer_count;
};

/* Find the image of R for WANT. From an index, the entry that serves WANT best, the first of
 * equals; none is ERROR_NOT_FOUND and lists what is available. A manifest without an index is
 * taken as it is: compare IMAGE->platform. Documents that contradict each other or themselves are
 * refused. */
int pull_resolve(struct auth *a, const struct reference *r, const struct platform *want,
                 struct remote_image *image, struct error *e);
void remote_image_release(struct remote_image *image);

/* Only the digest that R's tag has now: whether a resolved image is still the newest. */
int pull_digest(struct auth *a, const struct reference *r, struct digest *d, struct error *e);

/* Layer INDEX to SINK, as registry_blob does. */
int pull_layer(const struct remote_image *image, size_t index, registry_sink *sink, void *context,
               struct error *e);

/* Layer INDEX to a blob of S, unless it is there. PROGRESS may be NULL. Only the bytes are
 * verified: layer_index reads what is in them. */
int pull_layer_blob(const struct remote_image *image, size_t index, struct store *s,
                    http_progress *progress, void *context, struct error *e);
