/* cairn debug: enter a failed step that `cairn build --on-fail=keep` has kept. */
#include "builder/command/command.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "builder/build/enter.h"
#include "builder/command/flag_values.h"
#include "builder/command/human.h"
#include "builder/command/listing.h"
#include "builder/command/options.h"
#include "builder/command/rights.h"
#include "builder/interrupt.h"
#include "builder/safe_text.h"
#include "builder/sandbox/terminal.h"
#include "layers/scope.h"

static const struct option_row rows[] = {
	{ "isolation", 0, "string", "How it is kept apart, as for the build" },
	{ "rm", 0, NULL, "Remove it instead" },
	{ "secret", 0, "strings", "Secret of the step (format: \"id=mysecret[,src=/local/secret]\")" },
	{ "ssh", 0, "strings", "SSH agent of the step (format: \"default|<id>[=<socket>]\")" },
	{ NULL },
};

static const struct usage usage = {
	"debug", "[OPTIONS] [ID [COMMAND [ARG...]]]",
	"Enter a failed step that was kept (cairn build --on-fail=keep), or list them", rows, 0,
	ARGUMENTS_ANY, .options_first = true
};

/* What the options say. */
struct entering {
	struct options options;
	enum sandbox_way isolation;
	struct build_secret *secret;
	size_t secret_count;
	struct build_ssh *ssh;
	size_t ssh_count;
};

/* --- listing ---------------------------------------------------------------------------------- */

struct rows_of {
	struct store *store;
	json_t *rows;
};

static int add_row(const char *id, void *context)
{
	struct rows_of *list = context;
	char since[HUMAN_TEXT];
	auto_free char *step = NULL, *end = NULL;
	struct error unreadable;
	struct kept k;

	if (kept_read(list->store, id, &k, &unreadable) == 0) {
		step = safe_copy(k.step);
		end = safe_copy(k.end);
		json_array_append_new(list->rows, json_pack("{ss, ss+, ss, ss}", "ID", id, "CreatedSince",
		                                            human_duration(time(NULL) - k.when, since),
		                                            " ago", "End", end, "Step", step));
	}
	kept_release(&k);
	return 0;
}

static int list(struct store *s, struct error *e)
{
	struct rows_of list = { s, json_array() };
	json_t *headings = json_pack("{ss, ss, ss, ss}", "ID", "ID", "CreatedSince", "CREATED", "End",
	                             "ENDED WITH", "Step", "STEP");
	int result = list.rows && headings ? store_list(s, STORE_FAILED, add_row, &list, e)
	                                   : error_memory(e);

	if (result == 0)
		result = listing_print(list.rows, headings, NULL,
		                       "table {{.ID}}\t{{.CreatedSince}}\t{{.End}}\t{{.Step}}", stdout, e);
	json_decref(list.rows);
	json_decref(headings);
	return result;
}

/* --- entering --------------------------------------------------------------------------------- */

static int read_options(struct entering *w, struct error *e)
{
	const char *way = options_value(&w->options, "isolation"), *value;
	size_t at = 0;

	w->secret = calloc(w->options.count + 1, sizeof *w->secret);
	w->ssh = calloc(w->options.count + 1, sizeof *w->ssh);
	if (!w->secret || !w->ssh)
		return error_memory(e);
	if (way && sandbox_way_parse(way, &w->isolation, e) < 0)
		return -1;
	while ((value = options_next(&w->options, "secret", &at)))
		if (secret_value(value, &w->secret[w->secret_count++], e) < 0)
			return -1;
	at = 0;
	while ((value = options_next(&w->options, "ssh", &at)))
		if (ssh_value(value, &w->ssh[w->ssh_count++], e) < 0)
			return -1;
	return 0;
}

static int enter_one(const struct entering *w, struct store *s, const char *because,
                     struct error *e)
{
	const char *const *words = w->options.arguments;
	struct enter_options o = {
		.store = s, .id = words[0], .argv = words[1] ? words + 1 : NULL,
		.secret = w->secret, .secret_count = w->secret_count,
		.ssh = w->ssh, .ssh_count = w->ssh_count,
		.isolation = w->isolation, .because = because,
		.interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO) && terminal_is_there(),
	};

	if (!o.argv && !o.interactive)
		return error_set(e, ERROR_INPUT,
		                 "a shell needs a terminal, and there is none here: name a "
		                 "command, as in \"cairn debug %s ls -l\"", o.id);
	interrupt_catch(enter_cancel);
	return enter(&o, e);
}

static int remove_all(const struct entering *w, struct store *s, struct error *e)
{
	int result = w->options.argument_count > 0
	                     ? 0
	                     : error_set(e, ERROR_INPUT, "--rm needs the ID of a failed step");

	for (size_t i = 0; result == 0 && i < w->options.argument_count; i++)
		result = kept_remove(s, w->options.arguments[i], e);
	return result;
}

static int debug(struct entering *w, struct error *e)
{
	const char *because;
	struct store *s;
	int result;

	if (read_options(w, e) < 0 || rights_take(w->isolation, &because, e) < 0)
		return -1;
	s = store_open(NULL, e);
	if (!s)
		return -1;
	if (options_switch(&w->options, "rm", false))
		result = remove_all(w, s, e);
	else if (w->options.argument_count == 0)
		result = list(s, e);
	else
		result = enter_one(w, s, because, e);
	store_close(s);
	return result;
}

int command_debug(int argc, char **argv, struct error *e)
{
	struct entering w = { 0 };
	int result = options_parse(&usage, argc, argv, &w.options, e);

	if (result == 0 && w.options.help)
		options_help(&usage, stdout);
	else if (result == 0)
		result = debug(&w, e);
	for (size_t i = 0; i < w.secret_count; i++)
		secret_release(&w.secret[i]);
	for (size_t i = 0; i < w.ssh_count; i++)
		ssh_release(&w.ssh[i]);
	free(w.secret);
	free(w.ssh);
	options_release(&w.options);
	return result;
}
