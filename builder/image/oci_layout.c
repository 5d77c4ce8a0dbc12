#include "builder/image/oci_layout.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "builder/image/load_parts.h"
#include "layers/blob.h"
#include "layers/scope.h"

#define INDEX_TYPE "application/vnd.oci.image.index.v1+json"
#define LIST_TYPE "application/vnd.docker.distribution.manifest.list.v2+json"

/* As much as a registry takes. */
#define DOCUMENT_SIZE_MAX (4 << 20)
#define CONFIG_SIZE_MAX (8 << 20)

/* An index of indexes is legal; more than this is a maze (H134). */
#define DEPTH_MAX 4

/* --- entries of an index ---------------------------------------------------------------------- */

const char *layout_annotation(const json_t *entry, const char *name)
{
	return json_string_value(json_object_get(json_object_get(entry, "annotations"), name));
}

bool layout_is_image(const json_t *entry)
{
	const char *os = json_string_value(json_object_get(json_object_get(entry, "platform"), "os"));

	return !layout_annotation(entry, "vnd.docker.reference.type") &&
	       !(os && strcmp(os, "unknown") == 0);
}

int layout_distance(const json_t *entry, const struct platform *want)
{
	const json_t *said = json_object_get(entry, "platform");
	struct platform have;

	if (!json_is_object(said))
		return 0;
	platform_set(&have, json_string_value(json_object_get(said, "os")),
	             json_string_value(json_object_get(said, "architecture")),
	             json_string_value(json_object_get(said, "variant")),
	             json_string_value(json_object_get(said, "os.version")));
	return platform_distance(want, &have);
}

/* "manifests" of the index TEXT. */
static json_t *entries_of(const char *text, size_t size, const char *what, struct error *e)
{
	json_t *index = json_parse(text, size, what, e), *entries;

	if (!index)
		return NULL;
	entries = json_incref(json_object_get(index, "manifests"));
	if (!json_is_array(entries) || json_object_get(index, "layers") ||
	    json_object_get(index, "config")) {
		error_set(e, ERROR_INPUT, "%s is no index of images", what);
		json_decref(entries);
		entries = NULL;
	}
	json_decref(index);
	return entries;
}

json_t *layout_entries(struct bundle *b, struct error *e)
{
	auto_free char *layout = bundle_text(b, "oci-layout", DOCUMENT_SIZE_MAX, NULL, e);
	auto_free char *text = NULL;
	size_t size;

	if (!layout)
		return NULL;
	text = bundle_text(b, "index.json", DOCUMENT_SIZE_MAX, &size, e);
	return text ? entries_of(text, size, "index.json", e) : NULL;
}

/* --- blobs ------------------------------------------------------------------------------------ */

/* The blob is in the store afterwards, with this digest and size. */
static int bring_blob(struct store *s, struct bundle *b, const struct digest *d, int64_t size,
                      struct error *e)
{
	char name[sizeof "blobs/sha256/" + DIGEST_HEX] = "blobs/sha256/";
	struct digest is;
	int64_t bytes;

	if (blob_has(s, d, size))
		return 0;
	digest_hex(d, name + strlen(name));
	if (bundle_blob(b, name, &is, &bytes, e) < 0)
		return -1;
	if (bytes != size || !digest_equal(d, &is))
		return error_set(e, ERROR_CORRUPT, "%s/%s is not what its digest says", bundle_name(b), name);
	return 0;
}

static int parse_descriptor(const json_t *entry, const char **type, struct digest *d,
                            int64_t *size, struct error *e)
{
	const char *digest;
	json_error_t wrong;
	json_int_t bytes;

	if (json_unpack_ex((json_t *)entry, &wrong, 0, "{s:s, s:s, s:I}", "mediaType", type, "digest",
	                   &digest, "size", &bytes) < 0)
		return error_set(e, ERROR_INPUT, "a descriptor: %s", wrong.text);
	*size = bytes;
	return digest_parse(digest, d, e);
}

static char *bring_document(struct store *s, struct bundle *b, const json_t *entry,
                            const char **type, struct digest *d, size_t limit, size_t *size,
                            struct error *e)
{
	int64_t bytes;

	if (parse_descriptor(entry, type, d, &bytes, e) < 0)
		return NULL;
	if (bytes < 0 || (uint64_t)bytes > limit) {
		error_set(e, ERROR_INPUT, "a document of %lld bytes", (long long)bytes);
		return NULL;
	}
	return bring_blob(s, b, d, bytes, e) < 0 ? NULL : blob_read(s, d, limit, size, e);
}

int load_index_layers(struct store *s, const struct image *image, struct error *e)
{
	for (size_t i = 0; i < image->layer_count; i++)
		if (!layer_is_whole(s, &image->layers[i]) && layer_index(s, &image->layers[i], e) < 0)
			return error_context(e, "layer %zu", i + 1);
	return 0;
}

static int bring_image(struct store *s, struct bundle *b, const char *manifest, size_t size,
                       struct image *image, struct error *e)
{
	json_t *document = json_parse(manifest, size, "manifest", e);
	auto_free char *config = NULL;
	const char *type;
	struct digest id;
	size_t config_size;

