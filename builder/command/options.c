#include "builder/command/options.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "parser/suggest.h"

/* A command line being read. */
struct reading {
	const struct usage *usage;
	int argc, next;
	char **argv;
	struct options *options;
};

static const struct option_row *row_named(const struct usage *u, const char *name, size_t length)
{
	for (const struct option_row *row = u->rows; row->name; row++)
		if (strlen(row->name) == length && strncmp(row->name, name, length) == 0)
			return row;
	return NULL;
}

static const struct option_row *row_lettered(const struct usage *u, char letter)
{
	for (const struct option_row *row = u->rows; row->name; row++)
		if (row->letter == letter)
			return row;
	return NULL;
}

static int unknown_flag(const struct usage *u, const char *name, size_t length, struct error *e)
{
	auto_free char *word = strndup(name, length);
	auto_free const char **names = NULL;
	const char *near;
	size_t count = 0;

	while (u->rows[count].name)
		count++;
	names = calloc(count + 1, sizeof *names);
	if (!word || !names)
		return error_memory(e);
	for (size_t i = 0; i < count; i++)
		names[i] = u->rows[i].name;
	near = suggestion(word, names, count);
	return error_set(e, ERROR_INPUT, "unknown flag: --%s%s%s%s", word,
	                 near ? " (did you mean --" : "", near ? near : "", near ? "?)" : "");
}

/* The spellings that Go's strconv.ParseBool takes, as docker does; NULL for all others. */
static const char *parse_truth(const char *text)
{
	static const char *const truths[][6] = {
		{ "false", "0", "f", "F", "FALSE", "False" },
		{ "true", "1", "t", "T", "TRUE", "True" },
	};

	for (size_t truth = 0; truth < 2; truth++)
		for (size_t i = 0; i < 6; i++)
			if (strcmp(text, truths[truth][i]) == 0)
				return truths[truth][0];
	return NULL;
}

bool options_truth(const char *text, bool *truth)
{
	const char *spelled = parse_truth(text);

	if (spelled)
		*truth = strcmp(spelled, "true") == 0;
	return spelled;
}

static int give(struct reading *r, const struct option_row *row, const char *value,
                struct error *e)
{
	struct options *o = r->options;

	if (!row->value) {
		const char *truth = value ? parse_truth(value) : "true";

		if (!truth)
			return error_set(e, ERROR_INPUT,
			                 "invalid argument \"%s\" for \"--%s\": it is true or false", value,
			                 row->name);
		value = truth;
	}
	/* There are never more than there are words; see options_parse. */
	o->given[o->count++] = (struct option){ row, value };
	return 0;
}

static int read_long(struct reading *r, const char *text, struct error *e)
{
	size_t length = strcspn(text, "=");
	const char *value = text[length] ? text + length + 1 : NULL;
	const struct option_row *row = row_named(r->usage, text, length);

	if (!row && length == 4 && strncmp(text, "help", 4) == 0) {
		r->options->help = true;
		return 0;
	}
	if (!row)
		return unknown_flag(r->usage, text, length, e);
	if (!value && row->value) {
		if (r->next == r->argc)
			return error_set(e, ERROR_INPUT, "flag needs an argument: --%s", row->name);
		value = r->argv[r->next++];
	}
	return give(r, row, value, e);
}

/* Letters after one "-": switches up to the first that takes a value, which is what follows. */
static int read_letters(struct reading *r, const char *text, struct error *e)
{
	for (const char *p = text; *p; p++) {
		const struct option_row *row = row_lettered(r->usage, *p);
		const char *value = NULL;

		if (!row && *p == 'h') {
			r->options->help = true;
			return 0;
		}
		if (!row)
			return error_set(e, ERROR_INPUT, "unknown shorthand flag: '%c' in -%s", *p, text);
		if (p[1] == '=')
			value = p + 2;
		else if (row->value && p[1])
			value = p + 1;
		else if (row->value && r->next == r->argc)
			return error_set(e, ERROR_INPUT, "flag needs an argument: '%c' in -%s", *p, text);
		else if (row->value)
			value = r->argv[r->next++];
		if (give(r, row, value, e) < 0)
			return -1;
		if (value)
			break;
	}
	return 0;
}

