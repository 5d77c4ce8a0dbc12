/* SOURCE_DATE_EPOCH: a number of seconds, or the name of something that has a time.
 *
 * That is a context, or a stage made for this: on scratch, with nothing but ARGs and one ADD of a
 * URL or repository. Source: BuildKit, frontend/dockerfile/dockerfile2llb/epoch.go.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan/planner.h"
#include "layers/scope.h"

static const char name[] = "SOURCE_DATE_EPOCH";

static const char *look_up(void *names, const char *wanted)
{
	return variables_get(names, wanted);
}

/* WORD of IN with the variables KNOWN; NULL and p->e. */
static const char *plain_value(struct planner *p, const struct instruction *in, const char *word,
                               struct variables *known)
{
	struct expansion how = { look_up, known, p->file->escape };
	struct syntax_error wrong;
	auto_free char *value = expand(word, &how, &wrong);

	if (value)
		return plan_keep(p, value);
	plan_fail_expansion(p, &(struct clause){ .in = in, .place = in }, word, &wrong);
	return NULL;
}

/* --- a stage ---------------------------------------------------------------------------------- */

static const struct instruction *find_stage(const struct planner *p, const char *stage)
{
	for (size_t i = 0; i < p->file->count; i++) {
		const struct instruction *in = &p->file->instruction[i];

		if (in->keyword == KEYWORD_FROM && in->from.name &&
		    strcasecmp(in->from.name, stage) == 0)
			return in;
	}
	return NULL;
}

static int take_args(struct planner *p, const struct instruction *in, struct variables *known)
{
	for (size_t i = 0; i < in->pairs.count; i++) {
		const struct pair *arg = &in->pairs.item[i];
		const char *given = variables_get(&p->build_args, arg->name);

		if (plan_plain_arg(p, known, in, arg, given) < 0)
			return -1;
	}
	return 0;
}

static int take_add(struct planner *p, const struct instruction *in, struct variables *known,
                    struct time_source *source)
{
	const struct copy *add = &in->copy;

	if (source->place)
		return plan_fail(p, in, "%s stage must contain exactly one remote ADD", name);
	if (add->source_count != 1 || add->source[0].heredoc)
		return plan_fail(p, in, "%s stage must contain exactly one remote ADD source",
		                 name);
	source->place = plain_value(p, in, add->source[0].word, known);
	if (!source->place)
		return -1;
	source->kind = plan_source_kind(source->place);
	if (source->kind == SOURCE_PATH)
		return plan_fail(p, in, "%s stage source must be a single HTTP(S) or Git ADD",
		                 name);
	if (!add->checksum)
		return 0;
	source->checksum = plain_value(p, in, add->checksum, known);
	return source->checksum ? 0 : -1;
}

/* The one source of the stage that FROM begins. */
static int stage_source(struct planner *p, const struct instruction *from,
                        struct time_source *source)
{
	const struct instruction *end = p->file->instruction + p->file->count;
	struct variables known = { 0 };
	const char *image;

	if (!variables_copy(&known, &p->global, p->memory))
		return plan_no_memory(p);
	image = plain_value(p, from, from->from.image, &known);
	if (!image)
		return -1;
	if (strcmp(image, "scratch") != 0)
		return plan_fail(p, from, "%s stage must use FROM scratch", name);
	for (const struct instruction *in = from + 1;
	     in < end && in->keyword != KEYWORD_FROM; in++) {
		int result = in->keyword == KEYWORD_ARG ? take_args(p, in, &known) :
		             in->keyword == KEYWORD_ADD ? take_add(p, in, &known, source) :
		             plan_fail(p, in, "%s stage does not meet source-only requirements: "
		                       "unsupported %s instruction", name,
		                       keyword_name(in->keyword));

		if (result < 0)
			return -1;
	}
	if (!source->place)
		return plan_fail(p, from, "%s stage must contain exactly one remote ADD", name);
	return 0;
}

/* --- what a name stands for ------------------------------------------------------------------- */

/* Ask when what VALUE names was changed. Images and folders have no time. */
static int find_time(struct planner *p, const char *value)
{
	const struct instruction *from = NULL;
	struct context_meaning context = { 0 };
	struct time_source source = { 0 };
	struct error e;

	if (strcmp(value, "context") != 0) {
		if (plan_context(p, value, &p->target, &context) < 0)
			return -1;
		from = context.kind == CONTEXT_NONE ? find_stage(p, value) : NULL;
		if (context.kind == CONTEXT_NONE && !from)
			return plan_fail(p, NULL, "invalid %s: %s", name, value);
		if (context.kind == CONTEXT_IMAGE || context.kind == CONTEXT_STAGE)
			return 0;
		source.context = context.name;
	}
	if (from && stage_source(p, from, &source) < 0)
		return -1;
	if (!p->options->time_of || p->options->checks_only || p->mistakes->count > 0)
		return 0;
	if (p->options->time_of(p->options->context_pointer, &source, &p->plan->epoch, &e) < 0)
		return plan_fail(p, from, "%s: %s", name, e.text);
	return 0;
}

/* Where NAME has a value, it gets TEXT. */
static int replace(struct planner *p, struct variables *v, const char *text)
{
	return !variables_have(v, name) || variables_set(v, p->memory, name, text) ?
	       0 : plan_no_memory(p);
}

int plan_epoch(struct planner *p)
{
	const char *value = variables_get(&p->build_args, name), *number;
	char *end;

	p->plan->epoch = -1;
	if (!value)
		value = variables_get(&p->global, name);
	if (!value || !*value)
		return 0;
	errno = 0;
	p->plan->epoch = strtoll(value, &end, 10);
	if (*end || errno || p->plan->epoch < 0) {
		p->plan->epoch = -1;
		if (find_time(p, value) < 0)
			return -1;
	}
	if (p->plan->epoch < 0)
		return variables_remove(&p->build_args, p->memory, name) &&
		       variables_remove(&p->global, p->memory, name) ? 0 : plan_no_memory(p);
	number = plan_text(p, "%lld", (long long)p->plan->epoch);
	return !number || replace(p, &p->build_args, number) < 0 ? -1 :
	       replace(p, &p->global, number);
}
