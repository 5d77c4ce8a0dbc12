/* Push: an image to there.
 *
 * Blobs first, several at a time, each only if it is not there; the manifest that names them last,
 * so that a push that is killed leaves the old tag as it was (H176).
 *
 *     push_image is push_open, push_blob of each, push_manifest, push_close.
 * A build that uploads layers while later steps run calls those itself.
 *
 * Threads: a push may be shared; push_blob may run in several at once.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "registry/auth.h"
#include "registry/reference.h"
#include "registry/registry.h"

/* Several uploads hide each other's round trips; more than this makes registries answer 429. */
#define PUSH_UPLOADS 4

enum push_event { PUSH_EXISTS, PUSH_MOUNTED, PUSH_UPLOADING, PUSH_DONE };

/* BLOB is under way: DONE of its bytes are sent. Called from the thread that sends. */
typedef void push_progress(void *context, const struct blob_source *blob, enum push_event event,
                           int64_t done);

struct push;

/* To the repository of R. PROGRESS may be NULL. */
struct push *push_open(struct auth *a, const struct reference *r, push_progress *progress,
                       void *context, struct error *e);
void push_close(struct push *p);

/* See to it that the registry has BLOB. */
int push_blob(struct push *p, const struct blob_source *blob, struct error *e);

/* Put a manifest or index under TAG, or under its digest when TAG is NULL or "". BLOBS are those it
 * names, sent again once if the registry turns out to have lost one. */
int push_manifest(struct push *p, const char *tag, const char *media_type, const void *bytes,
                  size_t size, const struct blob_source *blob, size_t blob_count, struct error *e);

struct push_image {
	const void *manifest;
	size_t manifest_size;
	const char *media_type;
	const struct blob_source *blob;   /* layers and config; the same twice is sent once */
	size_t blob_count;
};

/* The whole image to R: to its tag, or by digest when it has none. D (may be NULL) receives the
 * manifest's digest. */
int push_image(struct auth *a, const struct reference *r, const struct push_image *image,
               push_progress *progress, void *context, struct digest *d, struct error *e);
