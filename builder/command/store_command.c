#include "builder/command/store_command.h"

int store_command(const struct usage *u, int argc, char **argv, store_work *work,
                  struct error *e)
{
	struct options o;
	struct store *s = NULL;
	int result = options_parse(u, argc, argv, &o, e);

	if (result < 0) {
		char text[sizeof e->text];

		snprintf(text, sizeof text, "%.1900s\nSee 'cairn %s --help'.", e->text, u->command);
		error_set(e, e->kind, "%s", text);
	} else if (o.help) {
		options_help(u, stdout);
	} else {
		s = store_open(NULL, e);
		result = s ? work(s, &o, e) : -1;
		if (result == 0)
			result = store_flush(s, e);
		store_close(s);
	}
	options_release(&o);
	return result;
}
