#include "builder/command/publish.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "builder/command/shipping.h"
#include "builder/image/outgoing.h"
#include "layers/blob.h"
#include "layers/scope.h"
#include "registry/registry.h"

/* Registries refuse a manifest that is larger (with 413, or as invalid); podman, skopeo and CRI-O
 * do not read a config that is. */
#define DOCUMENT_SIZE_USUAL REGISTRY_MANIFEST_MAX

/* A blob of the store, as somebody who sends it opens it. */
struct stored {
	struct store *store;
	struct digest digest;
	int64_t size;
	struct shipment *shipment; /* may be NULL */
};

static int open_stored(void *context, struct error *e)
{
	const struct stored *b = context;

	return blob_open_verified(b->store, &b->digest, b->size, e);
}

static bool has_arrived(void *context)
{
	const struct stored *b = context;

	return shipment_arrived(b->shipment);
}

static void describe(struct blob_source *source, struct stored *blob)
{
	*source = (struct blob_source){
		.digest = blob->digest,
		.size = blob->size,
		.open = open_stored,
		.arrived = blob->shipment ? has_arrived : NULL,
		.context = blob,
	};
}

static int push_all(const struct publication *p, struct auth *auth, const struct outgoing *out,
                    struct shipping *shipping, const struct reference *to, size_t count,
                    struct error *e)
{
	size_t layers = p->image->layer_count;
	auto_free struct stored *stored = calloc(layers + 1, sizeof *stored);
	auto_free struct blob_source *blob = calloc(layers + 1, sizeof *blob);
	struct push_image image = {
		.manifest = out->manifest,
		.manifest_size = out->manifest_size,
		.media_type = out->media_type,
		.blob = blob,
		.blob_count = layers + 1,
	};

	if (!stored || !blob)
		return error_memory(e);
	for (size_t i = 0; i < layers; i++)
		stored[i] = (struct stored){ p->store, out->layer[i].blob, out->layer[i].blob_size,
			                     shipping_of(shipping, &out->layer[i]) };
	stored[layers] = (struct stored){ p->store, p->image->id, (int64_t)out->config_size, NULL };
	for (size_t i = 0; i <= layers; i++)
		describe(&blob[i], &stored[i]);
	for (size_t i = 0; p->bases && i < layers; i++)
		blob[i].lender = bases_lender(p->bases, &p->image->layers[i]);
	for (size_t i = 0; i < count; i++) {
		if (push_image(auth, &to[i], &image, p->progress, p->context, NULL, e) < 0)
			return -1;
		/* They went to the first repository. */
		for (size_t k = 0; k < layers; k++)
			blob[k].arrived = NULL;
	}
	return 0;
}

static void warn_of_size(const struct publication *p, const char *what, size_t size,
                         const char *who)
{
	char text[256];

	if (size <= DOCUMENT_SIZE_USUAL)
		return;
	snprintf(text, sizeof text, "the image's %s has %zu bytes; %s more than %d", what, size, who,
	         DOCUMENT_SIZE_USUAL);
	p->warn(p->warn_context, text);
}

/* Pack the image's layers to OUT, the large ones on their way already, and push it. */
static int pack_and_push(const struct publication *p, struct auth *auth, struct outgoing *out,
                         const struct reference *to, size_t count, struct error *e)
{
	struct shipping *shipping = shipping_new(auth, &to[0], e);
	const struct packing_watch watch = { shipping_begin, shipping };
	struct output_spec plain;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	int result = -1;

	if (!shipping)
		return -1;
	output_spec_init(&plain, OUTPUT_REGISTRY);
	if (outgoing_prepare(p->store, p->image, p->spec ? p->spec : &plain,
	                     cores > 0 ? (unsigned)cores : 1, &watch, out, e) == 0) {
		warn_of_size(p, "manifest (layers and annotations)", out->manifest_size,
		             "registries refuse");
		warn_of_size(p, "config (labels, environment, history)", out->config_size,
		             "podman, skopeo and CRI-O do not read");
		result = push_all(p, auth, out, shipping, to, count, e);
		if (result < 0)
			outgoing_release(out);
	}
	shipping_free(shipping);
	return result;
}

int publish(const struct publication *p, const struct reference *to, size_t count,
            struct published *result, struct error *e)
{
	struct auth *auth = remote_auth(p->remote, e);
	struct outgoing out;

	if (!auth || pack_and_push(p, auth, &out, to, count, e) < 0)
		return -1;
	if (result) {
		result->digest = out.digest;
		result->size = out.manifest_size;
		result->descriptor = json_text(out.descriptor, &(size_t){ 0 });
	}
	outgoing_release(&out);
	return 0;
}
