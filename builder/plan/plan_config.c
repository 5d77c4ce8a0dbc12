#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "builder/plan/history.h"
#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "builder/plan/ports.h"
#include "builder/plan/signals.h"
#include "layers/scope.h"

/* Build args that steer the builder, and are never seen by a command. */
static bool is_control_arg(const char *name)
{
	return strcmp(name, "BUILDKIT_SBOM_SCAN_CONTEXT") == 0 ||
	       strcmp(name, "BUILDKIT_SBOM_SCAN_STAGE") == 0;
}

int plan_history(struct planner *p, struct draft *d, const char *created_by,
                 const struct step *step)
{
	struct stage *s = draft_stage(p, d);

	s->history = arena_room(p->memory, s->history, s->history_count, sizeof *s->history);
	if (!s->history || !created_by)
		return plan_no_memory(p);
	s->history[s->history_count++] = (struct history){ created_by, NULL, step };
	return 0;
}

/* A text of history under way. */
static FILE *text_begin(struct planner *p, const char *keyword)
{
	FILE *f = plan_pieces(p);

	if (f)
		fputs(keyword, f);
	return f;
}

static int text_end(struct planner *p, struct draft *d)
{
	const char *text = plan_keep_pieces(p);

	return text ? plan_history(p, d, text, NULL) : -1;
}

/* --- one function for each kind --------------------------------------------------------------- */

static int apply_arg(struct planner *p, struct draft *d, const struct clause *c)
{
	FILE *f = text_begin(p, "ARG");

	if (!f)
		return -1;
	for (size_t i = 0; i < c->in->pairs.count; i++) {
		const char *name = c->in->pairs.item[i].name;
		const char *value = variables_get(&p->build_args, name);

		lint_secret_name(p, c, "ARG", name);
		if (!value && c->in->pairs.item[i].value &&
		    !(value = plan_expand(p, d, c, c->in->pairs.item[i].value)))
			return -1;
		if (!value)
			value = variables_get(&p->global, name);
		if (!variables_set(&d->args, p->memory, name, value) ||
		    (value && !is_control_arg(name) &&
		     !variables_set(&d->env, p->memory, name, value)))
			return plan_no_memory(p);
		fprintf(f, value ? " %s=%s" : " %s", name, value);
	}
	return text_end(p, d);
}

/* All pairs of a line are expanded with the values from before the line. */
static struct variable *expand_pairs(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct pairs *pairs = &c->in->pairs;
	struct variable *item = arena_array(p->memory, pairs->count, sizeof *item);

	if (!item) {
		plan_no_memory(p);
		return NULL;
	}
	for (size_t i = 0; i < pairs->count; i++) {
		item[i].name = plan_expand(p, d, c, pairs->item[i].name);
		if (item[i].name)
			item[i].value = plan_expand(p, d, c, pairs->item[i].value);
		if (!item[i].value)
			return NULL;
	}
	return item;
}

static int apply_env(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct variable *item = expand_pairs(p, d, c);
	FILE *f = item ? text_begin(p, "ENV") : NULL;

	if (!f)
		return -1;
	for (size_t i = 0; i < c->in->pairs.count; i++) {
		lint_legacy_pairs(p, c);
		lint_secret_name(p, c, "ENV", item[i].name);
		fprintf(f, " %s=%s", item[i].name, item[i].value);
		if (!variables_set(&d->env, p->memory, item[i].name, item[i].value) ||
		    !variables_set(&d->image_env, p->memory, item[i].name, item[i].value))
			return plan_no_memory(p);
	}
	return text_end(p, d);
}

static int apply_label(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct variable *item = expand_pairs(p, d, c);
	FILE *f = item ? text_begin(p, "LABEL") : NULL;

	if (!f)
		return -1;
	for (size_t i = 0; i < c->in->pairs.count; i++) {
		lint_legacy_pairs(p, c);
		fprintf(f, " %s=%s", item[i].name, item[i].value);
		if (!config_label(draft_stage(p, d)->config, item[i].name, item[i].value))
			return plan_no_memory(p);
	}
	return text_end(p, d);
}

static int apply_maintainer(struct planner *p, struct draft *d, const struct clause *c)
{
	if (json_object_set_new(draft_stage(p, d)->config, "author",
	                        config_string(c->in->argument)) < 0)
		return plan_no_memory(p);
	return plan_history(p, d, plan_text(p, "MAINTAINER %s", c->in->argument), NULL);
}

static int apply_user(struct planner *p, struct draft *d, const struct clause *c)
{
	const char *user = plan_expand(p, d, c, c->in->argument);

	if (!user)
		return -1;
	if (!config_set_text(draft_stage(p, d)->config, "User", user))
		return plan_no_memory(p);
	return plan_history(p, d, plan_text(p, "USER %s", user), NULL);
}

