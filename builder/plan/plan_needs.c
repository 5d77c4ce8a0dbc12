#include <stdlib.h>
#include <string.h>

#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "layers/scope.h"
#include "parser/suggest.h"

/* Nobody is told "alpien" is denied without a hint. */
static void suggest_image(struct planner *p, const char *image)
{
	static const char *const common[] = {
		"alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora",
	};
	const size_t common_count = sizeof common / sizeof *common;
	auto_free const char **names = calloc(p->named_count + common_count, sizeof *names);
	size_t count = 0;

	if (!names)
		return;
	for (size_t i = 0; i < p->named_count; i++)
		if (p->plan->stage[i].named)
			names[count++] = p->plan->stage[i].name;
	for (size_t i = 0; i < common_count; i++)
		names[count++] = common[i];
	plan_hint(p, suggestion(image, names, count));
}

static int resolve(struct planner *p, size_t stage)
{
	struct stage *s = &p->plan->stage[stage];
	struct draft *d = &p->draft[stage];
	char platform[PLATFORM_TEXT];
	struct platform have;
	struct error e = { 0 };

	d->names_unknown = true;
	if (!p->asks)
		return 0;
	platform_format(&d->platform, platform);
	if (p->options->resolve(p->options->context_pointer, d->image, platform, &s->base, &e) < 0) {
		plan_fail_at(p, &(struct clause){ .in = d->place, .place = d->place }, d->image, 0,
		             "%s", "");
		p->e.error = e;
		suggest_image(p, d->image);
		return plan_survive(p, -1);
	}
	d->names_unknown = false;
	config_platform(s->base->config, &have);
	if (strcmp(have.os, d->platform.os) != 0 ||
	    strcmp(have.architecture, d->platform.architecture) != 0)
		lint_base_platform(p, d, &have);
	return 0;
}

/* The texts that ONBUILD left in what STAGE stands on, in order: of its image, or of its parent
 * stage in this file. */
static int base_triggers(struct planner *p, size_t stage, const char ***text, size_t *count)
{
	const struct stage *s = &p->plan->stage[stage];
	const json_t *list = s->base ? config_get(s->base->config, "OnBuild") : NULL;

	*text = NULL;
	*count = 0;
	if (s->base_kind == BASE_STAGE && !p->draft[stage].replaced) {
		const struct draft *parent = &p->draft[s->base_stage];

		for (size_t i = 0; i < parent->clause_count; i++) {
			const struct instruction *in = parent->clause[i].in;

			if (in->keyword != KEYWORD_ONBUILD)
				continue;
			*text = arena_room(p->memory, *text, *count, sizeof **text);
			if (!*text)
				return plan_no_memory(p);
			(*text)[(*count)++] = in->trigger;
		}
	} else if (json_is_array(list) && s->from && !p->draft[stage].replaced) {
		*count = json_array_size(list);
		*text = arena_array(p->memory, *count, sizeof **text);
		for (size_t i = 0; *text && i < *count; i++)
			if (!((*text)[i] = json_string_value(json_array_get(list, i))))
				return plan_fail(p, s->from, "%s: config.OnBuild holds no texts",
						 p->draft[stage].image);
	}
	return *count && !*text ? plan_no_memory(p) : 0;
}

static int parse_trigger(struct planner *p, const char *text, const struct instruction *from,
                         struct clause *c)
{
	struct dockerfile *file = dockerfile_parse_trigger(text);
	struct dockerfile **all = arena_room(p->memory, p->plan->trigger, p->plan->trigger_count,
	                                     sizeof *all);

	if (!file || !all) {
		dockerfile_free(file);
		return plan_no_memory(p);
	}
	p->plan->trigger = all;
	all[p->plan->trigger_count++] = file;
	/* An image must not add lines to what we say. */
	if (file->error_count > 0 || file->count != 1)
		return plan_fail(p, from, "ONBUILD %.*s: %s", (int)strcspn(text, "\n"), text,
		                 file->error_count ? file->error[0].text :
		                 "onbuild trigger should be a single expression");
	*c = (struct clause){ .in = file->instruction, .place = from, .trigger = true };
	return 0;
}

/* Put what the base left for its children in front of the stage's own commands. */
static int take_triggers(struct planner *p, size_t stage)
{
	struct clause *clause;
	const char **text;
	size_t count, good = 0, own = p->draft[stage].clause_count;

	if (base_triggers(p, stage, &text, &count) < 0)
		return -1;
	if (count == 0)
		return 0;
	clause = arena_array(p->memory, count + own, sizeof *clause);
	if (!clause)
		return plan_no_memory(p);
	for (size_t i = 0; i < count; i++) {
		int result = parse_trigger(p, text[i], p->plan->stage[stage].from, &clause[good]);

		if (result == 0)
			result = plan_origins(p, &clause[good]);
		good += result == 0;
		if (plan_survive(p, result) < 0)
			return -1;
	}
	memcpy(clause + good, p->draft[stage].clause, own * sizeof *clause);
	p->draft[stage].clause = clause;
	p->draft[stage].clause_count += good;
	return 0;
}

