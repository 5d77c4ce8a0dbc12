#include "builder/command/command.h"

#include <stdlib.h>
#include <string.h>

#include "builder/interrupt.h"
#include "builder/command/options.h"
#include "builder/command/publish.h"
#include "builder/command/store_command.h"
#include "layers/blob.h"
#include "layers/scope.h"

#define MANIFEST_SIZE_MAX (8 << 20)
#define SHORT_DIGEST 12

static const struct option_row rows[] = {
	{ "quiet", 'q', NULL, "Print the name only" },
	{ "all-tags", 'a', NULL, NULL },
	{ "disable-content-trust", 0, NULL, NULL },
	{ "platform", 0, "string", NULL },
	{ NULL },
};

static const struct usage usage = {
	"push", "[OPTIONS] NAME[:TAG]", "Upload an image to a registry", rows, 1, 1
};

/* A line for each layer as it arrives there; called from several threads. */
static void print_blob(void *context, const struct blob_source *blob, enum push_event event,
                       int64_t done)
{
	static const char *const words[] = {
		[PUSH_EXISTS] = "Layer already exists",
		[PUSH_MOUNTED] = "Mounted from another repository",
		[PUSH_UPLOADING] = NULL,
		[PUSH_DONE] = "Pushed",
	};
	const struct image *image = context;
	char hex[DIGEST_HEX + 1];

	(void)done;
	if (words[event] && !digest_equal(&blob->digest, &image->id))
		printf("%.*s: %s\n", SHORT_DIGEST, digest_hex(&blob->digest, hex), words[event]);
}

/* What came with Docker's media types leaves with them, and so with the same digest. */
static bool has_docker_types(struct store *s, const struct image *image)
{
	struct error ignored;
	size_t size;
	auto_free char *text = blob_read(s, &image->manifest, MANIFEST_SIZE_MAX, &size, &ignored);
	json_t *manifest = text ? json_parse(text, size, "manifest", &ignored) : NULL;
	const char *type = json_string_value(json_object_get(manifest, "mediaType"));
	bool docker = type && strcmp(type, MEDIA_DOCKER_MANIFEST) == 0;

	json_decref(manifest);
	return docker;
}

static int push(struct store *s, const struct reference *to, const char *name, bool quiet,
                struct error *e)
{
	struct remote remote;
	struct image image;
	struct image_name found = { 0 };
	struct output_spec spec;
	struct published published = { 0 };
	struct publication p = { .store = s, .remote = &remote, .image = &image, .spec = &spec,
	                         .progress = quiet ? NULL : print_blob, .context = &image,
	                         .warn = store_command_warn };
	int result = image_name_get(s, name, &found, e);

	if (result < 0)
		return e->kind == ERROR_NOT_FOUND
		               ? error_set(e, ERROR_NOT_FOUND,
		                           "An image does not exist locally with the tag: %s", name)
		               : -1;
	image_init(&image);
	remote_init(&remote);
	output_spec_init(&spec, OUTPUT_REGISTRY);
	result = image_get(s, &found.manifest, &image, e);
	if (result == 0) {
		spec.oci_types = !has_docker_types(s, &image);
		if (!quiet)
			printf("The push refers to repository [%s/%s]\n", to->domain, to->repository);
		result = publish(&p, to, 1, &published, e);
	}
	if (result == 0 && !quiet) {
		char digest[DIGEST_TEXT];

		printf("%s: digest: %s size: %zu\n", to->tag, digest_format(&published.digest, digest),
		       published.size);
	} else if (result == 0) {
		puts(name);
	}
	/* What was packed for this push is there for the next one. */
	if (result == 0)
		result = store_flush(s, e);
	free(published.descriptor);
	output_spec_release(&spec);
	image_release(&image);
	image_name_release(&found);
	remote_release(&remote);
	return result;
}

static int run(const struct options *o, struct error *e)
{
	bool quiet = options_switch(o, "quiet", false);
	auto_free char *name = NULL;
	struct reference to;
	struct store *s;
	int result;

	if (options_switch(o, "all-tags", false))
		return error_set(e, ERROR_UNSUPPORTED, "--all-tags is not supported: name a tag");
	if (reference_parse(o->arguments[0], &to, e) < 0)
		return -1;
	if (to.has_digest)
		return error_set(e, ERROR_INPUT, "cannot push a digest reference");
	if (!to.tag[0] && !quiet)
		puts("Using default tag: latest");
	reference_default_tag(&to);
	name = reference_format(&to);
	if (!name)
		return error_memory(e);
	s = store_open(NULL, e);
	if (!s)
		return -1;
	store_on_damage(s, store_command_warn, NULL);
	interrupt_catch(NULL);
	result = push(s, &to, name, quiet, e);
	store_close(s);
	return result;
}

int command_push(int argc, char **argv, struct error *e)
{
	struct options o;
	int result = options_parse(&usage, argc, argv, &o, e);

	if (result == 0 && o.help)
		options_help(&usage, stdout);
	else if (result == 0)
		result = run(&o, e);
	options_release(&o);
	return result;
}
