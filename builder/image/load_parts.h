/* What load.c and oci_layout.c share; nobody else includes this. */
#pragma once
#include "builder/image/load.h"
#include "layers/json.h"
#include "registry/platform.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define IMAGE_NAME "io.containerd.image.name"

/* Some annotation of ENTRY, or NULL. */
const char *layout_annotation(const json_t *entry, const char *name);

/* What index.json lists, checked to be an array. A new reference. */
json_t *layout_entries(struct bundle *b, struct error *e);

/* Does ENTRY describe an image, or an attestation about one? */
bool layout_is_image(const json_t *entry);

/* How well ENTRY serves WANT; 0 when it does not say. */
int layout_distance(const json_t *entry, const struct platform *want);

/* Bring the image that ENTRY describes, for WANT if it is an index, into the store. */
int layout_image(struct store *s, struct bundle *b, const json_t *entry,
                 const struct platform *want, struct image *image, struct error *e);

/* Every layer of IMAGE, whose blobs are in the store, is verified and has its table. */
int load_index_layers(struct store *s, const struct image *image, struct error *e);
