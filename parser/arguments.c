#include "parser/arguments.h"

#include <ctype.h>
#include <string.h>
#include "parser/arena.h"
#include "parser/healthcheck.h"
#include "parser/heredoc.h"
#include "parser/mount.h"
#include "parser/place.h"
#include "parser/words.h"

static const char *keyword(const struct reading *r)
{
	return keyword_name(r->to->keyword);
}

/* What is said of the instruction next is about WORD, from its byte COLUMN on. */
static void point(struct reading *r, const char *word, int column)
{
	r->at = instruction_find(r->to, word, column);
}

static int needs_one(struct reading *r)
{
	return syntax_error_set(r->e, "%s requires at least one argument", keyword(r));
}

int arguments_words(struct reading *r, const struct flag_value *flags)
{
	(void)flags;
	r->to->words = r->words;
	return r->words.count ? 0 : needs_one(r);
}

int arguments_volume(struct reading *r, const struct flag_value *flags)
{
	if (arguments_words(r, flags) < 0)
		return -1;
	for (size_t i = 0; i < r->words.count; i++) {
		const char *word = r->words.item[i];
		struct slice trimmed = text_trim((struct slice){ word, word + strlen(word) });

		if (trimmed.at == trimmed.end) {
			point(r, "\"\"", 0);
			return syntax_error_set(r->e,
			                        "VOLUME specified can not be an empty string");
		}
		r->words.item[i] = arena_text(r->memory, trimmed.at, trimmed.end - trimmed.at);
		if (!r->words.item[i])
			return -1;
	}
	return 0;
}

int arguments_text(struct reading *r, const struct flag_value *flags)
{
	(void)flags;
	if (!r->words.count)
		return syntax_error_set(r->e, "%s requires exactly one argument", keyword(r));
	r->to->argument = r->words.item[0];
	return 0;
}

int arguments_command(struct reading *r, const struct flag_value *flags)
{
	struct command *command = &r->to->command;

	(void)flags;
	command->exec = r->json;
	if (r->json)
		command->words = r->words;
	else
		command->text = r->to->rest;
	return 0;
}

int arguments_shell(struct reading *r, const struct flag_value *flags)
{
	if (arguments_words(r, flags) < 0)
		return -1;
	if (r->json)
		return 0;
	r->at = r->to->rest;
	return syntax_error_set(r->e, "SHELL requires the arguments to be in JSON form");
}

int arguments_pairs(struct reading *r, const struct flag_value *flags)
{
	struct pairs *pairs = &r->to->pairs;
	size_t step = pairs->legacy ? 2 : 1;

	(void)flags;
	if (!r->words.count)
		return needs_one(r);
	pairs->item = arena_array(r->memory, r->words.count, sizeof *pairs->item);
	if (!pairs->item)
		return -1;
	for (size_t i = 0; i < r->words.count; i += step) {
		const char *word = r->words.item[i], *equals = strchrnul(word, '=');
		struct pair *pair = &pairs->item[pairs->count++];

		if (equals == word) {
			point(r, word, 0);
			return syntax_error_set(r->e, "%s names can not be blank", keyword(r));
		}
		pair->name = word;
		if (pairs->legacy) {
			pair->value = r->words.item[i + 1];
		} else if (*equals) {
			pair->name = arena_text(r->memory, word, equals - word);
			pair->value = equals + 1;
		}
		if (!pair->name)
			return -1;
	}
	return 0;
}

static bool is_stage_name(const char *name)
{
	if (!isalpha((unsigned char)*name))
		return false;
	for (; *name; name++) {
		if (!isalnum((unsigned char)*name) && !strchr("-_.", *name))
			return false;
	}
	return true;
}

/* What FLAG says. An empty text, as "--platform=", is as good as no flag. */
static const char *said(const struct flag_value *flag)
{
	return flag->text && *flag->text ? flag->text : NULL;
}

