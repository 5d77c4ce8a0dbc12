#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "layers/scope.h"
#include "parser/suggest.h"
#include "registry/reference.h"

/* --- FROM ------------------------------------------------------------------------------------- */

/* The variables that one word of FROM used, for the checks. */
struct from_names {
	const struct planner *p;
	struct variables *found, *missing;
};

static const char *look_up(void *context, const char *name)
{
	struct from_names *names = context;
	const char *value = variables_get(&names->p->global, name);
	const char *kept = arena_text(names->p->memory, name, strlen(name));

	if (kept)
		variables_set(value ? names->found : names->missing, names->p->memory, kept, value);
	return value;
}

/* The name nearest to one of those that MISSING were meant to be. */
static const char *nearest_global(const struct planner *p, const struct variables *missing)
{
	for (size_t i = 0; i < missing->count; i++) {
		const char *near = variables_nearest(&p->global, missing->item[i].name);

		if (near)
			return near;
	}
	return NULL;
}

static int expand_platform(struct planner *p, struct draft *d, const struct instruction *in)
{
	struct variables found = { 0 }, missing = { 0 };
	struct from_names names = { p, &found, &missing };
	struct expansion how = { look_up, &names, p->file->escape };
	struct syntax_error wrong;
	auto_free char *value = expand(in->from.platform, &how, &wrong);
	const char *near = nearest_global(p, &missing);
	struct error e;

	lint_from_names(p, in, &missing);
	if (!value)
		return plan_fail(p, in, "%s", wrong.text);
	lint_platform(p, in, value, &found, &missing);
	if (!*value)
		plan_fail(p, in, "empty platform value from expression %s", in->from.platform);
	else if (platform_parse(value, &d->platform, &e) < 0)
		plan_fail(p, in, "failed to parse platform %s: %s", in->from.platform, e.text);
	else
		return 0;
	if (near) {
		size_t used = strlen(p->e->error.text);

		snprintf(p->e->error.text + used, sizeof p->e->error.text - used,
		         " (did you mean %s?)", near);
	}
	return -1;
}

static int expand_image(struct planner *p, struct draft *d, const struct instruction *in)
{
	struct variables found = { 0 }, missing = { 0 };
	struct from_names names = { p, &found, &missing };
	struct expansion how = { look_up, &names, p->file->escape };
	struct syntax_error wrong;
	auto_free char *value = expand(in->from.image, &how, &wrong);

	lint_from_names(p, in, &missing);
	if (!value)
		return plan_fail(p, in, "%s", wrong.text);
	if (!*value)
		return plan_fail(p, in, "base name (%s) should not be blank", in->from.image);
	d->image = plan_keep(p, value);
	return d->image ? 0 : -1;
}

