#include "builder/plan/plan.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "parser/place.h"
#include "parser/suggest.h"

/* 10 MB of instructions need 150 MB; what needs this much was made to. */
#define PLAN_SIZE_MAX (512 << 20)

static __attribute__((format(printf, 3, 0)))
int fail(struct planner *p, const struct instruction *place, const char *fmt, va_list ap)
{
	p->e = (struct mistake){ 0 };
	if (place)
		p->e = (struct mistake){ .first_line = place->first_line,
		                         .last_line = place->last_line };
	p->e.error.kind = ERROR_INPUT;
	vsnprintf(p->e.error.text, sizeof p->e.error.text, fmt, ap);
	return -1;
}

int plan_fail(struct planner *p, const struct instruction *place, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail(p, place, fmt, ap);
	va_end(ap);
	return -1;
}

static __attribute__((format(printf, 5, 0)))
void fail_at(struct planner *p, const struct clause *c, const char *word, int column,
             const char *fmt, va_list ap)
{
	/* A trigger's words are not where people find it. */
	const char *at = c && word && !c->trigger ? instruction_find(c->in, word, column) : NULL;

	fail(p, c ? c->place : NULL, fmt, ap);
	if (at) {
		struct place place = instruction_place(c->in, at);

		p->e.line = place.line;
		p->e.column = place.column;
	}
}

int plan_fail_at(struct planner *p, const struct clause *c, const char *word, int column,
                 const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(p, c, word, column, fmt, ap);
	va_end(ap);
	return -1;
}

int plan_miss(struct planner *p, const struct clause *c, const char *word, int column,
              const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fail_at(p, c, word, column, fmt, ap);
	va_end(ap);
	if (p->mistakes->count > 0)
		p->e.error.kind = ERROR_NONE;
	return -1;
}

int plan_hint(struct planner *p, const char *near)
{
	size_t used = strlen(p->e.error.text);

	if (near)
		snprintf(p->e.error.text + used, sizeof p->e.error.text - used,
		         " (did you mean %s?)", near);
	return -1;
}

int plan_no_memory(struct planner *p)
{
	p->e = (struct mistake){ 0 };
	if (p->memory && arena_full(p->memory))
		return error_set(&p->e.error, ERROR_UNSUPPORTED, "the plan of this Dockerfile needs more "
		                 "than %d MiB: every RUN has its own copy of the ARGs before it, and "
		                 "every variable its whole value", PLAN_SIZE_MAX >> 20);
	return error_memory(&p->e.error);
}

int plan_survive(struct planner *p, int result)
{
	enum error_kind kind = p->e.error.kind;

	if (result == 0 || kind == ERROR_NONE)
		return 0;
	if (kind != ERROR_INPUT && kind != ERROR_NOT_FOUND && kind != ERROR_DENIED)
		return -1;
	mistakes_add(p->mistakes, &p->e);
	return 0;
}

const char *plan_text(struct planner *p, const char *fmt, ...)
{
	char few[512];
	char *text = NULL;
	va_list ap, again;
	int size;

	va_start(ap, fmt);
	va_copy(again, ap);
	size = vsnprintf(few, sizeof few, fmt, ap);
	if (size >= 0 && (size_t)size < sizeof few) {
		text = arena_text(p->memory, few, (size_t)size);
	} else if (size >= 0) {
		text = arena_array(p->memory, (size_t)size + 1, 1);
		if (text)
			vsnprintf(text, (size_t)size + 1, fmt, again);
	}
	va_end(again);
	va_end(ap);
	if (!text)
		plan_no_memory(p);
	return text;
}

const char *plan_keep(struct planner *p, const char *text)
{
	const char *kept = arena_text(p->memory, text, strlen(text));

	if (!kept)
		plan_no_memory(p);
	return kept;
}

FILE *plan_pieces(struct planner *p)
{
	if (!p->pieces)
		p->pieces = memory_stream_open(&p->pieces_text, &p->pieces_size);
	if (!p->pieces || fseeko(p->pieces, 0, SEEK_SET) < 0) {
		plan_no_memory(p);
		return NULL;
	}
	return p->pieces;
}