int arguments_from(struct reading *r, const struct flag_value *flags)
{
	const char **word = r->words.item;
	struct from *from = &r->to->from;
	char *name;

	if (r->words.count != 1 && (r->words.count != 3 || !text_same(word[1], "as"))) {
		if (r->words.count > 1)
			point(r, word[r->words.count > 3 && text_same(word[1], "as") ? 3 : 1], 0);
		return syntax_error_set(r->e, "FROM requires either one or three arguments");
	}
	from->image = word[0];
	from->platform = said(&flags[0]);
	if (r->words.count == 1)
		return 0;
	from->as = word[1];
	from->typed_name = word[2];
	from->name = name = arena_text(r->memory, word[2], strlen(word[2]));
	if (!name)
		return -1;
	for (; *name; name++)
		*name = tolower((unsigned char)*name);
	if (is_stage_name(from->name))
		return 0;
	point(r, word[2], 0);
	return syntax_error_set(r->e, "invalid name for build stage: \"%.100s\", name can't start "
	                        "with a number or contain symbols", word[2]);
}

/* What the shell gets instead of the line COMMAND, which opens DOCS. */
static const char *script(struct arena *a, const char *command, const struct heredocs *docs,
                          bool alone)
{
	size_t size = strlen(command) + 1;
	char *text, *end;

	if (alone)
		return docs->item[0].body;
	for (size_t i = 0; i < docs->count; i++)
		size += 1 + strlen(docs->item[i].content) + strlen(docs->item[i].name);
	text = arena_array(a, size, 1);
	if (!text)
		return NULL;
	end = stpcpy(text, command);
	for (size_t i = 0; i < docs->count; i++) {
		*end++ = '\n';
		end = stpcpy(stpcpy(end, docs->item[i].content), docs->item[i].name);
	}
	return text;
}

int arguments_run(struct reading *r, const struct flag_value *flags)
{
	const struct heredocs *docs = &r->to->heredocs;
	struct run *run = &r->to->run;
	struct heredoc doc;
	bool alone;

	run->command = (struct command){ .exec = r->json, .words = { 0 } };
	if (r->json)
		run->command.words = r->words;
	else
		run->command.text = r->to->rest;
	if (r->json && !r->words.count) {
		r->at = r->to->rest;
		return syntax_error_set(r->e, "RUN: arguments are required");
	}
	run->mounts = flags[RUN_MOUNT].list;
	run->network = flags[RUN_NETWORK].text;
	run->security = flags[RUN_SECURITY].text;
	run->devices = flags[RUN_DEVICE].list;
	for (size_t i = 0; i < run->mounts.count; i++) {
		struct mount mount;

		if (mount_parse(run->mounts.item[i], NULL, &mount, r->e) < 0) {
			point(r, run->mounts.item[i], r->e ? r->e->column : 0);
			return -1;
		}
		mount_release(&mount);
	}
	if (!docs->count)
		return 0;
	alone = heredoc_opener(r->memory, run->command.text, &doc, NULL) > 0;
	run->script = script(r->memory, run->command.text, docs, alone);
	run->script_is_program = alone && strncmp(docs->item[0].content, "#!", 2) == 0;
	return run->script ? 0 : -1;
}

/* The last of DOCS that is called NAME: a name used twice means the later body. */
static const struct heredoc *called(const struct heredocs *docs, const char *name)
{
	for (size_t i = docs->count; i > 0; i--) {
		if (strcmp(docs->item[i - 1].name, name) == 0)
			return &docs->item[i - 1];
	}
	return NULL;
}

static int copy_sources(struct reading *r, struct copy *copy)
{
	struct heredoc doc;
	size_t last = r->words.count - 1;

	if (!r->json && heredoc_opener(r->memory, r->words.item[last], &doc, NULL) > 0) {
		point(r, r->words.item[last], 0);
		return syntax_error_set(r->e, "%s cannot accept a heredoc as a destination",
		                        keyword(r));
	}
	copy->destination = r->words.item[last];
	copy->source = arena_array(r->memory, last, sizeof *copy->source);
	if (!copy->source)
		return -1;
	copy->source_count = last;
	for (size_t i = 0; i < last; i++) {
		copy->source[i].word = r->words.item[i];
		if (!r->json && heredoc_opener(r->memory, r->words.item[i], &doc, NULL) > 0)
			copy->source[i].heredoc = called(&r->to->heredocs, doc.name);
	}
	return 0;
}

static enum choice choice(const struct flag_value *flag)
{
	return !flag->given ? CHOICE_NOT_MADE : flag->yes ? CHOICE_YES : CHOICE_NO;
}

