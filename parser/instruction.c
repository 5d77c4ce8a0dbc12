#include "parser/instruction.h"

#include <ctype.h>
#include <string.h>
#include "parser/arena.h"
#include "parser/arguments.h"
#include "parser/flags.h"
#include "parser/json.h"
#include "parser/place.h"
#include "parser/suggest.h"
#include "parser/words.h"

struct form {
	const char *name;
	int (*split)(struct reading *r);
	int (*type)(struct reading *r, const struct flag_value *flags);
	struct flag flags[FLAGS_MAX];
	bool ignores_flags;             /* unknown ones too, as BuildKit does */
	bool takes_heredocs;
};

/* --- splitting ------------------------------------------------------------------------------- */

static const struct form *form_of(const char *name);

static int split_text(struct reading *r)
{
	return *r->to->rest ? words_add(r->memory, &r->words, r->to->rest) : 0;
}

static int split_words(struct reading *r)
{
	return words_split(r->memory, r->to->rest, &r->words);
}

static int split_names(struct reading *r)
{
	return words_split_quoted(r->memory, r->to->rest, r->escape, &r->words);
}

static int split_json(struct reading *r)
{
	int found = json_words(r->memory, r->to->rest, &r->words, r->e);

	r->json = found > 0;
	if (found < 0 && r->e && r->e->column)
		r->at = r->to->rest + r->e->column - 1;
	return found;
}

static int split_list(struct reading *r)
{
	int found = split_json(r);

	return found == 0 ? split_words(r) : found < 0 ? -1 : 0;
}

static int split_command(struct reading *r)
{
	int found = split_json(r);

	return found == 0 ? split_text(r) : found < 0 ? -1 : 0;
}

/* NAME=VALUE words, or, when the first word has no =, NAME and the rest of the line. */
static int split_pairs(struct reading *r)
{
	struct words *words = &r->words;
	const char *name = r->to->rest, *end = words_blank(name), *alone;

	if (split_names(r) < 0)
		return -1;
	if (words->count == 0)
		return 0;
	if (!strchr(words->item[0], '=')) {
		if (!*end)
			return syntax_error_set(r->e, "%s must have two arguments", r->form->name);
		alone = arena_text(r->memory, name, end - name);
		*words = (struct words){ 0 };
		r->to->pairs.legacy = true;
		return alone && words_add(r->memory, words, alone) == 0 ?
		       words_add(r->memory, words, words_past_blanks(end)) : -1;
	}
	for (size_t i = 0; i < words->count; i++) {
		if (strchr(words->item[i], '='))
			continue;
		r->at = instruction_find(r->to, words->item[i], 0);
		return syntax_error_set(r->e, "Syntax error - can't find = in \"%.150s\". Must be of "
		                        "the form: name=value", words->item[i]);
	}
	return 0;
}

/* A word, then what RUN has: HEALTHCHECK CMD ["curl", "localhost"]. */
static int split_check(struct reading *r)
{
	struct slice rest = { r->to->rest, r->to->rest + strlen(r->to->rest) };
	const char *kind = rest.at, *type;
	struct words words = { 0 };
	int found;

	while (rest.at < rest.end && !text_blank(rest.at, rest.end))
		rest.at++;
	if (rest.at == kind)
		return 0;
	type = arena_text(r->memory, kind, rest.at - kind);
	rest = text_trim_left(rest);
	if (!type || words_add(r->memory, &r->words, type) < 0)
		return -1;
	found = json_words(r->memory, rest.at, &words, r->e);
	r->json = found > 0;
	if (found < 0 && r->e && r->e->column)
		r->at = rest.at + r->e->column - 1;
	if (found == 0 && rest.at < rest.end)
		return words_add(r->memory, &r->words, rest.at);
	for (size_t i = 0; i < words.count; i++) {
		if (words_add(r->memory, &r->words, words.item[i]) < 0)
			return -1;
	}
	return found < 0 ? -1 : 0;
}

/* Take keyword and flags off the trimmed TEXT, and split what is left in the keyword's way. */
static int split_line(struct reading *r, const char *text)
{
	const char *end = words_blank(text);

	r->to->text = text;
	r->to->name = arena_text(r->memory, text, end - text);
	if (!r->to->name)
		return -1;
	r->form = form_of(r->to->name);
	r->to->rest = words_split_flags(r->memory, end, r->escape, &r->to->flags);
	if (!r->to->rest)
		return -1;
	return r->form ? r->form->split(r) : 0;
}

/* What follows ONBUILD is split to see whether that works; its meaning is looked at later. */
static int split_trigger(struct reading *r)
{
	struct instruction inner = { 0 };
	struct reading split = {
		.memory = r->memory, .escape = r->escape, .to = &inner, .e = r->e,
	};

	if (!*r->to->rest)
		return 0;
	if (strncasecmp(r->to->rest, "ONBUILD", words_blank(r->to->rest) - r->to->rest) == 0)
		return words_add(r->memory, &r->words, "ONBUILD");
	if (split_line(&split, r->to->rest) < 0) {
		r->at = split.at ? split.at : r->to->rest;
		return -1;
	}
	r->trigger = split.form;
	r->json = split.json;
	return words_add(r->memory, &r->words, inner.name);
}

/* --- the table ------------------------------------------------------------------------------- */

