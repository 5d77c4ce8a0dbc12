#include <stdlib.h>
#include <string.h>

#include "builder/command/command.h"
#include "builder/command/store_command.h"
#include "builder/command/stored.h"
#include "builder/command/template.h"
#include "layers/scope.h"
#include "layers/timestamp.h"
#include "registry/reference.h"

/* As registries will know the image: what is compressed already keeps its digest. */
static bool leaves_as_it_is(const struct image *image)
{
	for (size_t i = 0; i < image->layer_count; i++)
		if (image->layers[i].compression == COMPRESSION_NONE)
			return false;
	return true;
}

/* Each name of the image, familiar, to TAGS; its repository with the digest to DIGESTS. */
static int64_t add_names(const struct stored *all, const struct image *image, json_t *tags,
                         json_t *digests)
{
	int64_t tagged = 0;

	for (size_t i = 0; i < all->count; i++) {
		const struct image_name *name = &all->item[i];
		auto_free char *familiar = NULL;
		auto_free char *with_digest = NULL;
		struct reference r;
		struct error ignored;

		if (!*name->name || !digest_equal(&name->manifest, &image->manifest) ||
		    reference_parse(name->name, &r, &ignored) < 0)
			continue;
		familiar = reference_familiar(&r);
		if (familiar)
			json_array_append_new(tags, json_string(familiar));
		r.tag[0] = '\0';
		r.has_digest = true;
		r.digest = image->manifest;
		with_digest = reference_familiar(&r);
		if (with_digest && leaves_as_it_is(image))
			json_array_append_new(digests, json_string(with_digest));
		if (name->tagged > tagged)
			tagged = name->tagged;
	}
	return tagged;
}

static const char *text_of(const json_t *config, const char *key)
{
	const char *text = json_string_value(json_object_get(config, key));

	return text ? text : "";
}

/* The comment of the youngest layer, as docker has it. */
static const char *comment_of(const json_t *config)
{
	const json_t *history = json_object_get(config, "history");
	size_t count = json_array_size(history);

	return count > 0 ? text_of(json_array_get(history, count - 1), "comment") : "";
}

/* The document that docker prints. */
static json_t *describe(struct store *s, const struct stored *all, const struct image *image)
{
	json_t *tags = json_array(), *digests = json_array(), *document;
	json_t *inner = json_object_get(image->config, "config");
	int64_t tagged = add_names(all, image, tags, digests);
	char id[DIGEST_TEXT], time[TIMESTAMP_TEXT];

	document = json_pack(
		"{s:s, s:o, s:o, s:s, s:s, s:s, s:s, s:s, s:O*, s:s, s:s, s:I}", "Id",
		digest_format(&image->id, id), "RepoTags", tags, "RepoDigests", digests, "Parent", "",
		"Comment", comment_of(image->config), "Created", text_of(image->config, "created"),
		"DockerVersion", "", "Author", text_of(image->config, "author"), "Config",
		json_is_object(inner) ? inner : NULL, "Architecture",
		text_of(image->config, "architecture"), "Os", text_of(image->config, "os"), "Size",
		(json_int_t)stored_size(s, image));
	if (!document)
		return NULL;
	if (*text_of(image->config, "variant"))
		json_object_set(document, "Variant", json_object_get(image->config, "variant"));
	if (*text_of(image->config, "os.version"))
		json_object_set(document, "OsVersion", json_object_get(image->config, "os.version"));
	json_object_set_new(document, "RootFS",
	                    json_pack("{s:s, s:O}", "Type", "layers", "Layers",
	                              json_object_get(json_object_get(image->config, "rootfs"),
	                                              "diff_ids")));
	json_object_set_new(document, "Metadata",
	                    json_pack("{s:s}", "LastTagTime",
	                              timestamp_format(tagged ? tagged : -62135596800, time)));
	return document;
}

static int add_document(struct store *s, const struct stored *all, const char *text,
                        json_t *documents, struct error *e)
{
	const struct image_name *name = stored_find(all, text, NULL, e);
	struct image image;
	int added;

	if (!name || image_get(s, &name->manifest, &image, e) < 0)
		return -1;
	added = json_array_append_new(documents, describe(s, all, &image));
	image_release(&image);
	return added < 0 ? error_memory(e) : 0;
}

static int print_documents(const json_t *documents, const char *format, struct error *e)
{
	json_t *document;
	size_t i;

	if (!format || strcmp(format, "json") == 0) {
		auto_free char *text = format ? json_text(documents, NULL)
		                              : json_text_indented(documents, 4, NULL);

		if (!text)
			return error_memory(e);
		puts(text);
		return 0;
	}
	json_array_foreach(documents, i, document) {
		if (template_write(format, document, stdout, e) < 0)
			return -1;
		putchar('\n');
	}
	return 0;
}

/* What was found is printed, also when another was not. */
static int inspect(struct store *s, const struct options *o, struct error *e)
{
	json_t *documents = json_array();
	struct error missing;
	struct stored all;
	int result = 0;

	if (stored_open(s, &all, e) < 0) {
		json_decref(documents);
		return -1;
	}
	for (size_t i = 0; i < o->argument_count; i++)
		if (add_document(s, &all, o->arguments[i], documents, &missing) < 0 && result == 0) {
			*e = missing;
			result = -1;
		}
	if (print_documents(documents, options_value(o, "format"), &missing) < 0 && result == 0) {
		*e = missing;
		result = -1;
	}
	json_decref(documents);
	stored_close(&all);
	return result;
}

int command_inspect(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "format", 'f', "string", "\"json\", or a template: {{.Config.Env}}, {{json .Config}}" },
		{ "platform", 0, "string", NULL },
		{ "size", 's', NULL, NULL },
		{ "type", 0, "string", NULL },
		{ NULL },
	};
	static const struct usage usage = { "inspect", "[OPTIONS] IMAGE [IMAGE...]",
		                            "Show what is known of images", rows, 1, ARGUMENTS_ANY };

	return store_command(&usage, argc, argv, inspect, e);
}
