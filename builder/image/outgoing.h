/* An image as it leaves: its layers packed, its manifest and config as bytes. What is exported to
 * a file and what is pushed is the same.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/image/output_spec.h"
#include "layers/image.h"
#include "layers/packed.h"
#include "layers/stack.h"
#include "layers/store.h"

struct outgoing {
	const struct image *image; /* lent */
	struct layer *layer;       /* the image's, as packed */
	char *config;
	size_t config_size;
	char *manifest;
	size_t manifest_size;
	struct digest digest;      /* of the manifest */
	const char *media_type;    /* of the manifest */
	json_t *descriptor;        /* of the manifest, with platform and annotations */
};

/* Make IMAGE ready to leave as SPEC says; THREADS compress, and WATCH (may be NULL) hears of it. With
 * SPEC NULL it leaves as the store has it. An image whose layers need nothing keeps the bytes of its
 * manifest (H143, H144). */
int outgoing_prepare(struct store *s, const struct image *image, const struct output_spec *spec,
                     unsigned threads, const struct packing_watch *watch, struct outgoing *out,
                     struct error *e);
void outgoing_release(struct outgoing *out);

/* The index over COUNT of them; the caller frees it. */
char *outgoing_index(const struct outgoing *out, size_t count, const struct output_spec *spec,
                     size_t *size, struct error *e);

/* "linux/arm64/v8" */
char *image_platform(const struct image *image);