const char *plan_keep_pieces(struct planner *p)
{
	off_t size = ftello(p->pieces);
	const char *kept = NULL;

	if (fflush(p->pieces) == 0 && !ferror(p->pieces) && size >= 0)
		kept = arena_text(p->memory, p->pieces_text, (size_t)size);
	if (!kept)
		plan_no_memory(p);
	return kept;
}

static void release_pieces(struct planner *p)
{
	if (p->pieces)
		fclose(p->pieces);
	free(p->pieces_text);
}

/* --- variables -------------------------------------------------------------------------------- */

static const char *look_up(void *context, const char *name)
{
	struct stage_names *names = context;
	struct draft *d = names->draft;
	const char *value = variables_get(&d->env, name);

	if (!value && !d->names_unknown && !names->silent && !variables_have(&d->args, name))
		lint_undefined(names->planner, names->clause, name, &d->env,
			       names->findings_before);
	return value;
}

void plan_expansion(struct planner *p, struct draft *d, const struct clause *c,
                    struct stage_names *names, struct expansion *how)
{
	*names = (struct stage_names){ .planner = p, .draft = d, .clause = c,
	                               .findings_before = p->plan->finding_count };
	*how = (struct expansion){ look_up, names, p->file->escape };
}

int plan_fail_expansion(struct planner *p, const struct clause *c, const char *word,
                        const struct syntax_error *wrong)
{
	if (wrong->unset)
		return plan_miss(p, c, word, wrong->column, "%s", wrong->text);
	return plan_fail_at(p, c, word, wrong->column, "%s", wrong->text);
}

const char *plan_expand(struct planner *p, struct draft *d, const struct clause *c,
                        const char *word)
{
	struct stage_names names;
	struct expansion how;
	struct syntax_error wrong;
	auto_free char *value = NULL;

	plan_expansion(p, d, c, &names, &how);
	value = expand(word, &how, &wrong);
	if (!value) {
		plan_fail_expansion(p, c, word, &wrong);
		return NULL;
	}
	return plan_keep(p, value);
}

static int collect_build_args(struct planner *p)
{
	for (size_t i = 0; i < p->options->arg_count; i++) {
		const struct build_arg *arg = &p->options->arg[i];

		if (!variables_set(&p->build_args, p->memory, arg->name, arg->value))
			return plan_no_memory(p);
	}
	return 0;
}

static int find_platforms(struct planner *p)
{
	platform_host(&p->build);
	p->target = p->build;
	p->e = (struct mistake){ 0 };
	if (p->options->platform &&
	    platform_parse(p->options->platform, &p->target, &p->e.error) < 0)
		return error_context(&p->e.error, "--platform");
	return 0;
}

/* The name that TARGETSTAGE has: what was asked for, else the last stage's. */
static const char *target_name(const struct planner *p)
{
	const char *name = p->options->target;

	for (size_t i = p->file->count; !name && i-- > 0;)
		if (p->file->instruction[i].keyword == KEYWORD_FROM) {
			name = p->file->instruction[i].from.name;
			break;
		}
	return name ? name : "default";
}

/* Dockerfile reference, "Automatic platform ARGs in the global scope"; TARGETSTAGE besides. */
static int automatic_args(struct planner *p, struct variables *into)
{
	char build[PLATFORM_TEXT], target[PLATFORM_TEXT];
	const struct variable automatic[] = {
		{ "BUILDPLATFORM", platform_format(&p->build, build) },
		{ "BUILDOS", p->build.os },
		{ "BUILDOSVERSION", p->build.os_version },
		{ "BUILDARCH", p->build.architecture },
		{ "BUILDVARIANT", p->build.variant },
		{ "TARGETPLATFORM", platform_format(&p->target, target) },
		{ "TARGETOS", p->target.os },
		{ "TARGETOSVERSION", p->target.os_version },
		{ "TARGETARCH", p->target.architecture },
		{ "TARGETVARIANT", p->target.variant },
		{ "TARGETSTAGE", target_name(p) },
	};

	for (size_t i = 0; i < sizeof automatic / sizeof *automatic; i++) {
		const char *value = variables_get(&p->build_args, automatic[i].name);

		value = plan_keep(p, value ? value : automatic[i].value);
		if (!value || !variables_set(into, p->memory, automatic[i].name, value))
			return plan_no_memory(p);
	}
	return 0;
}

