#include "builder/image/output_spec.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"

static const struct kind {
	const char *name;
	enum output_kind kind;
} kinds[] = {
	{ "image", OUTPUT_IMAGE },   { "registry", OUTPUT_REGISTRY },   { "oci", OUTPUT_OCI },
	{ "docker", OUTPUT_DOCKER }, { "local", OUTPUT_LOCAL },         { "tar", OUTPUT_TAR },
	{ "cacheonly", OUTPUT_CACHEONLY },
};

void output_spec_init(struct output_spec *spec, enum output_kind kind)
{
	*spec = (struct output_spec){
		.kind = kind,
		.archive = true,
		.store = true,
		.push = kind == OUTPUT_REGISTRY,
		.compression = COMPRESSION_GZIP,
		.level = -1,
		.oci_types = true,
		.epoch = -1,
	};
}

void output_spec_release(struct output_spec *spec)
{
	for (size_t i = 0; i < spec->name_count; i++)
		free(spec->name[i]);
	for (size_t i = 0; i < spec->annotation_count; i++) {
		free(spec->annotation[i].platform);
		free(spec->annotation[i].key);
		free(spec->annotation[i].value);
	}
	free(spec->name);
	free(spec->annotation);
	free(spec->dest);
	output_spec_init(spec, spec->kind);
}

/* --- the values of fields --------------------------------------------------------------------- */

static int set_truth(bool *truth, const char *key, const char *value, struct error *e)
{
	if (!value || strcmp(value, "true") == 0 || strcmp(value, "1") == 0)
		*truth = true;
	else if (strcmp(value, "false") == 0 || strcmp(value, "0") == 0)
		*truth = false;
	else
		return error_set(e, ERROR_INPUT, "%s=%s: it is true or false", key, value);
	return 0;
}

static int set_number(int64_t *number, const char *key, const char *value, struct error *e)
{
	char *end;

	errno = 0;
	*number = strtoll(value, &end, 10);
	if (errno || end == value || *end)
		return error_set(e, ERROR_INPUT, "%s=%s: not a number", key, value);
	return 0;
}

static int set_dest(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	(void)key;
	free(spec->dest);
	spec->dest = strdup(value);
	return spec->dest ? 0 : error_memory(e);
}

/* "a,b": each is a name of the image. */
static int add_names(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	(void)key;
	while (*value) {
		size_t length = strcspn(value, ",");
		char **grown = reallocarray(spec->name, spec->name_count + 1, sizeof *grown);

		if (!grown)
			return error_memory(e);
		spec->name = grown;
		if (length == 1 && *value == '*')
			spec->names_from_build = true;
		else if (length > 0 && !(spec->name[spec->name_count++] = strndup(value, length)))
			return error_memory(e);
		value += length + (value[length] == ',');
	}
	return 0;
}

static int set_compression(struct output_spec *spec, const char *key, const char *value,
                           struct error *e)
{
	if (strcmp(value, "gzip") == 0)
		spec->compression = COMPRESSION_GZIP;
	else if (strcmp(value, "zstd") == 0)
		spec->compression = COMPRESSION_ZSTD;
	else if (strcmp(value, "uncompressed") == 0)
		spec->compression = COMPRESSION_NONE;
	else if (strcmp(value, "estargz") == 0)
		return error_set(e, ERROR_UNSUPPORTED, "%s=estargz is not supported: use gzip or zstd", key);
	else
		return error_set(e, ERROR_INPUT, "%s=%s: it is gzip, zstd or uncompressed", key, value);
	return 0;
}

static int set_level(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	int64_t level;

	if (set_number(&level, key, value, e) < 0)
		return -1;
	if (level < 0 || level > 22)
		return error_set(e, ERROR_INPUT, "%s=%s: it is 0 to 9 for gzip, 0 to 22 for zstd", key, value);
	spec->level = (int)level;
	return 0;
}

static int set_epoch(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	if (!*value)
		return 0;
	if (set_number(&spec->epoch, key, value, e) < 0)
		return -1;
	return spec->epoch < 0 ? error_set(e, ERROR_INPUT, "%s=%s is negative", key, value) : 0;
}

static int set_mode(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	spec->mirror = strcmp(value, "delete") == 0;
	if (!spec->mirror && strcmp(value, "copy") != 0)
		return error_set(e, ERROR_INPUT, "%s=%s: it is copy or delete", key, value);
	return 0;
}

/* Understood, with nothing to do here: attestations are not made, nothing is unpacked. */
static int ignore(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	(void)spec, (void)key, (void)value, (void)e;
	return 0;
}

