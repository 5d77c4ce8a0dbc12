#include "builder/command/command.h"
#include "builder/command/store_command.h"
#include "builder/command/stored.h"
#include "layers/scope.h"
#include "registry/reference.h"

static int set_name(struct store *s, const struct image_name *source, const char *target,
                    struct error *e)
{
	struct image image = { .id = source->id, .manifest = source->manifest };
	auto_free char *name = NULL;
	struct reference r;

	if (reference_parse(target, &r, e) < 0)
		return error_context(e, "%s", target);
	if (r.has_digest)
		return error_set(e, ERROR_INPUT, "%s: a name that is given cannot have a digest", target);
	reference_default_tag(&r);
	name = reference_format(&r);
	return name ? image_name_set(s, name, &image, e) : error_memory(e);
}

static int tag(struct store *s, const struct options *o, struct error *e)
{
	const struct image_name *source;
	struct stored all;
	int result = 0;

	if (stored_open(s, &all, e) < 0)
		return -1;
	source = stored_find(&all, o->arguments[0], NULL, e);
	if (!source)
		result = -1;
	for (size_t i = 1; result == 0 && i < o->argument_count; i++)
		result = set_name(s, source, o->arguments[i], e);
	stored_close(&all);
	return result;
}

int command_tag(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = { { NULL } };
	static const struct usage usage = { "tag", "IMAGE NAME[:TAG] [NAME[:TAG]...]",
		                            "Give an image another name", rows, 2, ARGUMENTS_ANY };

	return store_command(&usage, argc, argv, tag, e);
}
