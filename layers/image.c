#include "layers/image.h"

#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"
#include "layers/scope.h"
#include "layers/timestamp.h"

#define MANIFEST_TYPE "application/vnd.oci.image.manifest.v1+json"
#define CONFIG_TYPE "application/vnd.oci.image.config.v1+json"

/* As registries limit them; a config holds the history too. */
#define MANIFEST_SIZE_MAX (4 << 20)
#define CONFIG_SIZE_MAX (8 << 20)

struct media_type {
	const char *name;
	enum compression compression;
};

static const struct media_type layer_types[] = {
	{ "application/vnd.oci.image.layer.v1.tar", COMPRESSION_NONE },
	{ "application/vnd.oci.image.layer.v1.tar+gzip", COMPRESSION_GZIP },
	{ "application/vnd.oci.image.layer.v1.tar+zstd", COMPRESSION_ZSTD },
	{ "application/vnd.docker.image.rootfs.diff.tar", COMPRESSION_NONE },
	{ "application/vnd.docker.image.rootfs.diff.tar.gzip", COMPRESSION_GZIP },
	{ "application/vnd.docker.image.rootfs.diff.tar.zstd", COMPRESSION_ZSTD },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar", COMPRESSION_NONE },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", COMPRESSION_GZIP },
	{ "application/vnd.oci.image.layer.nondistributable.v1.tar+zstd", COMPRESSION_ZSTD },
	{ "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", COMPRESSION_GZIP },
};

static const char *const config_types[] = {
	CONFIG_TYPE,
	"application/vnd.docker.container.image.v1+json",
};

static const char *const manifest_types[] = {
	MANIFEST_TYPE,
	"application/vnd.docker.distribution.manifest.v2+json",
};

#define COUNT(array) (sizeof(array) / sizeof *(array))

void image_init(struct image *image)
{
	*image = (struct image){ 0 };
}

void image_release(struct image *image)
{
	json_decref(image->config);
	free(image->layers);
	image_init(image);
}

/* --- what a config may hold ------------------------------------------------------------------- */

enum shape { STRING, STRINGS, OBJECT, STRING_MAP, TIME };

struct field {
	const char *name;
	enum shape shape;
};

/* Of the document, and of its "config". All may be absent or null; what is not here is kept
 * without being looked at. */
static const struct field document_fields[] = {
	{ "architecture", STRING }, { "os", STRING },     { "variant", STRING },
	{ "os.version", STRING },   { "author", STRING }, { "os.features", STRINGS },
	{ "created", TIME },        { "config", OBJECT },
};
static const struct field config_fields[] = {
	{ "User", STRING },      { "WorkingDir", STRING },   { "StopSignal", STRING },
	{ "Env", STRINGS },      { "Cmd", STRINGS },         { "Entrypoint", STRINGS },
	{ "Shell", STRINGS },    { "OnBuild", STRINGS },     { "Labels", STRING_MAP },
	{ "Volumes", OBJECT },   { "ExposedPorts", OBJECT }, { "Healthcheck", OBJECT },
};

static bool has_shape(const json_t *value, enum shape shape)
{
	const char *key;
	json_t *item;
	size_t i;
	int64_t seconds;

	switch (shape) {
	case STRING:
		return json_is_string(value);
	case TIME:
		return json_is_string(value) && timestamp_parse(json_string_value(value), &seconds);
	case OBJECT:
		return json_is_object(value);
	case STRINGS:
		json_array_foreach(value, i, item)
			if (!json_is_string(item))
				return false;
		return json_is_array(value);
	case STRING_MAP:
		json_object_foreach((json_t *)value, key, item)
			if (!json_is_string(item))
				return false;
		return json_is_object(value);
	}
	return false;
}

