#include "builder/command/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/build/base.h"
#include "builder/interrupt.h"
#include "builder/command/options.h"
#include "builder/command/store_command.h"
#include "layers/scope.h"

static const struct option_row rows[] = {
	{ "platform", 0, "string", "Pull the image for this platform" },
	{ "quiet", 'q', NULL, "Print the name only" },
	{ "all-tags", 'a', NULL, NULL },
	{ "disable-content-trust", 0, NULL, NULL },
	{ NULL },
};

static const struct usage usage = {
	"pull", "[OPTIONS] NAME[:TAG|@DIGEST]", "Download an image from a registry", rows, 1, 1
};

struct pulling {
	const struct options *options;
	struct store *store;
	struct progress *progress;
	struct remote remote;
	struct bases *bases;
	struct reference reference;
	char *name, *familiar;
};

/* The first characters of a digest that people compare. */
#define SHORT_DIGEST 12

static void print_layers(const struct base *base)
{
	char hex[DIGEST_HEX + 1];

	for (size_t i = 0; i < base->layer_count; i++)
		printf("%.*s: Pull complete\n", SHORT_DIGEST,
		       digest_hex(&base->layers[i].diff_id, hex));
}

static int pull(struct pulling *p, struct error *e)
{
	bool quiet = options_switch(p->options, "quiet", false), newer = true;
	struct image_name before = { 0 };
	const struct base *base;
	struct error ignored;
	const char *digest;

	if (!quiet)
		printf("%s: Pulling from %s\n", p->reference.tag, p->reference.repository);
	if (bases_resolve(p->bases, p->name, options_value(p->options, "platform"), &base, e) < 0)
		return -1;
	if (image_name_get(p->store, p->name, &before, &ignored) == 0)
		newer = !digest_equal(&before.manifest, &base->manifest);
	image_name_release(&before);
	for (size_t i = 0; i < base->layer_count; i++)
		if (bases_fetch(base, i, NULL, e) < 0)
			return -1;
	if (bases_keep(base, p->name, e) < 0 || store_flush(p->store, e) < 0)
		return -1;
	if (!quiet) {
		if (newer)
			print_layers(base);
		digest = strchr(base->name, '@');
		if (digest)
			printf("Digest: %s\n", digest + 1);
		printf("Status: %s for %s\n",
		       newer ? "Downloaded newer image" : "Image is up to date", p->familiar);
	}
	puts(p->name);
	return 0;
}

static int begin(struct pulling *p, struct error *e)
{
	const char *text = p->options->arguments[0];
	bool quiet = options_switch(p->options, "quiet", false);

	if (options_switch(p->options, "all-tags", false))
		return error_set(e, ERROR_UNSUPPORTED, "--all-tags is not supported: name a tag");
	if (reference_parse(text, &p->reference, e) < 0)
		return -1;
	if (!p->reference.tag[0] && !p->reference.has_digest && !quiet)
		puts("Using default tag: latest");
	reference_default_tag(&p->reference);
	p->name = reference_format(&p->reference);
	p->familiar = reference_familiar(&p->reference);
	if (!p->name || !p->familiar)
		return error_memory(e);
	p->store = store_open(NULL, e);
	if (!p->store)
		return -1;
	store_on_damage(p->store, store_command_warn, NULL);
	p->progress = progress_new(!quiet && isatty(STDERR_FILENO) ? PROGRESS_AUTO : PROGRESS_QUIET,
	                           STDERR_FILENO, e);
	if (!p->progress)
		return -1;
	p->bases = bases_open(p->store, p->progress, &p->remote, true, e);
	return p->bases ? 0 : -1;
}

int command_pull(int argc, char **argv, struct error *e)
{
	struct options o;
	struct pulling p = { .options = &o };
	int result = options_parse(&usage, argc, argv, &o, e);

	remote_init(&p.remote);
	if (result == 0 && o.help) {
		options_help(&usage, stdout);
	} else if (result == 0) {
		interrupt_catch(NULL);
		result = begin(&p, e);
		if (result == 0)
			result = pull(&p, e);
	}
	progress_free(p.progress, result == 0);
	bases_close(p.bases);
	remote_release(&p.remote);
	if (p.store)
		store_close(p.store);
	free(p.name);
	free(p.familiar);
	options_release(&o);
	return result;
}