static const char *look_up_plainly(void *names, const char *name)
{
	return variables_get(names, name);
}

int plan_plain_arg(struct planner *p, struct variables *into, const struct instruction *in,
                   const struct pair *arg, const char *value)
{
	struct expansion how = { look_up_plainly, into, p->file->escape };
	auto_free char *own = NULL;
	struct syntax_error wrong;

	if (!value && !arg->value)
		return 0;
	if (!value) {
		own = expand(arg->value, &how, &wrong);
		if (!own)
			return plan_fail_expansion(p, &(struct clause){ .in = in, .place = in },
			                           arg->value, &wrong);
		value = plan_keep(p, own);
	}
	return value && variables_set(into, p->memory, arg->name, value) ? 0 : plan_no_memory(p);
}

/* The instructions before the first FROM: ARGs. */
static size_t count_global(const struct dockerfile *file)
{
	size_t count = 0;

	while (count < file->count && file->instruction[count].keyword == KEYWORD_ARG)
		count++;
	return count;
}

static int global_args(struct planner *p)
{
	for (size_t i = 0; i < count_global(p->file); i++) {
		const struct instruction *in = &p->file->instruction[i];

		for (size_t k = 0; k < in->pairs.count; k++) {
			const struct pair *arg = &in->pairs.item[k];
			const char *value = variables_get(&p->build_args, arg->name);

			if (plan_survive(p, plan_plain_arg(p, &p->global, in, arg, value)) < 0)
				return -1;
		}
	}
	return 0;
}

/* The same as if nobody gave a --build-arg. */
static int default_args(struct planner *p, struct variables *into)
{
	for (size_t i = 0; i < count_global(p->file); i++) {
		const struct instruction *in = &p->file->instruction[i];

		for (size_t k = 0; k < in->pairs.count; k++)
			if (plan_plain_arg(p, into, in, &in->pairs.item[k], NULL) < 0)
				return -1;
	}
	return 0;
}