	if (!document)
		return -1;
	if (json_object_get(document, "config"))
		config = bring_document(s, b, json_object_get(document, "config"), &type, &id,
		                        CONFIG_SIZE_MAX, &config_size, e);
	else
		error_set(e, ERROR_INPUT, "manifest: it has no config");
	json_decref(document);
	if (!config || image_parse(image, manifest, size, config, config_size, e) < 0)
		return -1;
	for (size_t i = 0; i < image->layer_count; i++)
		if (bring_blob(s, b, &image->layers[i].blob, image->layers[i].blob_size, e) < 0)
			goto failed;
	if (load_index_layers(s, image, e) == 0)
		return 0;
failed:
	image_release(image);
	return -1;
}

/* The entry that serves WANT best, the first of equals, or NULL and E. */
static const json_t *choose(const json_t *entries, const struct platform *want, struct error *e)
{
	const json_t *best = NULL;
	int least = INT_MAX;
	char text[PLATFORM_TEXT];
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		int distance = layout_is_image(entry) ? layout_distance(entry, want) : -1;

		if (distance >= 0 && distance < least) {
			least = distance;
			best = entry;
		}
	}
	if (!best)
		error_set(e, ERROR_NOT_FOUND, "no image for platform %s in it",
		          platform_format(want, text));
	return best;
}

int layout_image(struct store *s, struct bundle *b, const json_t *entry,
                 const struct platform *want, struct image *image, struct error *e)
{
	json_t *entries = NULL;
	int result = -1;

	for (int depth = 0; entry && depth < DEPTH_MAX; depth++) {
		auto_free char *text = NULL;
		const char *type;
		struct digest d;
		size_t size;

		text = bring_document(s, b, entry, &type, &d, DOCUMENT_SIZE_MAX, &size, e);
		if (!text)
			break;
		if (strcmp(type, INDEX_TYPE) != 0 && strcmp(type, LIST_TYPE) != 0) {
			result = bring_image(s, b, text, size, image, e);
			break;
		}
		json_t *inner = entries_of(text, size, "an index", e);

		json_decref(entries);
		entries = inner;
		entry = inner ? choose(inner, want, e) : NULL;
		if (entry && depth + 1 == DEPTH_MAX)
			error_set(e, ERROR_INPUT, "indexes inside indexes, %d deep", DEPTH_MAX);
	}
	json_decref(entries);
	return result < 0 ? error_context(e, "%s", bundle_name(b)) : 0;
}

/* --- a layout as a base ----------------------------------------------------------------------- */

/* DIR, DIR:TAG, DIR@DIGEST taken apart; TAG is a digest when it begins with "sha256:". */
static char *split_place(const char *place, const char **tag)
{
	const char *slash = strrchr(place, '/'), *at = strrchr(place, '@');
	const char *colon = strrchr(slash ? slash : place, ':');

	if (!at || (slash && at < slash))
		at = NULL;
	*tag = at ? at + 1 : colon ? colon + 1 : NULL;
	return *tag ? strndup(place, (size_t)(*tag - 1 - place)) : strdup(place);
}

static bool is_named(const json_t *entry, const char *tag)
{
	const char *digest = json_string_value(json_object_get(entry, "digest"));
	const char *ref = layout_annotation(entry, REF_NAME);
	const char *name = layout_annotation(entry, IMAGE_NAME);
	const char *colon = name ? strrchr(name, ':') : NULL;

	return (digest && strcmp(digest, tag) == 0) || (ref && strcmp(ref, tag) == 0) ||
	       (name && strcmp(name, tag) == 0) || (colon && strcmp(colon + 1, tag) == 0);
}

/* The one entry that TAG (NULL: none) means for WANT. */
static const json_t *find_entry(const json_t *entries, const char *tag, const struct platform *want,
                                struct error *e)
{
	const json_t *best = NULL;
	int least = INT_MAX;
	bool ambiguous = false;
	json_t *entry;
	size_t i;

	json_array_foreach(entries, i, entry) {
		int distance = layout_is_image(entry) && (!tag || is_named(entry, tag))
		                       ? layout_distance(entry, want) : -1;

		if (distance < 0 || distance > least)
			continue;
		ambiguous = distance == least && best &&
		            !json_equal(json_object_get(entry, "digest"), json_object_get(best, "digest"));
		least = distance;
		best = entry;
	}
	if (ambiguous && !tag)
		return find_entry(entries, "latest", want, e);
	if (ambiguous)
		error_set(e, ERROR_INPUT, "more than one image is named \"%s\"", tag);
	else if (!best && tag)
		error_set(e, ERROR_NOT_FOUND, "no image named \"%s\" for this platform", tag);
	else if (!best)
		error_set(e, ERROR_NOT_FOUND, "no image for this platform");
	return ambiguous ? NULL : best;
}

int oci_layout_import(struct store *s, const char *place, const struct platform *want,
                      struct image *image, struct error *e)
{
	const char *tag;
	auto_free char *folder = split_place(place, &tag);
	const json_t *entry = NULL;
	json_t *entries;
	struct bundle *b;
	int result = -1;

	if (!folder)
		return error_memory(e);
	b = bundle_open(s, folder, e);
	if (!b)
		return -1;
	entries = layout_entries(b, e);
	if (entries)
		entry = find_entry(entries, tag, want, e);
	if (entry)
		result = layout_image(s, b, entry, want, image, e);
	else if (entries)
		error_context(e, "%s", folder);
	json_decref(entries);
	bundle_close(b);
	return result;
}
