#include "builder/command/store_command.h"

#include <stdio.h>
#include <string.h>

#include "builder/command/rights.h"
#include "builder/safe_text.h"

void store_command_warn(void *context, const char *text)
{
	(void)context;
	fputs("WARNING: ", stderr);
	safe_text(stderr, text, strlen(text));
	fputc('\n', stderr);
}

static int work_on_store(const struct options *o, bool with_rights, store_work *work,
                         struct error *e)
{
	const char *ignored;
	struct store *s;
	int result;

	if (with_rights && rights_take(SANDBOX_AUTO, &ignored, e) < 0)
		return -1;
	s = store_open(NULL, e);
	if (s)
		store_on_damage(s, store_command_warn, NULL);
	result = s ? work(s, o, e) : -1;
	if (result == 0)
		result = store_flush(s, e);
	store_close(s);
	return result;
}

static int command(const struct usage *u, int argc, char **argv, bool with_rights,
                   store_work *work, struct error *e)
{
	struct options o;
	int result = options_parse(u, argc, argv, &o, e);

	if (result < 0) {
		char text[sizeof e->text];

		snprintf(text, sizeof text, "%.1900s\nSee 'cairn %s --help'.", e->text, u->command);
		error_set(e, e->kind, "%s", text);
	} else if (o.help) {
		options_help(u, stdout);
	} else {
		result = work_on_store(&o, with_rights, work, e);
	}
	options_release(&o);
	return result;
}

int store_command(const struct usage *u, int argc, char **argv, store_work *work,
                  struct error *e)
{
	return command(u, argc, argv, false, work, e);
}

int store_command_with_rights(const struct usage *u, int argc, char **argv, store_work *work,
                              struct error *e)
{
	return command(u, argc, argv, true, work, e);
}
