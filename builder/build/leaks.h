/* Secrets that a build left in its image.
 *
 * What the build used of --secret is searched for in the layers it made and in the image's config,
 * byte by byte, before anything has a name. That a layer was searched for a secret is remembered,
 * as a slow digest that is salted for each store: the secret cannot be told from it.
 */
#pragma once
#include "builder/build/task.h"

/* ERROR_FAILED naming secret, file and layer when one is found in IMAGE; STEP is then the one that
 * made it, or NULL. */
int leaks_search(struct building *b, const struct image *image, const struct step **step,
                 struct error *e);
