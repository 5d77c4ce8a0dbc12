#include "registry/index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "registry/registry.h"

/* So many fit in a message; nobody reads more. */
#define LISTED_MAX 20
/* Farther away than every platform that can be run. */
#define OF_UNKNOWN_PLATFORM (INT32_MAX - 1)
#define OF_UNKNOWN_TYPE INT32_MAX

enum kind { MANIFEST, INDEX, OBSOLETE, UNKNOWN };

static enum kind kind_of(const char *media_type)
{
	static const struct {
		const char *media_type;
		enum kind kind;
	} known[] = {
		{ MEDIA_OCI_INDEX, INDEX },
		{ MEDIA_DOCKER_INDEX, INDEX },
		{ MEDIA_OCI_MANIFEST, MANIFEST },
		{ MEDIA_DOCKER_MANIFEST, MANIFEST },
		{ "application/vnd.docker.distribution.manifest.v1+json", OBSOLETE },
		{ "application/vnd.docker.distribution.manifest.v1+prettyjws", OBSOLETE },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(known[i].media_type, media_type) == 0)
			return known[i].kind;
	return UNKNOWN;
}

int index_or_manifest(const json_t *document, const char *media_type, struct error *e)
{
	const json_t *type = json_object_get(document, "mediaType");
	bool index = json_object_get(document, "manifests");
	bool manifest = json_object_get(document, "layers");
	const char *said[] = { media_type, type ? json_string_value(type) : "" };

	if (!json_is_object(document))
		return error_set(e, ERROR_INPUT, "the manifest is no JSON object");
	if (type && !said[1])
		return error_set(e, ERROR_INPUT, "mediaType is not a string");
	if (index && (manifest || json_object_get(document, "config")))
		return error_set(e, ERROR_INPUT, "the document is both an index and a manifest");
	if (json_object_get(document, "fsLayers") || kind_of(said[0]) == OBSOLETE ||
	    kind_of(said[1]) == OBSOLETE)
		return error_set(e, ERROR_UNSUPPORTED, "the manifest is of schema 1, which nobody makes any "
		                                       "more: push the image again");
	if (!index && !manifest)
		return error_set(e, ERROR_INPUT, "the document is neither an index nor a manifest");
	for (size_t i = 0; i < 2; i++)
		if (kind_of(said[i]) != UNKNOWN && kind_of(said[i]) != (index ? INDEX : MANIFEST))
			return error_set(e, ERROR_INPUT, "the document is called %s, but is %s", said[i],
			                 index ? "an index" : "a manifest");
	if (said[1][0] && kind_of(said[0]) != UNKNOWN && strcmp(said[0], said[1]) != 0)
		return error_set(e, ERROR_INPUT, "the document came as %s, but calls itself %.100s", said[0],
		                 said[1]);
	return index;
}

static const char *text_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static int read_entry(const json_t *json, size_t i, struct index_entry *entry, struct error *e)
{
	const json_t *size = json_object_get(json, "size");
	const char *digest = text_of(json, "digest");

	if (!json_is_integer(size) || json_integer_value(size) < 0)
		return error_set(e, ERROR_INPUT, "index: manifests[%zu]: size is no size", i);
	if (digest_parse(digest ? digest : "", &entry->digest, e) < 0)
		return error_context(e, "index: manifests[%zu]", i);
	entry->size = json_integer_value(size);
	return 0;
}

/* Image-spec, image-index.md: a media type that is not known is no error. Such an entry is the last
 * choice, and says itself what it is when there is no other. */
static int distance_of(const json_t *entry, const struct platform *want)
{
	const json_t *platform = json_object_get(entry, "platform");
	const char *type = text_of(entry, "mediaType");
	struct platform has;
	int distance = OF_UNKNOWN_PLATFORM;

	if (json_is_object(platform)) {
		platform_set(&has, text_of(platform, "os"), text_of(platform, "architecture"),
		             text_of(platform, "variant"), NULL);
		distance = platform_distance(want, &has);
	}
	return distance >= 0 && type && kind_of(type) == UNKNOWN ? OF_UNKNOWN_TYPE : distance;
}

/* Not an image: it says something about one. */
static bool is_attestation(const json_t *entry)
{
	return json_object_get(json_object_get(entry, "annotations"), "vnd.docker.reference.type");
}

static int nothing_for(const struct platform *want, const json_t *list, struct error *e)
{
	char wanted[PLATFORM_TEXT], one[PLATFORM_TEXT];
	auto_free char *text = NULL;
	size_t size, i, count = 0;
	json_t *entry;
	FILE *out = memory_stream_open(&text, &size);

	if (!out)
		return error_memory(e);
	json_array_foreach(list, i, entry) {
		const json_t *platform = json_object_get(entry, "platform");
		struct platform has;

		platform_set(&has, text_of(platform, "os"), text_of(platform, "architecture"),
		             text_of(platform, "variant"), NULL);
		if (!platform || is_attestation(entry) || strcmp(has.os, "unknown") == 0 ||
		    count++ >= LISTED_MAX)
			continue;
		fprintf(out, "%s%s", count > 1 ? ", " : "", platform_format(&has, one));
	}
	if (fclose(out) != 0)
		return error_memory(e);
	for (char *c = text; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	return error_set(e, ERROR_NOT_FOUND, "no match for platform %s; it has %s",
	                 platform_format(want, wanted), count ? text : "none");
}

int index_choose(const json_t *index, const struct platform *want, struct index_entry *entry,
                 struct error *e)
{
	const json_t *list = json_object_get(index, "manifests"), *best = NULL;
	int best_distance = -1;
	size_t i, best_at = 0;
	json_t *one;

	if (!json_is_array(list))
		return error_set(e, ERROR_INPUT, "index: manifests is not an array");
	json_array_foreach(list, i, one) {
		int distance;

		if (!json_is_object(one))
			return error_set(e, ERROR_INPUT, "index: manifests[%zu] is not an object", i);
		if (is_attestation(one))
			continue;
		distance = distance_of(one, want);
		if (distance >= 0 && (!best || distance < best_distance)) {
			best = one;
			best_at = i;
			best_distance = distance;
		}
	}
	if (!best)
		return nothing_for(want, list, e);
	entry->has_platform = json_is_object(json_object_get(best, "platform"));
	return read_entry(best, best_at, entry, e);
}
