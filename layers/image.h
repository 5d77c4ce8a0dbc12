/* Images on this machine: config and manifest as blobs, and the names that point to them.
 *
 * The config is kept as JSON, so that what this program does not know of a base's config is
 * inherited too. The manifest in the store lists layers as the store has them (built layers plain,
 * pulled ones as they came); an image's id is the digest of its config.
 *
 * Source: OCI image-spec 1.1, config.md and manifest.md.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/digest.h"
#include "layers/json.h"
#include "layers/layer.h"
#include "layers/store.h"

struct image {
	json_t *config;          /* the whole document, owned */
	struct layer *layers;    /* bottom first, owned */
	size_t layer_count;
	struct digest id;        /* of the config's bytes */
	struct digest manifest;  /* of the manifest's bytes in the store */
};

/* Empty and ready to be filled or released. */
void image_init(struct image *image);
void image_release(struct image *image);

/* What the documents say, checked (H032, H039, H128 to H137): as many diff_ids as layers, known
 * media types, sane numbers, every field of the config of its type. A history that says less than
 * there are layers is completed in memory. The texts are lent. */
int image_parse(struct image *image, const char *manifest, size_t manifest_size,
                const char *config, size_t config_size, struct error *e);

/* The media type of a layer, OCI's or Docker's. */
const char *image_layer_type(enum compression compression, bool docker);

/* The manifest's text for CONFIG_SIZE bytes of config named by ID and for LAYERS as they are, with
 * OCI's or Docker's media types; ANNOTATIONS may be NULL. The caller frees it. */
char *image_manifest(const struct image *image, size_t config_size, bool docker,
                     const json_t *annotations, size_t *size, struct error *e);

/* Write config and manifest blobs from CONFIG and LAYERS; fills ID and MANIFEST. The rootfs of the
 * config is made from the layers; a history that is too short gets entries at its end. ERROR_INPUT
 * for a config that is too large for image_get (H149). */
int image_put(struct store *s, struct image *image, struct error *e);
int image_get(struct store *s, const struct digest *manifest, struct image *image,
              struct error *e);

/* A name on this machine. NAME is canonical ("docker.io/library/alpine:3.20"); an image without
 * a name has NAME "". */
struct image_name {
	char *name;
	struct digest id;
	struct digest manifest;
	int64_t tagged;  /* seconds since 1970 */
};

/* Setting a name that another image has leaves that one nameless. */
int image_name_set(struct store *s, const char *name, const struct image *image, struct error *e);
int image_name_get(struct store *s, const char *name, struct image_name *out, struct error *e);
int image_name_remove(struct store *s, const struct image_name *name, struct error *e);
void image_name_release(struct image_name *name);

/* All names, sorted by name; the caller releases each and frees the array. */
int image_names(struct store *s, struct image_name **names, size_t *count, struct error *e);