static int check_count(const struct usage *u, size_t count, struct error *e)
{
	if (count < u->at_least && u->at_least == u->at_most)
		return error_set(e, ERROR_INPUT, "cairn %s needs %zu argument%s", u->command, u->at_least,
		                 u->at_least == 1 ? "" : "s");
	if (count < u->at_least)
		return error_set(e, ERROR_INPUT, "cairn %s needs at least %zu argument%s", u->command,
		                 u->at_least, u->at_least == 1 ? "" : "s");
	if (count > u->at_most)
		return error_set(e, ERROR_INPUT, "cairn %s takes %s%zu argument%s, not %zu", u->command,
		                 u->at_most == 0 || u->at_least == u->at_most ? "" : "at most ",
		                 u->at_most, u->at_most == 1 ? "" : "s", count);
	return 0;
}

int options_parse(const struct usage *u, int argc, char **argv, struct options *o,
                  struct error *e)
{
	struct reading r = { .usage = u, .argc = argc, .next = 1, .argv = argv, .options = o };
	bool all_arguments = false;
	size_t words = 1;

	/* A word is at most one argument, or as many options as it has letters. */
	for (int i = 1; i < argc; i++)
		words += strlen(argv[i]) + 1;
	*o = (struct options){ 0 };
	o->given = calloc(words, sizeof *o->given);
	o->arguments = calloc((size_t)argc + 1, sizeof *o->arguments);
	if (!o->given || !o->arguments)
		return error_memory(e);
	while (r.next < argc) {
		const char *word = argv[r.next++];
		int result = 0;

		if (all_arguments || (u->options_first && o->argument_count > 0) || word[0] != '-' ||
		    !word[1])
			o->arguments[o->argument_count++] = word;
		else if (strcmp(word, "--") == 0)
			all_arguments = true;
		else
			result = word[1] == '-' ? read_long(&r, word + 2, e) : read_letters(&r, word + 1, e);
		if (result < 0)
			return -1;
		if (o->help)
			return 0;
	}
	return check_count(u, o->argument_count, e);
}

void options_release(struct options *o)
{
	free(o->given);
	free(o->arguments);
	*o = (struct options){ 0 };
}

const char *options_next(const struct options *o, const char *name, size_t *at)
{
	while (*at < o->count) {
		const struct option *option = &o->given[(*at)++];

		if (strcmp(option->row->name, name) == 0)
			return option->value;
	}
	return NULL;
}

const char *options_value(const struct options *o, const char *name)
{
	const char *last = NULL, *value;

	for (size_t at = 0; (value = options_next(o, name, &at));)
		last = value;
	return last;
}

bool options_switch(const struct options *o, const char *name, bool fallback)
{
	const char *value = options_value(o, name);

	return value ? value[0] == 't' : fallback;
}

void options_help(const struct usage *u, FILE *out)
{
	size_t width = 0;

	fprintf(out, "Usage:  cairn %s %s\n\n%s\n", u->command, u->arguments, u->about);
	for (const struct option_row *row = u->rows; row->name; row++) {
		size_t length = strlen(row->name) + (row->value ? strlen(row->value) + 1 : 0);

		if (row->help && length > width)
			width = length;
	}
	if (width > 0)
		fputs("\nOptions:\n", out);
	for (const struct option_row *row = u->rows; row->name; row++) {
		char letter[8] = "    ";
		int used;

		if (!row->help)
			continue;
		if (row->letter)
			snprintf(letter, sizeof letter, "-%c, ", row->letter);
		used = fprintf(out, "  %s--%s%s%s", letter, row->name, row->value ? " " : "",
		               row->value ? row->value : "");
		fprintf(out, "%*s%s\n", (int)width + 10 - used, "", row->help);
	}
	if (u->more)
		fprintf(out, "\n%s", u->more);
}
