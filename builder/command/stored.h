/* Images of this machine, as a user names and sees them.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/image.h"
#include "layers/store.h"

/* All records of the store's images, sorted by name. */
struct stored {
	struct image_name *item;
	size_t count;
};

int stored_open(struct store *s, struct stored *all, struct error *e);
void stored_close(struct stored *all);

/* The record that TEXT means: a name (of which "docker.io/library/" and ":latest" may be left out),
 * an id or the beginning of one, or NAME@DIGEST. BY_ID (may be NULL) says that it was no name.
 * NULL and ERROR_NOT_FOUND "No such image: TEXT". */
const struct image_name *stored_find(const struct stored *all, const char *text, bool *by_id,
                                     struct error *e);

/* Has the image ID a name? */
bool stored_is_named(const struct stored *all, const struct digest *id);

/* "alpine:3.20" in parts, for people; "<none>" where there is nothing. Freed by the caller. */
int stored_split(const struct image_name *name, char **repository, char **tag, struct error *e);

/* How many bytes of files a layer holds, an image's layers together. What is not here counts as it
 * would be downloaded. */
int64_t stored_layer_size(struct store *s, const struct layer *layer);
int64_t stored_size(struct store *s, const struct image *image);