/* A key sets a truth at OFFSET, or is handed to SET. */
static const struct key {
	const char *name;
	int (*set)(struct output_spec *spec, const char *key, const char *value, struct error *e);
	size_t offset;
} keys[] = {
	{ "dest", set_dest },
	{ "name", add_names },
	{ "compression", set_compression },
	{ "compression-level", set_level },
	{ "source-date-epoch", set_epoch },
	{ "mode", set_mode },
	{ "tar", NULL, offsetof(struct output_spec, archive) },
	{ "push", NULL, offsetof(struct output_spec, push) },
	{ "push-by-digest", NULL, offsetof(struct output_spec, push_by_digest) },
	{ "store", NULL, offsetof(struct output_spec, store) },
	{ "force-compression", NULL, offsetof(struct output_spec, force_compression) },
	{ "oci-mediatypes", NULL, offsetof(struct output_spec, oci_types) },
	{ "rewrite-timestamp", NULL, offsetof(struct output_spec, rewrite_timestamp) },
	{ "platform-split", NULL, offsetof(struct output_spec, split) },
	{ "attestation-prefix", ignore },
	{ "attestation-inline", ignore },
	{ "prefer-nondist-layers", ignore },
	{ "oci-artifact", ignore },
	{ "unpack", ignore },
	{ "context", ignore },
	{ "registry.insecure", ignore },
	{ "dangling-name-prefix", ignore },
	{ "danging-name-empty-only", ignore },
	{ "name-canonical", ignore },
};

/* --- annotations ------------------------------------------------------------------------------ */

static const char *const levels[] = {
	[ANNOTATE_MANIFEST] = "manifest",
	[ANNOTATE_MANIFEST_DESCRIPTOR] = "manifest-descriptor",
	[ANNOTATE_INDEX] = "index",
	[ANNOTATE_INDEX_DESCRIPTOR] = "index-descriptor",
};

/* Add one; LEVEL is "manifest" or "index[linux/amd64]", of LENGTH bytes. */
static int annotate(struct output_spec *spec, const char *level, size_t length, const char *key,
                    size_t key_length, const char *value, struct error *e)
{
	size_t name_length = strcspn(level, "[");
	struct annotation *grown, *a;

	if (name_length > length)
		name_length = length;
	grown = reallocarray(spec->annotation, spec->annotation_count + 1, sizeof *grown);
	if (!grown)
		return error_memory(e);
	spec->annotation = grown;
	a = &grown[spec->annotation_count];
	*a = (struct annotation){ 0 };
	for (a->level = ANNOTATE_MANIFEST;; a->level++) {
		if (a->level > ANNOTATE_INDEX_DESCRIPTOR)
			return error_set(e, ERROR_INPUT, "unknown annotation type \"%.*s\"", (int)length, level);
		if (strlen(levels[a->level]) == name_length &&
		    strncmp(levels[a->level], level, name_length) == 0)
			break;
	}
	if (name_length < length && (level[length - 1] != ']' || length - name_length < 3))
		return error_set(e, ERROR_INPUT, "invalid annotation type \"%.*s\"", (int)length, level);
	if (key_length == 0)
		return error_set(e, ERROR_INPUT, "an annotation needs a key");
	spec->annotation_count++;
	if (name_length < length)
		a->platform = strndup(level + name_length + 1, length - name_length - 2);
	a->key = strndup(key, key_length);
	a->value = strdup(value);
	return a->key && a->value && (a->platform || name_length == length) ? 0 : error_memory(e);
}

int output_spec_annotate(struct output_spec *spec, const char *text, struct error *e)
{
	size_t before_value = strcspn(text, "="), before_key = strcspn(text, ":");
	const char *key = text, *value = text + before_value + 1;

	if (!text[before_value])
		return error_set(e, ERROR_INPUT, "invalid annotation \"%s\": expected key=value", text);
	if (before_key > before_value)
		return annotate(spec, levels[ANNOTATE_MANIFEST], strlen(levels[ANNOTATE_MANIFEST]), key,
		                before_value, value, e);
	key = text + before_key + 1;
	for (const char *level = text; level < key;) {
		size_t length = strcspn(level, ",:");

		if (annotate(spec, level, length, key, (size_t)(value - 1 - key), value, e) < 0)
			return -1;
		level += length + 1;
	}
	return 0;
}

/* "annotation.KEY", "annotation-manifest[linux/amd64].KEY": 1 when KEY_TEXT is one. */
static int annotation_field(struct output_spec *spec, const char *key_text, const char *value,
                            struct error *e)
{
	const char *rest = key_text + strlen("annotation"), *end;