static const char *lower(struct planner *p, const char *text)
{
	char *copy = arena_text(p->memory, text, strlen(text));

	if (!copy) {
		plan_no_memory(p);
		return NULL;
	}
	for (char *c = copy; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return copy;
}

/* --- what a stage stands on ------------------------------------------------------------------- */

static int base_context(struct stage *s, const char *context)
{
	s->base_kind = BASE_CONTEXT;
	s->base_context = context;
	return 0;
}

/* IMAGE is for the resolver; a reference must be one even where nobody needs the stage. */
static int base_image(struct planner *p, struct stage *s, struct draft *d, const char *image)
{
	struct reference ignored;
	struct error e;

	if (strcmp(image, "scratch") == 0) {
		s->base_kind = BASE_SCRATCH;
		return 0;
	}
	s->base_kind = BASE_IMAGE;
	d->image = image;
	if (strncmp(image, "oci-layout://", 13) != 0 && reference_parse(image, &ignored, &e) < 0)
		return plan_fail(p, d->place, "failed to parse stage name \"%s\": %s", image,
				 e.text);
	return 0;
}

static int base_of_meaning(struct planner *p, struct stage *s, struct draft *d,
                           const struct context_meaning *context)
{
	if (context->kind == CONTEXT_FILES)
		return base_context(s, context->name);
	if (context->kind == CONTEXT_IMAGE)
		return base_image(p, s, d, context->image);
	s->base_kind = BASE_STAGE;
	s->base_stage = plan_find_stage(p, context->image);
	if (s->base_stage == NO_STAGE || s->base_stage >= d->stage)
		return plan_fail(p, d->place, "context %s: no stage \"%s\" before this line",
				 context->name, context->image);
	return 0;
}

/* An earlier stage of exactly that name, a named context, nothing at all, or an image. */
static int find_base(struct planner *p, struct stage *s, struct draft *d)
{
	struct context_meaning context;

	for (size_t i = d->stage; i-- > 0;)
		if (p->plan->stage[i].named && strcmp(p->plan->stage[i].name, d->image) == 0) {
			s->base_kind = BASE_STAGE;
			s->base_stage = i;
			return 0;
		}
	if (plan_context(p, d->image, &d->platform, &context) < 0)
		return -1;
	return context.kind == CONTEXT_NONE ? base_image(p, s, d, d->image) :
	       base_of_meaning(p, s, d, &context);
}

/* --- declaring -------------------------------------------------------------------------------- */

static size_t add_stage(struct planner *p, const struct instruction *place)
{
	size_t i = p->plan->count;
	struct stage *stage = array_room(p->memory, p->plan->stage, i, sizeof *stage);
	struct draft *draft = array_room(p->memory, p->draft, i, sizeof *draft);

	if (!stage || !draft) {
		plan_no_memory(p);
		return NO_STAGE;
	}
	p->plan->stage = stage;
	p->draft = draft;
	p->plan->count++;
	stage[i] = (struct stage){ .base_stage = NO_STAGE };
	draft[i] = (struct draft){ .stage = i, .place = place, .platform = p->target };
	return i;
}

static int declare_stage(struct planner *p, const struct instruction *in)
{
	size_t i = add_stage(p, in);
	struct stage *s = i == NO_STAGE ? NULL : &p->plan->stage[i];
	struct draft *d = i == NO_STAGE ? NULL : &p->draft[i];
	struct context_meaning context = { 0 };

	if (!s)
		return -1;
	p->named_count = i + 1;
	s->from = in;
	s->named = in->from.name;
	s->name = s->named ? lower(p, in->from.name) : plan_text(p, "stage-%zu", i);
	if (!s->name || expand_image(p, d, in) < 0)
		return -1;
	if (in->from.platform) {
		d->platform_said = true;
		if (expand_platform(p, d, in) < 0)
			return -1;
	}
	if (s->named && plan_context(p, s->name, &d->platform, &context) < 0)
		return -1;
	d->replaced = context.kind != CONTEXT_NONE;
	return d->replaced ? base_of_meaning(p, s, d, &context) : find_base(p, s, d);
}

/* The commands between FROM and the next one. */
static int take_commands(struct planner *p, struct draft *d, const struct instruction *from)
{
	const struct instruction *in = from + 1, *end = p->file->instruction + p->file->count;
	size_t count = 0;

	while (in + count < end && in[count].keyword != KEYWORD_FROM)
		count++;
	d->clause = arena_array(p->memory, count, sizeof *d->clause);
	if (!d->clause)
		return plan_no_memory(p);
	for (size_t i = 0; i < count; i++)
		d->clause[i] = (struct clause){ .in = &in[i], .place = &in[i] };
	d->clause_count = count;
	return 0;
}

int plan_stages(struct planner *p)
{
	for (size_t i = 0; i < p->file->count; i++) {
		const struct instruction *in = &p->file->instruction[i];

		if (in->keyword == KEYWORD_FROM &&
		    (declare_stage(p, in) < 0 ||
		     take_commands(p, &p->draft[p->named_count - 1], in) < 0))
			return -1;
	}
	if (p->named_count == 0)
		return plan_fail(p, NULL, "dockerfile contains no stages to build");
	return 0;
}

size_t plan_image_stage(struct planner *p, const char *image, const struct instruction *place)
{
	size_t i;

	for (i = p->named_count; i < p->plan->count; i++)
		if (strcmp(p->plan->stage[i].name, image) == 0)
			return i;
	i = add_stage(p, place);
	if (i == NO_STAGE)
		return i;
	image = p->plan->stage[i].name = plan_keep(p, image);
	if (!image || base_image(p, &p->plan->stage[i], &p->draft[i], image) < 0)
		return NO_STAGE;
	return i;
}

size_t plan_find_stage(const struct planner *p, const char *name)
{
	for (size_t i = p->plan->count; i-- > 0;)
		if (p->plan->stage[i].named && strcasecmp(p->plan->stage[i].name, name) == 0)
			return i;
	return NO_STAGE;
}

/* --- which are needed ------------------------------------------------------------------------- */

/* Nobody is told "alpien" is denied without a hint. */
static void suggest_image(struct planner *p, const char *image)
{
	static const char *const common[] = {
		"alpine", "busybox", "centos", "debian", "golang", "ubuntu", "fedora",
	};
	const size_t common_count = sizeof common / sizeof *common;
	auto_free const char **names = calloc(p->named_count + common_count, sizeof *names);
	const char *near;
	size_t count = 0, used = strlen(p->e->error.text);

	if (!names)
		return;
	for (size_t i = 0; i < p->named_count; i++)
		if (p->plan->stage[i].named)
			names[count++] = p->plan->stage[i].name;
	for (size_t i = 0; i < common_count; i++)
		names[count++] = common[i];
	near = suggestion(image, names, count);
	if (near)
		snprintf(p->e->error.text + used, sizeof p->e->error.text - used,
		         " (did you mean %s?)", near);
}

static int resolve(struct planner *p, size_t stage)
{
	struct stage *s = &p->plan->stage[stage];
	struct draft *d = &p->draft[stage];
	char platform[PLATFORM_TEXT];
	struct platform have;

	d->names_unknown = !p->options->resolve;
	if (!p->options->resolve)
		return 0;
	platform_format(&d->platform, platform);
	if (p->options->resolve(p->options->context_pointer, d->image, platform, &s->base,
	                        &p->e->error) < 0) {
		p->e->first_line = d->place->first_line;
		p->e->last_line = d->place->last_line;
		suggest_image(p, d->image);
		return -1;
	}
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
			*text = array_room(p->memory, *text, *count, sizeof **text);
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
	struct dockerfile **all = array_room(p->memory, p->plan->trigger, p->plan->trigger_count,
	                                     sizeof *all);

	if (!file || !all) {
		dockerfile_free(file);
		return plan_no_memory(p);
	}
	p->plan->trigger = all;
	all[p->plan->trigger_count++] = file;
	if (file->error_count > 0 || file->count != 1)
		return plan_fail(p, from, "ONBUILD %s: %s", text,
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
	size_t count, own = p->draft[stage].clause_count;

	if (base_triggers(p, stage, &text, &count) < 0)
		return -1;
	if (count == 0)
		return 0;
	clause = arena_array(p->memory, count + own, sizeof *clause);
	if (!clause)
		return plan_no_memory(p);
	for (size_t i = 0; i < count; i++)
		if (parse_trigger(p, text[i], p->plan->stage[stage].from, &clause[i]) < 0 ||
		    plan_origins(p, &clause[i]) < 0)
			return -1;
	memcpy(clause + count, p->draft[stage].clause, own * sizeof *clause);
	p->draft[stage].clause = clause;
	p->draft[stage].clause_count += count;
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
		return plan_fail(p, c->place, "cannot mount from stage \"%s\", stage needs to be"
				 " defined before current command", name);
	return plan_fail(p, c->place, "cannot copy from stage \"%s\", it needs to be defined"
			 " before current stage \"%s\"", c->in->copy.from,
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
			if (mark_origin(p, stage, &d->clause[i], j) < 0)
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
			if (plan_origins(p, &p->draft[i].clause[j]) < 0)
				return -1;
	if (plan_check_circles(p) < 0)
		return -1;
	p->plan->stage[p->plan->target].needed = true;
	for (size_t i = p->named_count; i-- > 0;) {
		p->plan->stage[i].needed |= all;
		if (p->plan->stage[i].needed && mark_needs(p, i) < 0)
			return -1;
	}
	if (p->options->expect && p->options->resolve && expect_images(p) < 0)
		return -1;
	return resolve_bases(p);
}
