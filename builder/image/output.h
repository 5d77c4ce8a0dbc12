/* Output: what was built, written to where -o says.
 *
 * An image goes out as an OCI layout (folder or archive), as what `docker load` reads, or as its
 * merged root filesystem (folder or tar). Archives appear whole. Nothing of the build is needed: an
 * image of the store, its names and a struct output_spec.
 *
 * Source: OCI image-spec 1.1, image-layout.md; annotations as BuildKit's exporters write them.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "builder/image/output_spec.h"
#include "layers/image.h"
#include "layers/stack.h"
#include "layers/store.h"

struct output_image {
	const struct image *image;
	stack_fetch *fetch; /* brings layers that are not in the store; may be NULL */
	void *context;
};

struct output_source {
	struct store *store;
	const struct output_image *image; /* more than one: platforms, under an index */
	size_t image_count;
	const char *const *name;          /* canonical, with a tag */
	size_t name_count;
	unsigned threads;
	int64_t epoch;                    /* SOURCE_DATE_EPOCH, or -1 */
};

struct output_result {
	struct digest digest;   /* of the manifest or index; zero for a root filesystem */
	int64_t size;
	char *descriptor;       /* its, JSON, the caller frees it; NULL for a root filesystem */
	size_t devices_skipped; /* of a folder: device files that this user may not make */
};

/* Write the image to SPEC's dest (OUTPUT_OCI, OUTPUT_DOCKER, OUTPUT_LOCAL, OUTPUT_TAR). */
int output_write(const struct output_source *from, const struct output_spec *spec,
                 struct output_result *result, struct error *e);