int arguments_copy(struct reading *r, const struct flag_value *flags)
{
	struct copy *copy = &r->to->copy;
	const char *dollar;

	if (r->words.count < 2)
		return syntax_error_set(r->e, "%s requires at least two arguments, but only one "
		                        "was provided. Destination could not be determined",
		                        keyword(r));
	copy->chown = said(&flags[COPY_CHOWN]);
	copy->chmod = said(&flags[COPY_CHMOD]);
	copy->link = flags[COPY_LINK].yes;
	copy->excludes = flags[COPY_EXCLUDE].list;
	if (r->to->keyword == KEYWORD_COPY) {
		copy->from = said(&flags[COPY_FROM]);
		copy->parents = flags[COPY_PARENTS].yes;
	} else {
		copy->checksum = said(&flags[ADD_CHECKSUM]);
		copy->keep_git_dir = choice(&flags[ADD_KEEP_GIT_DIR]);
		copy->unpack = choice(&flags[ADD_UNPACK]);
	}
	dollar = copy->from ? strchr(copy->from, '$') : NULL;
	if (!dollar || !dollar[1])
		return copy_sources(r, copy);
	point(r, copy->from, dollar - copy->from + 1);
	return syntax_error_set(r->e, "'--from' doesn't support variable expansion, define alias "
	                        "stage instead");
}

bool arguments_are_none(const struct reading *r)
{
	return r->to->keyword == KEYWORD_HEALTHCHECK && r->words.count > 0 &&
	       text_same(r->words.item[0], "NONE");
}

static int healthcheck_flags(struct reading *r, const struct flag_value *flags)
{
	static const char *const name[] = {
		"interval", "timeout", "start-period", "start-interval",
	};
	struct healthcheck *check = &r->to->healthcheck;
	int64_t *ns[] = { &check->interval_ns, &check->timeout_ns, &check->start_period_ns,
	                  &check->start_interval_ns };
	const char *retries = flags[HEALTHCHECK_RETRIES].text;

	for (size_t i = 0; i < sizeof ns / sizeof *ns; i++) {
		const char *text = flags[HEALTHCHECK_INTERVAL + i].text;

		if (text && *text && healthcheck_duration(name[i], text, ns[i], r->e) < 0) {
			point(r, text, 0);
			return -1;
		}
	}
	if (!retries || !*retries || healthcheck_retries(retries, &check->retries, r->e) == 0)
		return 0;
	point(r, retries, 0);
	return -1;
}

int arguments_healthcheck(struct reading *r, const struct flag_value *flags)
{
	struct words *test = &r->to->healthcheck.test;
	const char *kind;

	if (!r->words.count)
		return needs_one(r);
	*test = r->words;
	kind = test->item[0];
	if (arguments_are_none(r)) {
		test->item[0] = "NONE";
		if (test->count == 1)
			return 0;
		point(r, test->item[1], 0);
		return syntax_error_set(r->e, "HEALTHCHECK NONE takes no arguments");
	}
	if (!text_same(kind, "CMD")) {
		point(r, kind, 0);
		return syntax_error_set(r->e, "Unknown type \"%.150s\" in HEALTHCHECK (try CMD)",
		                        kind);
	}
	if (test->count == 1)
		return syntax_error_set(r->e, "Missing command after HEALTHCHECK CMD");
	test->item[0] = r->json ? "CMD" : "CMD-SHELL";
	return healthcheck_flags(r, flags);
}

int arguments_trigger(struct reading *r, const struct flag_value *flags)
{
	struct heredocs none = { 0 }, *docs = r->to->heredocs.count ? &r->to->heredocs : &none;
	const char *line = words_past_blanks(words_blank(r->line)), *name;

	(void)flags;
	if (!r->words.count)
		return needs_one(r);
	name = r->words.item[0];
	r->at = r->to->rest;
	if (text_same(name, "ONBUILD"))
		return syntax_error_set(r->e,
		                        "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
	if (text_same(name, "FROM") || text_same(name, "MAINTAINER"))
		return syntax_error_set(r->e, "%s isn't allowed as an ONBUILD trigger",
		                        text_same(name, "FROM") ? "FROM" : "MAINTAINER");
	r->to->trigger = docs->count ? script(r->memory, line, docs, false) : line;
	return r->to->trigger ? 0 : -1;
}
