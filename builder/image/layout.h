/* An OCI layout being collected: blobs, what index.json names, and, for `docker load`, what
 * manifest.json names. Written in one go, to a folder or to a tar.
 *
 * Equal content gives equal bytes: parts are sorted by name, each once, times are 0.
 *
 * Source: OCI image-spec 1.1, image-layout.md; moby image-spec v1.3, "Combined Image JSON".
 */
#pragma once
#include <stdbool.h>

#include "builder/image/outgoing.h"

struct layout;

/* Both lend what they are given until the layout is freed. */
struct layout *layout_new(struct store *s, struct error *e);
void layout_free(struct layout *l);

/* Config, layers and manifest of IMAGE. FETCH (may be NULL) brings layers that the store lacks. */
int layout_add_image(struct layout *l, const struct outgoing *image, stack_fetch *fetch,
                     void *context, struct error *e);

/* An index or so. */
int layout_add_blob(struct layout *l, const void *bytes, size_t size, struct error *e);

/* An entry of index.json for each of COUNT names, one without a name when there is none. CREATED
 * may be NULL. */
int layout_name(struct layout *l, const json_t *descriptor, const char *created,
                const char *const *name, size_t count, struct error *e);

/* The entry of manifest.json. */
int layout_name_for_docker(struct layout *l, const struct outgoing *image,
                           const char *const *name, size_t count, struct error *e);

/* To the tar at DEST ("-": standard output). */
int layout_write_archive(struct layout *l, const char *dest, struct error *e);

/* To the folder DEST. Images that are there stay, but for those that lose their name. */
int layout_write_folder(struct layout *l, const char *dest, struct error *e);
