/* Indexes: one name, one image for each platform.
 *
 * Source: OCI image-spec 1.1, image-index.md; Docker manifest list, schema 2.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/error.h"
#include "layers/json.h"
#include "registry/platform.h"

/* Is DOCUMENT an index (1) or a manifest (0)? What it holds, what it calls itself and MEDIA_TYPE,
 * with which it came ("" or something general when not said), must agree: else the same digest
 * would be read as two things (H039). -1 and E. */
int index_or_manifest(const json_t *document, const char *media_type, struct error *e);

struct index_entry {
	struct digest digest;
	int64_t size;
	bool has_platform;      /* no: only its config can tell */
};

/* The entry of INDEX that serves WANT best, the first of equals; one without a platform if no other
 * does, and one of a media type that is not known if that is all. Attestations and unknown
 * platforms do not count. ERROR_NOT_FOUND lists what there is. */
int index_choose(const json_t *index, const struct platform *want, struct index_entry *entry,
                 struct error *e);