static int apply_stopsignal(struct planner *p, struct draft *d, const struct clause *c)
{
	const char *name = plan_expand(p, d, c, c->in->argument);

	if (!name)
		return -1;
	if (!signal_is_known(name))
		return plan_fail_at(p, c, c->in->argument, 0, "invalid signal: %s", name);
	if (!config_set_text(draft_stage(p, d)->config, "StopSignal", name))
		return plan_no_memory(p);
	return plan_history(p, d, plan_text(p, "STOPSIGNAL %s", name), NULL);
}

static int apply_shell(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct words *words = &c->in->words;
	FILE *f;

	if (!config_set_words(draft_stage(p, d)->config, "Shell", words->item, words->count))
		return plan_no_memory(p);
	f = text_begin(p, "SHELL ");
	if (!f)
		return -1;
	history_plain(f, words->item, words->count);
	return text_end(p, d);
}

static const char *trimmed(struct planner *p, const char *text)
{
	size_t size;

	text += strspn(text, " \t\n\v\f\r");
	for (size = strlen(text); size > 0 && isspace((unsigned char)text[size - 1]); size--)
		;
	return plan_text(p, "%.*s", (int)size, text);
}

static int apply_volume(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct words *words = &c->in->words;
	auto_free const char **paths = calloc(words->count + 1, sizeof *paths);
	FILE *f;

	if (!paths)
		return plan_no_memory(p);
	for (size_t i = 0; i < words->count; i++) {
		const char *typed = trimmed(p, words->item[i]);

		paths[i] = typed ? plan_expand(p, d, c, typed) : NULL;
		if (!paths[i])
			return -1;
		if (!*paths[i])
			return plan_fail_at(p, c, words->item[i], 0,
			                    "VOLUME specified can not be an empty string");
		if (!config_add(draft_stage(p, d)->config, "Volumes", paths[i]))
			return plan_no_memory(p);
	}
	f = text_begin(p, "VOLUME ");
	if (!f)
		return -1;
	history_plain(f, paths, words->count);
	return text_end(p, d);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* One word of EXPOSE, which variables may make several or none. */
static int expose_word(struct planner *p, struct draft *d, const struct clause *c,
                       const char *word, struct ports *ports)
{
	struct stage_names names;
	struct expansion how;
	struct syntax_error wrong;
	struct error e;
	auto_free char **words = NULL;

	plan_expansion(p, d, c, &names, &how);
	names.silent = true;
	words = expand_words(word, &how, NULL, &wrong);
	if (!words)
		return plan_fail_expansion(p, c, word, &wrong);
	for (size_t i = 0; words[i]; i++) {
		struct port_range range;

		if (port_parse(words[i], &range, &e) < 0)
			return plan_fail_at(p, c, word, 0, "%s", e.text);
		lint_port(p, c, words[i], &range);
		if (ports_add(ports, &range) < 0)
			return plan_no_memory(p);
	}
	return 0;
}

static int expose_history(struct planner *p, struct draft *d, const struct ports *ports)
{
	FILE *f = text_begin(p, "EXPOSE ");

	if (!f)
		return -1;
	history_plain(f, (const char *const *)ports->item, ports->count);
	return text_end(p, d);
}

static int apply_expose(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct words *words = &c->in->words;
	auto_free const char **sorted = calloc(words->count + 1, sizeof *sorted);
	struct ports ports = { 0 };
	int result = sorted ? 0 : plan_no_memory(p);

	for (size_t i = 0; sorted && i < words->count; i++)
		sorted[i] = words->item[i];
	if (sorted)
		qsort(sorted, words->count, sizeof *sorted, by_text);
	for (size_t i = 0; result == 0 && i < words->count; i++)
		result = expose_word(p, d, c, sorted[i], &ports);
	for (size_t i = 0; result == 0 && i < ports.count; i++)
		if (!config_add(draft_stage(p, d)->config, "ExposedPorts", ports.item[i]))
			result = plan_no_memory(p);
	if (result == 0)
		result = expose_history(p, d, &ports);
	ports_release(&ports);
	return result;
}

/* --- commands --------------------------------------------------------------------------------- */

const char *const *plan_shell(struct planner *p, struct draft *d, const char *text, size_t *count)
{
	static const char *const usual[] = { "/bin/sh", "-c" };
	const json_t *shell = config_get(draft_stage(p, d)->config, "Shell");
	size_t own = json_array_size(shell), size = own ? own : 2;
	const char **words = arena_array(p->memory, size + 2, sizeof *words);

	if (!words) {
		plan_no_memory(p);
		return NULL;
	}
	for (size_t i = 0; i < size; i++) {
		words[i] =
			own ? plan_keep(p, json_string_value(json_array_get(shell, i))) : usual[i];
		if (!words[i])
			return NULL;
	}
	words[size] = text;
	*count = size + 1;
	return words;
}

/* CMD and ENTRYPOINT. */
static int apply_command(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct command_words {
		const char *key, *keyword;
	} names = c->in->keyword == KEYWORD_CMD
			  ? (struct command_words){"Cmd", "CMD "}
			  : (struct command_words){"Entrypoint", "ENTRYPOINT "};
	json_t *config = draft_stage(p, d)->config;
	const char *const *words = c->in->command.words.item;
	size_t count = c->in->command.words.count;
	FILE *f;

	lint_only_last(p, d, c);
	if (!c->in->command.exec) {
		if (json_array_size(config_get(config, "Shell")) == 0)
			lint_json_args(p, c);
		words = plan_shell(p, d, c->in->command.text, &count);
		if (!words)
			return -1;
	}
	if (!config_set_words(config, names.key, words, count))
		return plan_no_memory(p);
	if (c->in->keyword == KEYWORD_CMD) {
		if (!config_set(config, "ArgsEscaped", json_true()))
			return plan_no_memory(p);
	} else if (!d->last_of[0]) {
		config_clear(config, "Cmd");
	}
	d->last_of[c->in->keyword == KEYWORD_CMD ? 0 : 1] = c->place;
	f = text_begin(p, names.keyword);
	if (!f)
		return -1;
	history_quoted(f, words, count);
	return text_end(p, d);
}

static int apply_healthcheck(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct healthcheck *h = &c->in->healthcheck;
	const struct {
		const char *key;
		int64_t ns;
	} times[] = {
		{ "Interval", h->interval_ns },
		{ "Timeout", h->timeout_ns },
		{ "StartPeriod", h->start_period_ns },
		{ "StartInterval", h->start_interval_ns },
	};
	json_t *config = draft_stage(p, d)->config, *health = json_object();
	FILE *f;

	lint_only_last(p, d, c);
	d->last_of[2] = c->place;
	/* The value is set first and filled then: it has an owner whatever happens. */
	if (!config_set(config, "Healthcheck", health) || !(f = text_begin(p, "HEALTHCHECK ")))
		return plan_no_memory(p);
	/* As Go prints a pointer to a struct with %q. */
	fputs("&{", f);
	history_quoted(f, h->test.item, h->test.count);
	json_object_set_new(health, "Test", json_array());
	for (size_t i = 0; i < h->test.count; i++)
		json_array_append_new(json_object_get(health, "Test"),
				      config_string(h->test.item[i]));
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		fputs(" \"", f);
		history_duration(f, times[i].ns);
		fputc('"', f);
		if (times[i].ns)
			json_object_set_new(health, times[i].key, json_integer(times[i].ns));
	}
	fputc(' ', f);
	history_rune(f, (uint32_t)h->retries);
	fputc('}', f);
	if (h->retries)
		json_object_set_new(health, "Retries", json_integer(h->retries));
	return text_end(p, d);
}

