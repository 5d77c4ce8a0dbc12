/* What becomes of a built image: names, outputs, pushes, and the files that tell of it.
 *
 * What flags ask for is checked before the build; it is written after, in their order. The files
 * that scripts wait for (--iidfile, --metadata-file) come last, when all the rest is on the disk.
 */
#pragma once
#include "builder/build/base.h"
#include "builder/command/build_flags.h"
#include "builder/image/output_spec.h"
#include "builder/command/publish.h"
#include "layers/image.h"
#include "layers/packed.h"

struct build_result {
	const struct build_flags *flags;
	struct output_spec *spec;
	size_t spec_count;
	struct reference *tag;      /* of -t */
	size_t tag_count;
	struct published published; /* the last manifest that left, or the store's */
};

/* Read what FLAGS ask for, and remove the files of an earlier build. RESULT needs
 * build_result_release in every case. */
int build_result_plan(const struct build_flags *flags, struct build_result *result,
                      struct error *e);
void build_result_release(struct build_result *result);

/* Will layers leave compressed? Then HOW says how, for packing them before the image is built. */
bool build_result_packs(const struct build_result *result, struct packing *how);

struct built {
	struct store *store;
	struct progress *progress;
	struct remote *remote;
	struct bases *bases;
	const struct image *image;
	int64_t epoch;
};

/* Write all outputs and flush the store. */
int build_result_deliver(struct build_result *result, const struct built *built, struct error *e);

/* Write --iidfile and --metadata-file. */
int build_result_tell(const struct build_result *result, const struct image *image,
                      struct error *e);

/* Has an output gone to standard output? An id behind it would be a part of the file. */
bool build_result_is_printed(const struct build_result *result);