static int check_fields(const json_t *object, const struct field *fields, size_t count,
                        const char *where, struct error *e)
{
	static const char *const wanted[] = {
		[STRING] = "a string",
		[STRINGS] = "an array of strings",
		[OBJECT] = "an object",
		[STRING_MAP] = "an object of strings",
		[TIME] = "a time as in RFC 3339",
	};

	for (size_t i = 0; i < count; i++) {
		const json_t *value = json_object_get(object, fields[i].name);

		if (value && !json_is_null(value) && !has_shape(value, fields[i].shape))
			return error_set(e, ERROR_INPUT, "image config: %s%s is not %s", where,
			                 fields[i].name, wanted[fields[i].shape]);
	}
	return 0;
}

/* How many layers HISTORY accounts for; -1 and E. */
static ssize_t count_history(const json_t *history, struct error *e)
{
	ssize_t count = 0;
	json_t *item;
	size_t i;

	if (history && !json_is_array(history) && !json_is_null(history))
		return error_set(e, ERROR_INPUT, "image config: history is not an array");
	json_array_foreach(history, i, item) {
		const json_t *empty = json_object_get(item, "empty_layer");

		if (!json_is_object(item) || (empty && !json_is_boolean(empty)))
			return error_set(e, ERROR_INPUT, "image config: history[%zu] is no entry", i);
		count += !json_is_true(empty);
	}
	return count;
}

/* Images made without a Dockerfile often say nothing of some layers. The entries that are missing
 * are added, so that those which a build appends stand for the right ones (H142). */
static int complete_history(struct image *image, struct error *e)
{
	json_t *history = json_object_get(image->config, "history");
	ssize_t count = count_history(history, e);

	if (count < 0)
		return -1;
	if ((size_t)count > image->layer_count)
		return error_set(e, ERROR_INPUT,
		                 "image config: history describes %zd layers, but there are %zu", count,
		                 image->layer_count);
	if (!json_is_array(history)) {
		history = json_array();
		if (!history || json_object_set_new(image->config, "history", history) < 0)
			return error_memory(e);
	}
	for (; (size_t)count < image->layer_count; count++)
		if (json_array_append_new(history, json_pack("{s:s}", "comment", "no history")) < 0)
			return error_memory(e);
	return 0;
}

static int parse_config(struct image *image, struct error *e)
{
	const json_t *rootfs, *diff_ids, *inner;
	size_t count;

	if (!json_is_object(image->config))
		return error_set(e, ERROR_INPUT, "image config: not an object");
	if (check_fields(image->config, document_fields, COUNT(document_fields), "", e) < 0)
		return -1;
	inner = json_object_get(image->config, "config");
	if (check_fields(inner, config_fields, COUNT(config_fields), "config.", e) < 0)
		return -1;
	rootfs = json_object_get(image->config, "rootfs");
	diff_ids = json_object_get(rootfs, "diff_ids");
	if (!json_is_object(rootfs))
		return error_set(e, ERROR_INPUT, "image config: rootfs is missing");
	if (diff_ids && !json_is_array(diff_ids) && !json_is_null(diff_ids))
		return error_set(e, ERROR_INPUT, "image config: rootfs.diff_ids is not an array");
	count = json_array_size(diff_ids);
	if (count != image->layer_count)
		return error_set(e, ERROR_INPUT,
		                 "image config: rootfs.diff_ids has %zu entries, but there are %zu layers",
		                 count, image->layer_count);
	for (size_t i = 0; i < count; i++) {
		const char *text = json_string_value(json_array_get(diff_ids, i));

		if (digest_parse(text ? text : "", &image->layers[i].diff_id, e) < 0)
			return error_context(e, "image config: rootfs.diff_ids[%zu]", i);
	}
	return complete_history(image, e);
}

/* --- manifests -------------------------------------------------------------------------------- */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static int parse_descriptor(const json_t *json, const char **type, struct digest *d,
                            int64_t *size, struct error *e)
{
	json_error_t wrong;
	const char *digest;
	json_int_t bytes;

	if (json_unpack_ex((json_t *)json, &wrong, 0, "{s:s, s:s, s:I}", "mediaType", type, "digest",
	                   &digest, "size", &bytes) < 0)
		return error_set(e, ERROR_INPUT, "%s", wrong.text);
	if (bytes < 0)
		return error_set(e, ERROR_INPUT, "size is negative");
	*size = bytes;
	return digest_parse(digest, d, e);
}

