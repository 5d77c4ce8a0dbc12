#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "builder/build/kept.h"
#include "builder/image/collect.h"
#include "builder/command/command.h"
#include "builder/command/human.h"
#include "builder/command/store_command.h"
#include "builder/command/stored.h"
#include "layers/scope.h"
#include "registry/reference.h"

/* As docker asks; without --force and an answer nothing is removed. */
static bool is_agreed(const struct options *o, const char *what)
{
	char answer[16];

	if (options_switch(o, "force", false))
		return true;
	printf("WARNING! This will remove %s.\nAre you sure you want to continue? [y/N] ", what);
	fflush(stdout);
	return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

static int collect_and_tell(struct store *s, struct error *e)
{
	char text[HUMAN_TEXT];
	int64_t freed;
	int result = collect(s, &freed, e);

	if (result < 0)
		return -1;
	printf("Total reclaimed space: %s%s\n", human_size(freed, text),
	       result > 0 ? " (another cairn is at work: what nothing needs stays until the next prune)"
	                  : "");
	return 0;
}

/* --- image prune ------------------------------------------------------------------------------ */

static int remove_name(struct store *s, const struct stored *all, const struct image_name *name,
                       struct error *e)
{
	char id[DIGEST_TEXT];
	auto_free char *familiar = NULL;
	struct reference r;

	if (image_name_remove(s, name, e) < 0)
		return -1;
	if (*name->name && reference_parse(name->name, &r, e) == 0) {
		familiar = reference_familiar(&r);
		printf("untagged: %s\n", familiar ? familiar : name->name);
	} else if (!stored_is_named(all, &name->id)) {
		printf("deleted: %s\n", digest_format(&name->id, id));
	}
	return 0;
}

static int prune_images(struct store *s, const struct options *o, struct error *e)
{
	bool all_images = options_switch(o, "all", false);
	struct stored all;
	int result = 0;

	if (!is_agreed(o, all_images ? "all images" : "all dangling images"))
		return 0;
	if (stored_open(s, &all, e) < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < all.count; i++)
		if (all_images || !*all.item[i].name)
			result = remove_name(s, &all, &all.item[i], e);
	stored_close(&all);
	return result < 0 ? -1 : collect_and_tell(s, e);
}

int command_image_prune(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "all", 'a', NULL, "Remove all images, not only those without a name" },
		{ "force", 'f', NULL, "Do not ask" },
		{ NULL },
	};
	static const struct usage usage = { "image prune", "[OPTIONS]",
		                            "Remove images without a name, and what nothing needs",
		                            rows, 0, 0 };

	return store_command_with_rights(&usage, argc, argv, prune_images, e);
}

/* --- prune ------------------------------------------------------------------------------------ */

struct emptying {
	struct store *store;
	enum store_room room;
	struct error *error;
	int result;
};

static int remove_record(const char *name, void *context)
{
	struct emptying *w = context;

	w->result = store_remove(w->store, w->room, name, w->error);
	return w->result;
}

/* Somebody may still want to enter a failed step of today. */
#define KEPT_SECONDS (24 * 60 * 60)

/* The build cache: records of steps, bases and contexts, and failed steps; with --all those of today,
 * and cache mounts, too. */
static int prune_cache(struct store *s, const struct options *o, struct error *e)
{
	static const enum store_room rooms[] = { STORE_STEPS, STORE_BASES, STORE_CONTEXTS,
		                                 STORE_MOUNTS };
	bool all = options_switch(o, "all", false);
	size_t count = sizeof rooms / sizeof *rooms - !all;

	if (!is_agreed(o, all ? "all build cache and cache mounts" : "all build cache"))
		return 0;
	if (!store_is_alone(s))
		return error_set(e, ERROR_FAILED, "another cairn is at work: try again when it is done");
	for (size_t i = 0; i < count; i++) {
		struct emptying w = { s, rooms[i], e, 0 };

		if (store_list(s, rooms[i], remove_record, &w, e) < 0 || w.result < 0)
			return -1;
	}
	if (kept_remove_old(s, all ? INT64_MAX : time(NULL) - KEPT_SECONDS, e) < 0)
		return -1;
	return collect_and_tell(s, e);
}

int command_prune(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "all", 'a', NULL, "Remove cache mounts and failed steps of today, too" },
		{ "force", 'f', NULL, "Do not ask" },
		{ NULL },
	};
	static const struct usage usage = { "prune", "[OPTIONS]", "Remove the build cache", rows, 0, 0 };

	return store_command_with_rights(&usage, argc, argv, prune_cache, e);
}
