#include <stdlib.h>
#include <string.h>

#include "builder/command/command.h"
#include "builder/image/layout.h"
#include "builder/image/outgoing.h"
#include "builder/command/store_command.h"
#include "builder/command/stored.h"
#include "layers/scope.h"

/* An image to be saved, with the names that it was asked for by. */
struct saved {
	struct image image;
	struct outgoing out;
	const char **name;
	size_t name_count;
};

struct saving {
	struct store *store;
	struct stored all;
	struct saved *image;
	size_t count;
};

/* The slot of the image NAME, the same one for another name of it. */
static struct saved *slot_of(struct saving *w, const struct image_name *name, size_t most,
                             struct error *e)
{
	struct saved *saved = NULL;

	for (size_t i = 0; i < w->count; i++)
		if (digest_equal(&w->image[i].image.manifest, &name->manifest))
			saved = &w->image[i];
	if (saved)
		return saved;
	saved = &w->image[w->count];
	saved->name = calloc(most, sizeof *saved->name);
	if (!saved->name) {
		error_memory(e);
		return NULL;
	}
	w->count++;
	return image_get(w->store, &name->manifest, &saved->image, e) < 0 ? NULL : saved;
}

static int choose(struct saving *w, const struct options *o, struct error *e)
{
	for (size_t i = 0; i < o->argument_count; i++) {
		bool by_id;
		const struct image_name *name = stored_find(&w->all, o->arguments[i], &by_id, e);
		struct saved *saved = name ? slot_of(w, name, o->argument_count, e) : NULL;

		if (!saved)
			return -1;
		if (!by_id)
			saved->name[saved->name_count++] = name->name;
	}
	return 0;
}

static int add(struct saving *w, struct layout *l, struct saved *saved, struct error *e)
{
	const char *created = json_string_value(json_object_get(saved->image.config, "created"));

	if (outgoing_prepare(w->store, &saved->image, NULL, 1, NULL, &saved->out, e) < 0)
		return -1;
	if (layout_add_image(l, &saved->out, NULL, NULL, e) < 0 ||
	    layout_name(l, saved->out.descriptor, created, saved->name, saved->name_count, e) < 0)
		return -1;
	return layout_name_for_docker(l, &saved->out, saved->name, saved->name_count, e);
}

static int write_all(struct saving *w, const char *dest, struct error *e)
{
	struct layout *l = layout_new(w->store, e);
	int result = l ? 0 : -1;

	for (size_t i = 0; result == 0 && i < w->count; i++)
		result = add(w, l, &w->image[i], e);
	if (result == 0)
		result = layout_write_archive(l, dest, e);
	layout_free(l);
	return result;
}

static int save(struct store *s, const struct options *o, struct error *e)
{
	struct saving w = { .store = s };
	const char *dest = options_value(o, "output");
	int result;

	if (stored_open(s, &w.all, e) < 0)
		return -1;
	w.image = calloc(o->argument_count + 1, sizeof *w.image);
	result = w.image ? choose(&w, o, e) : error_memory(e);
	if (result == 0)
		result = write_all(&w, dest ? dest : "-", e);
	for (size_t i = 0; i < w.count; i++) {
		outgoing_release(&w.image[i].out);
		image_release(&w.image[i].image);
		free(w.image[i].name);
	}
	free(w.image);
	stored_close(&w.all);
	return result;
}

int command_save(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "output", 'o', "file", "Write to a file instead of standard output" },
		{ "platform", 0, "string", NULL },
		{ NULL },
	};
	static const struct usage usage = {
		"save", "[OPTIONS] IMAGE [IMAGE...]",
		"Write images to a tar that docker load, podman load and skopeo read", rows, 1,
		ARGUMENTS_ANY };

	return store_command(&usage, argc, argv, save, e);
}
