/* Collecting: what nothing in the store refers to goes away.
 *
 * Roots are the images' names, the records of build steps and the remembered bases; a digest in a
 * root, or in a document that a root leads to, keeps what it names. Nothing is removed while
 * another process uses the store.
 */
#pragma once
#include <stdint.h>

#include "layers/store.h"

/* *FREED receives the bytes of blobs and tables. 1 when something else uses the store and nothing
 * was done, 0 done, -1 and E. */
int collect(struct store *s, int64_t *freed, struct error *e);