static int mark_origin(struct planner *p, size_t stage, const struct clause *c, size_t i)
{
	size_t from = plan_origin_stage(p, c, i);
	const char *name = from == NO_STAGE ? NULL : p->plan->stage[from].name;

	if (c->has_origin[i] && c->origin[i].kind == ORIGIN_STAGE)
		p->plan->stage[c->origin[i].stage].needed = true;
	if (from == NO_STAGE || from < stage)
		return 0;
	if (c->in->keyword == KEYWORD_RUN)
		return plan_fail_at(p, c, c->in->run.mounts.item[i], 0, "cannot mount from stage "
		                    "\"%s\", stage needs to be defined before current command",
		                    name);
	return plan_fail_at(p, c, c->in->copy.from, 0, "cannot copy from stage \"%s\", it needs to "
	                    "be defined before current stage \"%s\"", c->in->copy.from,
	                    p->plan->stage[stage].name);
}

/* Mark the stages that STAGE reads or stands on: always stages before it. */
static int mark_needs(struct planner *p, size_t stage)
{
	const struct stage *s = &p->plan->stage[stage];
	const struct draft *d = &p->draft[stage];

	if (s->base_kind == BASE_STAGE)
		p->plan->stage[s->base_stage].needed = true;
	for (size_t i = 0; !d->replaced && i < d->clause_count; i++)
		for (size_t j = 0; j < d->clause[i].origin_count; j++)
			if (plan_survive(p, mark_origin(p, stage, &d->clause[i], j)) < 0)
				return -1;
	return 0;
}

/* Tell the resolver what it will be asked for, as far as that is known before ONBUILD is. */
static int expect_images(struct planner *p)
{
	auto_free const char **images = calloc(p->plan->count, sizeof *images);
	auto_free bool *told = calloc(p->plan->count, sizeof *told);

	if (!images || !told)
		return plan_no_memory(p);
	for (size_t i = 0; i < p->plan->count; i++) {
		char platform[PLATFORM_TEXT], other[PLATFORM_TEXT];
		size_t count = 0;

		platform_format(&p->draft[i].platform, platform);
		for (size_t j = i; j < p->plan->count; j++) {
			const struct stage *s = &p->plan->stage[j];

			if (told[j] || !s->needed || s->base_kind != BASE_IMAGE ||
			    strcmp(platform_format(&p->draft[j].platform, other), platform) != 0)
				continue;
			told[j] = true;
			images[count++] = p->draft[j].image;
		}
		if (count > 0)
			p->options->expect(p->options->context_pointer, images, count, platform);
	}
	return 0;
}

/* What the bases bring besides: their configs, and triggers, which may need more stages. */
static int resolve_bases(struct planner *p)
{
	for (size_t i = p->named_count; i-- > 0;) {
		if (!p->plan->stage[i].needed)
			continue;
		if ((p->plan->stage[i].base_kind == BASE_IMAGE && resolve(p, i) < 0) ||
		    take_triggers(p, i) < 0 || mark_needs(p, i) < 0)
			return -1;
	}
	for (size_t i = p->named_count; i < p->plan->count; i++)
		if (p->plan->stage[i].needed && p->plan->stage[i].base_kind == BASE_IMAGE &&
		    resolve(p, i) < 0)
			return -1;
	return 0;
}

int plan_needs(struct planner *p)
{
	bool all = p->options->checks_only && !p->options->target;

	for (size_t i = 0; i < p->named_count; i++)
		for (size_t j = 0; j < p->draft[i].clause_count; j++)
			if (plan_survive(p, plan_origins(p, &p->draft[i].clause[j])) < 0)
				return -1;
	if (plan_survive(p, plan_check_circles(p)) < 0)
		return -1;
	p->plan->stage[p->plan->target].needed = true;
	for (size_t i = p->named_count; i-- > 0;) {
		p->plan->stage[i].needed |= all;
		if (p->plan->stage[i].needed && mark_needs(p, i) < 0)
			return -1;
	}
	p->asks = p->options->resolve && p->mistakes->count == 0;
	if (p->asks && p->options->expect && expect_images(p) < 0)
		return -1;
	return resolve_bases(p);
}