static int parse_layer(const json_t *json, struct layer *layer, struct error *e)
{
	const char *type;

	if (parse_descriptor(json, &type, &layer->blob, &layer->blob_size, e) < 0)
		return -1;
	for (size_t i = 0; i < COUNT(layer_types); i++)
		if (strcmp(layer_types[i].name, type) == 0) {
			layer->compression = layer_types[i].compression;
			return 0;
		}
	return error_set(e, ERROR_UNSUPPORTED, "unsupported media type %.100s", type);
}

/* What the document says it is, where it says it (H039, H137). */
static int check_manifest_kind(const json_t *manifest, struct error *e)
{
	const json_t *type = json_object_get(manifest, "mediaType");
	const json_t *version = json_object_get(manifest, "schemaVersion");

	if (!json_is_object(manifest))
		return error_set(e, ERROR_INPUT, "manifest: not an object");
	if (!json_is_integer(version) || json_integer_value(version) != 2)
		return error_set(e, ERROR_UNSUPPORTED, "manifest: schemaVersion is not 2");
	if (json_object_get(manifest, "manifests"))
		return error_set(e, ERROR_INPUT, "manifest: it has \"manifests\", as an index has");
	if (type && !json_is_string(type))
		return error_set(e, ERROR_INPUT, "manifest: mediaType is not a string");
	if (type && !is_one_of(json_string_value(type), manifest_types, COUNT(manifest_types)))
		return error_set(e, ERROR_UNSUPPORTED, "manifest: unsupported media type %.100s",
		                 json_string_value(type));
	return 0;
}

/* Fills LAYERS but for diff_ids; ID and SIZE are those of the config that it names. */
static int parse_manifest(struct image *image, const json_t *manifest, struct digest *id,
                          int64_t *size, struct error *e)
{
	const json_t *layers = json_object_get(manifest, "layers");
	const char *type;
	size_t count = json_array_size(layers);

	if (check_manifest_kind(manifest, e) < 0)
		return -1;
	if (parse_descriptor(json_object_get(manifest, "config"), &type, id, size, e) < 0)
		return error_context(e, "manifest: config");
	if (!is_one_of(type, config_types, COUNT(config_types)))
		return error_set(e, ERROR_UNSUPPORTED, "manifest: config: unsupported media type %.100s",
		                 type);
	if (layers && !json_is_array(layers) && !json_is_null(layers))
		return error_set(e, ERROR_INPUT, "manifest: layers is not an array");
	image->layers = calloc(count + 1, sizeof *image->layers);
	if (!image->layers)
		return error_memory(e);
	image->layer_count = count;
	for (size_t i = 0; i < count; i++)
		if (parse_layer(json_array_get(layers, i), &image->layers[i], e) < 0)
			return error_context(e, "manifest: layers[%zu]", i);
	return 0;
}

int image_parse(struct image *image, const char *manifest, size_t manifest_size,
                const char *config, size_t config_size, struct error *e)
{
	json_t *document = json_parse(manifest, manifest_size, "manifest", e);
	struct digest id;
	int64_t size;
	int result = -1;

	image_init(image);
	if (!document)
		return -1;
	digest_of(manifest, manifest_size, &image->manifest);
	digest_of(config, config_size, &image->id);
	if (parse_manifest(image, document, &id, &size, e) < 0)
		goto out;
	if (!digest_equal(&id, &image->id) || (uint64_t)size != config_size) {
		error_set(e, ERROR_CORRUPT, "image config: it is not the one that the manifest names");
		goto out;
	}
	image->config = json_parse(config, config_size, "image config", e);
	if (image->config)
		result = parse_config(image, e);
out:
	json_decref(document);
	if (result < 0)
		image_release(image);
	return result;
}

/* --- writing ---------------------------------------------------------------------------------- */

