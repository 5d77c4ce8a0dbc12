#include "builder/image/outgoing.h"

#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"
#include "layers/scope.h"

#define OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"
#define OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"

/* The store wrote them itself, or checked them when they came. */
#define DOCUMENT_SIZE_MAX (8 << 20)

static const char *text_of(const json_t *config, const char *key)
{
	const char *text = json_string_value(json_object_get(config, key));

	return text ? text : "";
}

char *image_platform(const struct image *image)
{
	const char *variant = text_of(image->config, "variant");
	char *platform;

	if (asprintf(&platform, "%s/%s%s%s", text_of(image->config, "os"),
	             text_of(image->config, "architecture"), *variant ? "/" : "", variant) < 0)
		return NULL;
	return platform;
}

/* Those of SPEC's annotations that are for LEVEL of IMAGE, as an object. */
static json_t *annotations_of(const struct output_spec *spec, enum annotation_level level,
                              const struct image *image)
{
	auto_free char *platform = image ? image_platform(image) : NULL;
	json_t *all = json_object();

	for (size_t i = 0; spec && i < spec->annotation_count; i++) {
		const struct annotation *a = &spec->annotation[i];

		if (a->level == level &&
		    (!a->platform || (platform && strcmp(a->platform, platform) == 0)))
			json_object_set_new(all, a->key, json_string(a->value));
	}
	return all;
}

static json_t *describe(const struct outgoing *out, const struct output_spec *spec)
{
	static const char *const keys[] = { "architecture", "os", "variant", "os.version" };
	json_t *platform = json_object(), *annotations, *descriptor;
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (*text_of(out->image->config, keys[i]))
			json_object_set(platform, keys[i], json_object_get(out->image->config, keys[i]));
	descriptor = json_pack("{s:s, s:s, s:I, s:o}", "mediaType", out->media_type, "digest",
	                       digest_format(&out->digest, text), "size",
	                       (json_int_t)out->manifest_size, "platform", platform);
	annotations = annotations_of(spec, ANNOTATE_MANIFEST_DESCRIPTOR, out->image);
	if (json_object_size(annotations) > 0)
		json_object_set(descriptor, "annotations", annotations);
	json_decref(annotations);
	return descriptor;
}

static bool same_layers(const struct image *image, const struct layer *layer)
{
	for (size_t i = 0; i < image->layer_count; i++)
		if (!digest_equal(&image->layers[i].blob, &layer[i].blob))
			return false;
	return true;
}

/* The manifest as it came, if it says what SPEC wants to be said. */
static int keep_manifest(struct store *s, const struct output_spec *spec, struct outgoing *out)
{
	struct error ignored;
	json_t *document;
	bool docker;

	out->manifest = blob_read(s, &out->image->manifest, DOCUMENT_SIZE_MAX, &out->manifest_size,
	                          &ignored);
	document = out->manifest ? json_parse(out->manifest, out->manifest_size, "", &ignored) : NULL;
	docker = strcmp(text_of(document, "mediaType"), DOCKER_MANIFEST) == 0;
	out->media_type = docker ? DOCKER_MANIFEST : OCI_MANIFEST;
	json_decref(document);
	if (document && (!spec || spec->oci_types == !docker))
		return 0;
	free(out->manifest);
	out->manifest = NULL;
	return -1;
}

static int write_manifest(const struct output_spec *spec, struct outgoing *out, struct error *e)
{
	json_t *annotations = annotations_of(spec, ANNOTATE_MANIFEST, out->image);
	struct image packed = *out->image;
	bool docker = spec && !spec->oci_types;

	packed.layers = out->layer;
	out->media_type = docker ? DOCKER_MANIFEST : OCI_MANIFEST;
	out->manifest = image_manifest(&packed, out->config_size, docker, annotations,
	                               &out->manifest_size, e);
	json_decref(annotations);
	return out->manifest ? 0 : -1;
}

static bool annotates_manifest(const struct output_spec *spec, const struct image *image)
{
	json_t *annotations = annotations_of(spec, ANNOTATE_MANIFEST, image);
	bool has = json_object_size(annotations) > 0;

	json_decref(annotations);
	return has;
}

static int pack_layers(struct store *s, const struct output_spec *spec, unsigned threads,
                       const struct packing_watch *watch, struct outgoing *out, struct error *e)
{
	const struct image *image = out->image;
	struct packing how = { .kind = COMPRESSION_NONE, .level = -1, .threads = threads,
	                       .watch = watch };

	out->layer = calloc(image->layer_count + 1, sizeof *out->layer);
	if (!out->layer)
		return error_memory(e);
	if (spec) {
		how.kind = spec->compression;
		how.level = spec->level;
		how.force = spec->force_compression;
	}
	return packed_layers(s, image->layers, image->layer_count, &how, out->layer, e);
}

int outgoing_prepare(struct store *s, const struct image *image, const struct output_spec *spec,
                     unsigned threads, const struct packing_watch *watch, struct outgoing *out,
                     struct error *e)
{
	*out = (struct outgoing){ .image = image };
	if (spec && !spec->oci_types && spec->compression == COMPRESSION_ZSTD)
		return error_set(e, ERROR_INPUT, "compression=zstd needs oci-mediatypes=true");
	if (pack_layers(s, spec, threads, watch, out, e) < 0)
		goto failed;
	out->config = blob_read(s, &image->id, DOCUMENT_SIZE_MAX, &out->config_size, e);
	if (!out->config)
		goto failed;
	if ((annotates_manifest(spec, image) || !same_layers(image, out->layer) ||
	     keep_manifest(s, spec, out) < 0) && write_manifest(spec, out, e) < 0)
		goto failed;
	digest_of(out->manifest, out->manifest_size, &out->digest);
	out->descriptor = describe(out, spec);
	if (out->descriptor)
		return 0;
	error_memory(e);
failed:
	outgoing_release(out);
	return -1;
}

void outgoing_release(struct outgoing *out)
{
	free(out->layer);
	free(out->config);
	free(out->manifest);
	json_decref(out->descriptor);
	*out = (struct outgoing){ 0 };
}

char *outgoing_index(const struct outgoing *out, size_t count, const struct output_spec *spec,
                     size_t *size, struct error *e)
{
	json_t *manifests = json_array(), *annotations, *index;
	char *text;

	for (size_t i = 0; i < count; i++)
		json_array_append(manifests, out[i].descriptor);
	annotations = annotations_of(spec, ANNOTATE_INDEX, NULL);
	index = json_pack("{s:i, s:s, s:o}", "schemaVersion", 2, "mediaType",
	                  !spec || spec->oci_types ? OCI_INDEX : DOCKER_INDEX, "manifests", manifests);
	if (json_object_size(annotations) > 0)
		json_object_set(index, "annotations", annotations);
	json_decref(annotations);
	text = index ? json_text(index, size) : NULL;
	json_decref(index);
	if (!text)
		error_memory(e);
	return text;
}