static const struct form forms[] = {
	[KEYWORD_ADD] = { "ADD", split_list, arguments_copy, {
		{ "chown", FLAG_TEXT }, { "chmod", FLAG_TEXT }, { "link", FLAG_BOOLEAN },
		{ "exclude", FLAG_LIST }, { "checksum", FLAG_TEXT },
		{ "keep-git-dir", FLAG_BOOLEAN }, { "unpack", FLAG_BOOLEAN },
	}, .takes_heredocs = true },
	[KEYWORD_ARG] = { "ARG", split_names, arguments_pairs, .ignores_flags = true },
	[KEYWORD_CMD] = { "CMD", split_command, arguments_command },
	[KEYWORD_COPY] = { "COPY", split_list, arguments_copy, {
		{ "chown", FLAG_TEXT }, { "chmod", FLAG_TEXT }, { "link", FLAG_BOOLEAN },
		{ "exclude", FLAG_LIST }, { "from", FLAG_TEXT }, { "parents", FLAG_BOOLEAN },
	}, .takes_heredocs = true },
	[KEYWORD_ENTRYPOINT] = { "ENTRYPOINT", split_command, arguments_command },
	[KEYWORD_ENV] = { "ENV", split_pairs, arguments_pairs },
	[KEYWORD_EXPOSE] = { "EXPOSE", split_words, arguments_words },
	[KEYWORD_FROM] = { "FROM", split_words, arguments_from, { { "platform", FLAG_TEXT } } },
	[KEYWORD_HEALTHCHECK] = { "HEALTHCHECK", split_check, arguments_healthcheck, {
		{ "interval", FLAG_TEXT }, { "timeout", FLAG_TEXT }, { "start-period", FLAG_TEXT },
		{ "start-interval", FLAG_TEXT }, { "retries", FLAG_TEXT },
	} },
	[KEYWORD_LABEL] = { "LABEL", split_pairs, arguments_pairs },
	[KEYWORD_MAINTAINER] = { "MAINTAINER", split_text, arguments_text },
	[KEYWORD_ONBUILD] = { "ONBUILD", split_trigger, arguments_trigger },
	[KEYWORD_RUN] = { "RUN", split_command, arguments_run, {
		{ "mount", FLAG_LIST }, { "network", FLAG_TEXT }, { "security", FLAG_TEXT },
		{ "device", FLAG_LIST },
	}, .takes_heredocs = true },
	[KEYWORD_SHELL] = { "SHELL", split_command, arguments_shell },
	[KEYWORD_STOPSIGNAL] = { "STOPSIGNAL", split_text, arguments_text, .ignores_flags = true },
	[KEYWORD_USER] = { "USER", split_text, arguments_text },
	[KEYWORD_VOLUME] = { "VOLUME", split_list, arguments_volume },
	[KEYWORD_WORKDIR] = { "WORKDIR", split_text, arguments_text },
};

#define FORM_COUNT (sizeof forms / sizeof *forms)

const char *keyword_name(enum keyword keyword)
{
	return forms[keyword].name;
}

static const struct form *form_of(const char *name)
{
	for (size_t i = 0; i < FORM_COUNT; i++) {
		if (text_same(forms[i].name, name))
			return &forms[i];
	}
	return NULL;
}

/* The suggestion is spelled in capitals only when the word is. */
static int unknown_instruction(struct reading *r)
{
	char upper[16], lower[FORM_COUNT][16];
	const char *options[FORM_COUNT];
	const char *name = r->to->name;
	bool capitals = true;

	syntax_error_set(r->e, "unknown instruction: %.200s", name);
	if (!r->e || strlen(name) >= sizeof upper)
		return -1;
	for (size_t i = 0; i <= strlen(name); i++) {
		capitals &= toupper(name[i]) == name[i];
		upper[i] = toupper(name[i]);
	}
	for (size_t i = 0; i < FORM_COUNT; i++) {
		options[i] = forms[i].name;
		for (size_t k = 0; k <= strlen(forms[i].name); k++)
			lower[i][k] = tolower(forms[i].name[k]);
	}
	if (capitals)
		return suggest(r->e, upper, options, FORM_COUNT);
	for (size_t i = 0; i < FORM_COUNT; i++)
		options[i] = lower[i];
	for (size_t i = 0; upper[i]; i++)
		upper[i] = tolower(upper[i]);
	return suggest(r->e, upper, options, FORM_COUNT);
}

/* --- both steps ------------------------------------------------------------------------------ */

int instruction_split(struct reading *r, const struct logical_line *line)
{
	struct slice whole = { line->text, line->text + line->size };
	struct slice trimmed = text_trim(whole);
	const char *text = line->text;

	if (trimmed.end < whole.end)
		text = arena_text(r->memory, trimmed.at, trimmed.end - trimmed.at);
	if (!text)
		return -1;
	r->line = line->text;
	r->to->first_line = line->first_line;
	r->to->column = line->column;
	r->to->joint = line->joint;
	r->to->joint_count = line->joint_count;
	if (split_line(r, text) < 0)
		return -1;
	if (!r->form)
		return unknown_instruction(r);
	r->to->keyword = r->form - forms;
	return 0;
}

bool instruction_takes_heredocs(const struct reading *r)
{
	const struct form *form = r->form == &forms[KEYWORD_ONBUILD] ? r->trigger : r->form;

	return form && form->takes_heredocs && !r->json && strstr(r->to->text, "<<");
}

int instruction_type(struct reading *r)
{
	struct flag_value values[FLAGS_MAX] = { 0 };
	const struct form *form = r->form;
	const struct words *flags = &r->to->flags;
	size_t known = 0, read = flags->count;

	while (known < FLAGS_MAX && form->flags[known].name)
		known++;
	/* HEALTHCHECK NONE ignores its flags, as in BuildKit. */
	if (!form->ignores_flags && !arguments_are_none(r))
		read = flags_read(r->memory, flags, form->flags, known, values, r->e);
	if (read == flags->count)
		return form->type(r, values);
	r->at = words_flag(words_blank(r->to->text), r->escape, read);
	return -1;
}
