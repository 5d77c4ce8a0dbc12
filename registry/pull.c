#include "registry/pull.h"

#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"
#include "layers/image.h"
#include "layers/scope.h"
#include "registry/index.h"

/* A config holds the history too; the largest we have met has 100 KiB. */
#define CONFIG_SIZE_MAX (8 << 20)
/* An index of indexes is allowed, a staircase of them is not meant well. */
#define INDEX_DEPTH_MAX 4

static const char *which_of(const struct reference *r, char text[static DIGEST_TEXT])
{
	if (r->has_digest)
		return digest_format(&r->digest, text);
	return r->tag[0] ? r->tag : "latest";
}

/* Replace M, an index, by what it has for WANT. *SURE is false when only a config can tell. */
static int descend(struct remote_image *image, const json_t *index, const struct platform *want,
                   bool *sure, struct error *e)
{
	struct index_entry entry;
	char text[DIGEST_TEXT];

	if (index_choose(index, want, &entry, e) < 0)
		return -1;
	*sure = entry.has_platform;
	manifest_release(&image->manifest);
	if (registry_manifest(image->registry, digest_format(&entry.digest, text), &image->manifest,
	                      e) < 0)
		return -1;
	if ((int64_t)image->manifest.size != entry.size)
		return error_set(e, ERROR_CORRUPT, "the index says that %s has %lld bytes, but it has %zu",
		                 text, (long long)entry.size, image->manifest.size);
	return 0;
}

/* From what the tag names to the manifest. */
static int find_manifest(struct remote_image *image, const char *which,
                         const struct platform *want, bool *sure, struct error *e)
{
	*sure = true;
	if (registry_manifest(image->registry, which, &image->manifest, e) < 0)
		return -1;
	image->digest = image->manifest.digest;
	for (int depth = 0; depth <= INDEX_DEPTH_MAX; depth++) {
		json_t *json = json_parse(image->manifest.bytes, image->manifest.size, "manifest", e);
		int result = json ? index_or_manifest(json, image->manifest.media_type, e) : -1;

		if (result > 0 && descend(image, json, want, sure, e) < 0)
			result = -1;
		json_decref(json);
		if (result <= 0)
			return result;
	}
	return error_set(e, ERROR_INPUT, "indexes are nested more than %d deep", INDEX_DEPTH_MAX);
}

static int fetch_config(struct remote_image *image, struct error *e)
{
	const struct manifest *m = &image->manifest;
	json_t *json = json_parse(m->bytes, m->size, "manifest", e);
	json_error_t wrong;
	const char *text;
	json_int_t size;
	int result = 0;

	if (!json)
		return -1;
	if (json_unpack_ex(json, &wrong, 0, "{s:{s:s, s:I}}", "config", "digest", &text, "size",
	                   &size) < 0)
		result = error_set(e, ERROR_INPUT, "manifest: config: %s", wrong.text);
	else if (digest_parse(text, &image->config_digest, e) < 0)
		result = error_context(e, "manifest: config");
	else
		image->config = registry_blob_read(image->registry, &image->config_digest, size,
		                                   CONFIG_SIZE_MAX, e);
	json_decref(json);
	image->config_size = (size_t)size;
	return result < 0 || !image->config ? -1 : 0;
}

static int describe_layers(struct remote_image *image, const struct image *parsed, struct error *e)
{
	json_t *manifest = json_parse(image->manifest.bytes, image->manifest.size, "manifest", e);
	const json_t *layers = json_object_get(manifest, "layers");
	int result = manifest ? 0 : -1;

	image->layer = calloc(parsed->layer_count + 1, sizeof *image->layer);
	image->layer_count = image->layer ? parsed->layer_count : 0;
	if (!image->layer)
		result = error_memory(e);
	for (size_t i = 0; i < image->layer_count && result == 0; i++) {
		const json_t *type = json_object_get(json_array_get(layers, i), "mediaType");

		image->layer[i].digest = parsed->layers[i].blob;
		image->layer[i].size = parsed->layers[i].blob_size;
		image->layer[i].diff_id = parsed->layers[i].diff_id;
		image->layer[i].media_type = strdup(json_string_value(type));
		if (!image->layer[i].media_type)
			result = error_memory(e);
	}
	json_decref(manifest);
	return result;
}

static const char *text_of(const struct image *parsed, const char *key)
{
	return json_string_value(json_object_get(parsed->config, key));
}