static int apply_onbuild(struct planner *p, struct draft *d, const struct clause *c)
{
	return config_append(draft_stage(p, d)->config, "OnBuild", c->in->trigger) ?
	       0 : plan_no_memory(p);
}

/* --- all of them ------------------------------------------------------------------------------ */

static int (*const apply[])(struct planner *, struct draft *, const struct clause *) = {
	[KEYWORD_ADD] = plan_copy,
	[KEYWORD_ARG] = apply_arg,
	[KEYWORD_CMD] = apply_command,
	[KEYWORD_COPY] = plan_copy,
	[KEYWORD_ENTRYPOINT] = apply_command,
	[KEYWORD_ENV] = apply_env,
	[KEYWORD_EXPOSE] = apply_expose,
	[KEYWORD_HEALTHCHECK] = apply_healthcheck,
	[KEYWORD_LABEL] = apply_label,
	[KEYWORD_MAINTAINER] = apply_maintainer,
	[KEYWORD_ONBUILD] = apply_onbuild,
	[KEYWORD_RUN] = plan_run,
	[KEYWORD_SHELL] = apply_shell,
	[KEYWORD_STOPSIGNAL] = apply_stopsignal,
	[KEYWORD_USER] = apply_user,
	[KEYWORD_VOLUME] = apply_volume,
	[KEYWORD_WORKDIR] = plan_workdir,
};

int plan_apply(struct planner *p, struct draft *d, const struct clause *c)
{
	return apply[c->in->keyword](p, d, c);
}