	if (strncmp(key_text, "annotation", strlen("annotation")) != 0)
		return 0;
	if (*rest == '.')
		return annotate(spec, levels[ANNOTATE_MANIFEST], strlen(levels[ANNOTATE_MANIFEST]), rest + 1,
		                strlen(rest + 1), value, e) < 0 ? -1 : 1;
	end = strchr(rest, '[');
	end = strchr(end && strchr(end, ']') ? strchr(end, ']') : rest, '.');
	if (*rest != '-' || !end)
		return 0;
	return annotate(spec, rest + 1, (size_t)(end - rest - 1), end + 1, strlen(end + 1), value,
	                e) < 0 ? -1 : 1;
}

/* --- fields ----------------------------------------------------------------------------------- */

static int set_kind(struct output_spec *spec, const char *value, struct error *e)
{
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strcmp(kinds[i].name, value) == 0) {
			output_spec_init(spec, kinds[i].kind);
			return 0;
		}
	return error_set(e, ERROR_INPUT, "exporter \"%s\" could not be found: use image, registry, oci, "
	                 "docker, local, tar or cacheonly", value);
}

static int set_field(struct output_spec *spec, const char *key, const char *value, struct error *e)
{
	int result = annotation_field(spec, key, value ? value : "", e);

	if (result != 0)
		return result < 0 ? -1 : 0;
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strcmp(keys[i].name, key) != 0)
			continue;
		if (strcmp(key, "platform-split") == 0)
			spec->split_given = true;
		if (!keys[i].set)
			return set_truth((bool *)((char *)spec + keys[i].offset), key, value, e);
		return keys[i].set(spec, key, value ? value : "", e);
	}
	return error_set(e, ERROR_INPUT, "unknown option \"%s\"", key);
}

/* The next field of a CSV line, quotes removed, into FIELD, which has room for all of it. */
static int next_field(const char **text, char *field, struct error *e)
{
	const char *p = *text;
	bool quoted = *p == '"';

	for (p += quoted; *p && (quoted || *p != ','); p++) {
		if (quoted && *p == '"' && *++p != '"') {
			quoted = false;
			break;
		}
		*field++ = *p;
	}
	*field = '\0';
	if (quoted || (*p && *p != ','))
		return error_set(e, ERROR_INPUT, "a double quote is not closed, or something follows it");
	*text = *p ? p + 1 : NULL;
	return 0;
}

/* Go over the fields of TEXT; with FOR_KIND only type= counts, else all others. */
static int read_fields(struct output_spec *spec, const char *text, bool for_kind, bool *has_kind,
                       struct error *e)
{
	auto_free char *field = malloc(strlen(text) + 1);

	if (!field)
		return error_memory(e);
	while (text) {
		char *value;
		int result = 0;

		if (next_field(&text, field, e) < 0)
			return -1;
		value = strchr(field, '=');
		if (value)
			*value++ = '\0';
		if (strcmp(field, "type") == 0) {
			*has_kind = true;
			if (for_kind)
				result = set_kind(spec, value ? value : "", e);
		} else if (!for_kind) {
			result = set_field(spec, field, value, e);
		}
		if (result < 0)
			return -1;
	}
	return 0;
}

/* What is one file goes to standard output when no place is said; docker's goes to the store. */
static int check_dest(struct output_spec *spec, struct error *e)
{
	bool folder = spec->kind == OUTPUT_LOCAL || !spec->archive;
	bool has_dest = spec->dest && *spec->dest;

	if (spec->kind == OUTPUT_IMAGE || spec->kind == OUTPUT_REGISTRY ||
	    spec->kind == OUTPUT_CACHEONLY || (spec->kind == OUTPUT_DOCKER && !has_dest))
		return 0;
	if (!has_dest && folder)
		return error_set(e, ERROR_INPUT, "dest=DIR is missing");
	if (!has_dest)
		return set_dest(spec, "dest", "-", e);
	if (folder && strcmp(spec->dest, "-") == 0)
		return error_set(e, ERROR_INPUT, "dest=-: a folder cannot go to standard output");
	return 0;
}

int output_spec_parse(const char *text, struct output_spec *spec, struct error *e)
{
	bool has_kind = false, is_path = !strchr(text, '=') && !strchr(text, ',');

	output_spec_init(spec, OUTPUT_LOCAL);
	if (is_path && *text) {
		if (strcmp(text, "-") == 0)
			spec->kind = OUTPUT_TAR;
		return set_dest(spec, "dest", text, e);
	}
	/* The type decides what the others begin with, wherever it stands. */
	if (read_fields(spec, text, true, &has_kind, e) == 0) {
		if (!has_kind)
			error_set(e, ERROR_INPUT, "type is required for output");
		else if (read_fields(spec, text, false, &has_kind, e) == 0 && check_dest(spec, e) == 0)
			return 0;
	}
	return error_context(e, "--output %s", text);
}
