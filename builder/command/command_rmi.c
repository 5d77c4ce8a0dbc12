#include <string.h>

#include "builder/image/collect.h"
#include "builder/command/command.h"
#include "builder/command/store_command.h"
#include "builder/command/stored.h"
#include "layers/scope.h"
#include "registry/reference.h"

static size_t names_of(const struct stored *all, const struct digest *id)
{
	size_t count = 0;

	for (size_t i = 0; i < all->count; i++)
		count += *all->item[i].name && digest_equal(&all->item[i].id, id);
	return count;
}

static int untag(struct store *s, const struct image_name *name, struct error *e)
{
	auto_free char *familiar = NULL;
	struct reference r;

	if (image_name_remove(s, name, e) < 0)
		return -1;
	if (*name->name && reference_parse(name->name, &r, e) == 0) {
		familiar = reference_familiar(&r);
		printf("Untagged: %s\n", familiar ? familiar : name->name);
	}
	return 0;
}

/* Remove every record of the image ID. */
static int delete_image(struct store *s, const struct stored *all, const struct digest *id,
                        struct error *e)
{
	char text[DIGEST_TEXT];

	for (size_t i = 0; i < all->count; i++)
		if (digest_equal(&all->item[i].id, id) && untag(s, &all->item[i], e) < 0)
			return -1;
	printf("Deleted: %s\n", digest_format(id, text));
	return 0;
}

static int remove_one(struct store *s, const char *text, bool force, struct error *e)
{
	const struct image_name *name;
	struct stored all;
	bool by_id;
	int result = -1;

	/* Read again for each: what one argument removed, the next does not find. */
	if (stored_open(s, &all, e) < 0)
		return -1;
	name = stored_find(&all, text, &by_id, e);
	if (name && by_id && !force && names_of(&all, &name->id) > 1)
		error_set(e, ERROR_INPUT, "conflict: unable to delete %s (must be forced) - image is "
		          "referenced in multiple repositories", text);
	else if (name && !by_id && names_of(&all, &name->id) > 1)
		result = untag(s, name, e);
	else if (name)
		result = delete_image(s, &all, &name->id, e);
	stored_close(&all);
	return result;
}

/* What can be removed is, also when another argument is wrong. */
static int remove_images(struct store *s, const struct options *o, struct error *e)
{
	bool force = options_switch(o, "force", false);
	struct error wrong;
	int64_t freed;
	int result = 0;

	for (size_t i = 0; i < o->argument_count; i++)
		if (remove_one(s, o->arguments[i], force, &wrong) < 0 &&
		    !(force && wrong.kind == ERROR_NOT_FOUND) && result == 0) {
			*e = wrong;
			result = -1;
		}
	if (options_switch(o, "no-prune", false))
		return result;
	return collect(s, &freed, result < 0 ? &wrong : e) < 0 ? -1 : result;
}

int command_rmi(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "force", 'f', NULL, "Remove images with several names, and mind none that is not there" },
		{ "no-prune", 0, NULL, "Keep what nothing refers to any more" },
		{ "platform", 0, "string", NULL },
		{ NULL },
	};
	static const struct usage usage = { "rmi", "[OPTIONS] IMAGE [IMAGE...]",
		                            "Remove images from this machine", rows, 1,
		                            ARGUMENTS_ANY };

	return store_command_with_rights(&usage, argc, argv, remove_images, e);
}
