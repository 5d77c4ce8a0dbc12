/* An OCI image layout on this machine as a base: --build-context base=oci-layout://DIR[:TAG|@DIGEST].
 *
 * What is in it is checked as what comes from a registry is: digests of all bytes, sizes, documents.
 * Source: OCI image-spec 1.1, image-layout.md.
 */
#pragma once
#include "layers/image.h"
#include "layers/store.h"
#include "registry/platform.h"

/* Bring the image that PLACE ("DIR:TAG", "DIR@sha256:...", "DIR") names for WANT into S. Without a
 * tag or digest it is the only one of its kind there is. */
int oci_layout_import(struct store *s, const char *place, const struct platform *want,
                      struct image *image, struct error *e);