/* What the documents say, once both are here and agree. */
static int describe(struct remote_image *image, struct error *e)
{
	struct image parsed;
	int result;

	image_init(&parsed);
	result = image_parse(&parsed, image->manifest.bytes, image->manifest.size, image->config,
	                     image->config_size, e);
	if (result == 0) {
		platform_set(&image->platform, text_of(&parsed, "os"), text_of(&parsed, "architecture"),
		             text_of(&parsed, "variant"), text_of(&parsed, "os.version"));
		result = describe_layers(image, &parsed, e);
	}
	image_release(&parsed);
	return result;
}

static int check_platform(const struct remote_image *image, const struct platform *want, bool sure,
                          struct error *e)
{
	char wanted[PLATFORM_TEXT], found[PLATFORM_TEXT];

	if (!sure && platform_distance(want, &image->platform) < 0)
		return error_set(e, ERROR_NOT_FOUND, "no match for platform %s; it has %s",
		                 platform_format(want, wanted), platform_format(&image->platform, found));
	return 0;
}

static int set_name(struct remote_image *image, const struct reference *r, struct error *e)
{
	struct reference named = *r;

	reference_default_tag(&named);
	named.has_digest = true;
	named.digest = image->digest;
	image->name = reference_format(&named);
	return image->name ? 0 : error_memory(e);
}

int pull_resolve(struct auth *a, const struct reference *r, const struct platform *want,
                 struct remote_image *image, struct error *e)
{
	char text[DIGEST_TEXT];
	bool sure;

	memset(image, 0, sizeof *image);
	image->registry = registry_open(a, r, REGISTRY_PULL, e);
	if (!image->registry)
		return -1;
	if (find_manifest(image, which_of(r, text), want, &sure, e) < 0 ||
	    fetch_config(image, e) < 0 || describe(image, e) < 0 ||
	    check_platform(image, want, sure, e) < 0 || set_name(image, r, e) < 0) {
		auto_free char *name = reference_format(r);

		remote_image_release(image);
		/* What is said of a manifest or blob names the repository already. */
		return name && !strstr(e->text, r->repository) ? error_context(e, "%s", name) : -1;
	}
	return 0;
}

void remote_image_release(struct remote_image *image)
{
	registry_close(image->registry);
	manifest_release(&image->manifest);
	for (size_t i = 0; i < image->layer_count; i++)
		free(image->layer[i].media_type);
	free(image->layer);
	free(image->name);
	free(image->config);
	memset(image, 0, sizeof *image);
}

int pull_digest(struct auth *a, const struct reference *r, struct digest *d, struct error *e)
{
	struct registry *registry = registry_open(a, r, REGISTRY_PULL, e);
	char text[DIGEST_TEXT];
	struct manifest m;
	int result;

	if (!registry)
		return -1;
	result = registry_manifest_digest(registry, which_of(r, text), d, e);
	/* Some refuse HEAD, or do not say. */
	if ((result == 0 && digest_is_zero(d)) || (result < 0 && e->kind != ERROR_CANCELLED)) {
		result = registry_manifest(registry, which_of(r, text), &m, e);
		if (result == 0)
			*d = m.digest;
		manifest_release(&m);
	}
	registry_close(registry);
	return result;
}

int pull_layer(const struct remote_image *image, size_t index, registry_sink *sink, void *context,
               struct error *e)
{
	const struct remote_layer *layer = &image->layer[index];

	return registry_blob(image->registry, &layer->digest, layer->size, sink, context, e);
}

struct to_blob {
	struct blob_writer *writer;
	http_progress *progress;
	void *context;
};

static int blob_sink(void *context, const void *data, size_t size, struct error *e)
{
	struct to_blob *to = context;

	if (blob_write_unhashed(to->writer, data, size, e) < 0)
		return -1;
	if (to->progress)
		to->progress(to->context, blob_written(to->writer));
	return 0;
}

int pull_layer_blob(const struct remote_image *image, size_t index, struct store *s,
                    http_progress *progress, void *context, struct error *e)
{
	const struct remote_layer *layer = &image->layer[index];
	struct to_blob to = { .progress = progress, .context = context };

	if (blob_has(s, &layer->digest, layer->size))
		return 0;
	to.writer = blob_begin(s, e);
	if (!to.writer)
		return -1;
	if (registry_blob(image->registry, &layer->digest, layer->size, blob_sink, &to, e) < 0) {
		blob_discard(to.writer);
		return -1;
	}
	return blob_commit_as(to.writer, &layer->digest, e) < 0 ? -1 : 0;
}
