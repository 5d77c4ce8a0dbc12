#include <unistd.h>

#include "builder/command/command.h"
#include "builder/image/load.h"
#include "builder/command/store_command.h"
#include "layers/scope.h"
#include "registry/reference.h"

/* Name the image and say so, as docker does. */
static int announce(struct store *s, const struct loaded *loaded, bool quiet, struct error *e)
{
	char id[DIGEST_TEXT];

	if (loaded->name_count == 0) {
		if (image_name_set(s, "", &loaded->image, e) < 0)
			return -1;
		if (!quiet)
			printf("Loaded image ID: %s\n", digest_format(&loaded->image.id, id));
	}
	for (size_t i = 0; i < loaded->name_count; i++) {
		auto_free char *familiar = NULL;
		struct reference r;

		if (image_name_set(s, loaded->name[i], &loaded->image, e) < 0 ||
		    reference_parse(loaded->name[i], &r, e) < 0)
			return -1;
		familiar = reference_familiar(&r);
		if (!quiet)
			printf("Loaded image: %s\n", familiar ? familiar : loaded->name[i]);
	}
	return 0;
}

static int load(struct store *s, const struct options *o, struct error *e)
{
	const char *input = options_value(o, "input");
	struct loaded *images;
	struct bundle *b;
	size_t count;
	int result;

	if (!input && isatty(STDIN_FILENO))
		return error_set(e, ERROR_INPUT,
		                 "requested load from stdin, but stdin is a terminal: use --input FILE");
	b = input ? bundle_open(s, input, e) : bundle_read(s, STDIN_FILENO, "standard input", e);
	if (!b)
		return -1;
	result = load_images(s, b, &images, &count, e);
	bundle_close(b);
	if (result < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < count; i++)
		result = announce(s, &images[i], options_switch(o, "quiet", false), e);
	loaded_free(images, count);
	return result;
}

int command_load(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "input", 'i', "file", "Read a tar or a folder instead of standard input" },
		{ "platform", 0, "string", NULL },
		{ "quiet", 'q', NULL, "Print nothing" },
		{ NULL },
	};
	static const struct usage usage = { "load", "[OPTIONS]",
		                            "Load images from a docker archive or an OCI layout",
		                            rows, 0, 0 };

	return store_command(&usage, argc, argv, load, e);
}