/* Would the FROM lines make sense to somebody who gives no --build-arg? */
static int check_defaults(struct planner *p)
{
	struct variables defaults = { 0 };
	struct expansion how = { look_up_plainly, &defaults, p->file->escape };

	if (automatic_args(p, &defaults) < 0)
		return -1;
	if (default_args(p, &defaults) < 0)
		return arena_exhausted(p->memory) ? -1 : 0; /* it will fail for everybody */
	for (size_t i = 0; i < p->file->count; i++) {
		const struct instruction *in = &p->file->instruction[i];
		auto_free char *image = NULL;

		if (in->keyword != KEYWORD_FROM)
			continue;
		image = expand(in->from.image, &how, NULL);
		if (!image)
			return 0;
		lint_default_image(p, in, image);
	}
	return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static int find_target(struct planner *p)
{
	const char *wanted = p->options->target;
	auto_free const char **names = NULL;
	size_t found;

	p->plan->target = p->named_count - 1;
	if (!wanted)
		return 0;
	found = plan_find_stage(p, wanted);
	if (found != NO_STAGE) {
		p->plan->target = found;
		return 0;
	}
	names = calloc(p->named_count, sizeof *names);
	if (!names)
		return plan_no_memory(p);
	for (size_t i = 0; i < p->named_count; i++)
		names[i] = p->plan->stage[i].name;
	plan_miss(p, NULL, NULL, 0, "target stage \"%s\" could not be found", wanted);
	return plan_hint(p, suggestion(wanted, names, p->named_count));
}

/* --platform is what the image is for, whatever its base said. */
static int set_platform(struct planner *p, json_t *config)
{
	struct platform platform;
	bool same;

	config_platform(config, &platform);
	if (p->options->platform) {
		same = strcmp(platform.os, p->target.os) == 0 &&
		       strcmp(platform.architecture, p->target.architecture) == 0;
		if (!same || *p->target.variant)
			platform = p->target;
	}
	if (!*platform.os || !*platform.architecture)
		return 0;
	return config_set_platform(config, &platform) ? 0 : plan_no_memory(p);
}

/* What the command line says about the image itself. */
static int dress_target(struct planner *p)
{
	json_t *config = p->plan->stage[p->plan->target].config;

	if (!config)
		return 0;
	for (size_t i = 0; i < p->options->label_count; i++) {
		const char *pair = p->options->label[i], *equals = strchrnul(pair, '=');
		const char *name = plan_text(p, "%.*s", (int)(equals - pair), pair);

		if (!name || !config_label(config, name, *equals ? equals + 1 : ""))
			return plan_no_memory(p);
	}
	return set_platform(p, config);
}

/* What every stage must be, needed or not. */
static int make_stages(struct planner *p)
{
	if (check_defaults(p) < 0 || automatic_args(p, &p->global) < 0 || global_args(p) < 0 ||
	    plan_survive(p, plan_epoch(p)) < 0 || plan_stages(p) < 0)
		return -1;
	if (p->named_count == 0)
		return plan_miss(p, NULL, NULL, 0, "dockerfile contains no stages to build");
	return plan_survive(p, find_target(p)) < 0 ? -1 : plan_needs(p);
}

static int make(struct planner *p)
{
	mistakes_add_syntax(p->mistakes, p->file);
	if (collect_build_args(p) < 0 || find_platforms(p) < 0 || lint_begin(p) < 0)
		return -1;
	lint_file(p);
	if (make_stages(p) < 0)
		return -1;
	if (arena_exhausted(p->memory))
		return plan_no_memory(p);
	for (size_t i = 0; i < p->plan->count; i++)
		if (p->plan->stage[i].needed && plan_stage(p, i) < 0)
			return -1;
	if (p->mistakes->count > 0)
		return 0;
	if (dress_target(p) < 0)
		return -1;
	if (p->options->checks_only && plan_args(p) < 0)
		return -1;
	lint_end(p);
	return arena_exhausted(p->memory) ? plan_no_memory(p) : 0;
}

struct plan *plan_make(const struct dockerfile *file, const struct plan_options *options,
                       struct mistakes *mistakes)
{
	struct planner p = { .file = file, .options = options, .mistakes = mistakes };
	bool findings;

	memset(mistakes, 0, sizeof *mistakes);
	p.plan = calloc(1, sizeof *p.plan);
	if (!p.plan || !(p.memory = p.plan->memory = arena_new())) {
		free(p.plan);
		plan_no_memory(&p);
		mistakes_add(mistakes, &p.e);
		return NULL;
	}
	p.plan->file = file;
	arena_limit(p.memory, PLAN_SIZE_MAX);
	if (make(&p) < 0 && p.e.error.kind != ERROR_NONE)
		mistakes_add(mistakes, &p.e);
	release_pieces(&p);
	if (mistakes->count == 0)
		return p.plan;
	findings = options->checks_only && file->error_count == 0 && p.plan->finding_count > 0;
	if (findings) {
		lint_end(&p);
		return p.plan;
	}
	plan_free(p.plan);
	return NULL;
}

void plan_free(struct plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++) {
		struct stage *stage = &plan->stage[i];

		json_decref(stage->config);
		for (size_t j = 0; j < stage->step_count; j++) {
			if (stage->step[j].kind != STEP_RUN)
				continue;
			for (size_t k = 0; k < stage->step[j].run.mount_count; k++)
				mount_release(&stage->step[j].run.mount[k].mount);
		}
	}
	for (size_t i = 0; i < plan->trigger_count; i++)
		dockerfile_free(plan->trigger[i]);
	arena_free(plan->memory);
	free(plan);
}
