/* Publishing: an image of this machine to registries, packed as an output asks.
 */
#pragma once
#include "builder/build/base.h"
#include "builder/image/output_spec.h"
#include "builder/remote.h"
#include "layers/image.h"
#include "layers/store.h"
#include "registry/push.h"

struct publication {
	struct store *store;
	struct remote *remote;
	const struct image *image;      /* its layers are all here */
	const struct output_spec *spec; /* NULL: layers as gzip */
	struct bases *bases;            /* where layers came from; NULL: nobody knows */
	push_progress *progress;        /* may be NULL */
	void *context;
	void (*warn)(void *context, const char *text);
	void *warn_context;
};

/* What was pushed. */
struct published {
	struct digest digest;           /* of the manifest */
	size_t size;
	char *descriptor;               /* JSON; the caller frees it */
};

/* Push to each of COUNT references. RESULT (may be NULL) is the same for all. */
int publish(const struct publication *p, const struct reference *to, size_t count,
            struct published *result, struct error *e);