const char *image_layer_type(enum compression compression, bool docker)
{
	for (size_t i = 0; i < COUNT(layer_types); i++)
		if (layer_types[i].compression == compression &&
		    docker == !strncmp(layer_types[i].name, "application/vnd.docker.", 23))
			return layer_types[i].name;
	return NULL;
}

static int set_rootfs(struct image *image, struct error *e)
{
	json_t *diff_ids = json_array();
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < image->layer_count; i++)
		json_array_append_new(diff_ids,
		                      json_string(digest_format(&image->layers[i].diff_id, text)));
	if (json_array_size(diff_ids) != image->layer_count ||
	    json_object_set_new(image->config, "rootfs",
	                        json_pack("{s:s, s:o}", "type", "layers", "diff_ids", diff_ids)) < 0)
		return error_memory(e);
	return 0;
}

static json_t *descriptor(const char *type, const struct digest *d, int64_t size)
{
	char text[DIGEST_TEXT];

	return json_pack("{s:s, s:s, s:I}", "mediaType", type, "digest", digest_format(d, text),
	                 "size", (json_int_t)size);
}

char *image_manifest(const struct image *image, size_t config_size, bool docker,
                     const json_t *annotations, size_t *size, struct error *e)
{
	json_t *layers = json_array(), *manifest;
	char *text;

	for (size_t i = 0; i < image->layer_count; i++) {
		const struct layer *layer = &image->layers[i];

		json_array_append_new(layers,
		                      descriptor(image_layer_type(layer->compression, docker),
		                                 &layer->blob, layer->blob_size));
	}
	manifest = json_pack("{s:i, s:s, s:o, s:o}", "schemaVersion", 2, "mediaType",
	                     manifest_types[docker], "config",
	                     descriptor(config_types[docker], &image->id, (int64_t)config_size),
	                     "layers", layers);
	if (json_object_size(annotations) > 0)
		json_object_set(manifest, "annotations", (json_t *)annotations);
	text = manifest ? json_text(manifest, size) : NULL;
	if (!text || json_array_size(json_object_get(manifest, "layers")) != image->layer_count) {
		free(text);
		text = NULL;
		error_memory(e);
	}
	json_decref(manifest);
	return text;
}

int image_put(struct store *s, struct image *image, struct error *e)
{
	auto_free char *config = NULL;
	auto_free char *manifest = NULL;
	size_t size;

	if (set_rootfs(image, e) < 0 || complete_history(image, e) < 0)
		return -1;
	config = json_text_sorted(image->config, &size);
	if (!config)
		return error_memory(e);
	if (size > CONFIG_SIZE_MAX)
		return error_set(e, ERROR_INPUT, "the config of the image has %zu bytes, and more than %d "
		                 "are read by nobody: its labels, environment or history are too long",
		                 size, CONFIG_SIZE_MAX);
	if (blob_put(s, config, size, &image->id, e) < 0)
		return -1;
	manifest = image_manifest(image, size, false, NULL, &size, e);
	return manifest ? blob_put(s, manifest, size, &image->manifest, e) : -1;
}

/* The digest of the config that a manifest names, before anything else of it is believed. */
static int config_of(const char *manifest, size_t size, struct digest *d, struct error *e)
{
	json_t *document = json_parse(manifest, size, "manifest", e);
	const char *type;
	int64_t config_size;
	int result;

	if (!document)
		return -1;
	result = parse_descriptor(json_object_get(document, "config"), &type, d, &config_size, e);
	json_decref(document);
	return result < 0 ? error_context(e, "manifest: config") : 0;
}

int image_get(struct store *s, const struct digest *manifest, struct image *image,
              struct error *e)
{
	auto_free char *text = NULL;
	auto_free char *config = NULL;
	size_t size, config_size;
	struct digest id;

	image_init(image);
	text = blob_read(s, manifest, MANIFEST_SIZE_MAX, &size, e);
	if (!text || config_of(text, size, &id, e) < 0)
		return -1;
	config = blob_read(s, &id, CONFIG_SIZE_MAX, &config_size, e);
	return config ? image_parse(image, text, size, config, config_size, e) : -1;
}
