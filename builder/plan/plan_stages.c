#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "layers/scope.h"
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

/* The value of WORD, with the names it FOUND and those that are MISSING. The caller frees it; NULL
 * when it has none. */
static char *expand_from(struct planner *p, const struct clause *c, const char *word,
                         struct variables *found, struct variables *missing)
{
	struct from_names names = { p, found, missing };
	struct expansion how = { look_up, &names, p->file->escape };
	struct syntax_error wrong;
	char *value = expand(word, &how, &wrong);

	lint_from_names(p, c->in, missing);
	if (value)
		return value;
	plan_fail_expansion(p, c, word, &wrong);
	return NULL;
}

static int expand_platform(struct planner *p, struct draft *d, const struct clause *c)
{
	const char *word = c->in->from.platform;
	struct variables found = { 0 }, missing = { 0 };
	auto_free char *value = expand_from(p, c, word, &found, &missing);
	struct error e;

	if (!value)
		return -1;
	lint_platform(p, c->in, value, &found, &missing);
	if (!*value)
		plan_fail_at(p, c, word, 0, "empty platform value from expression %s", word);
	else if (platform_parse(value, &d->platform, &e) < 0)
		plan_fail_at(p, c, word, 0, "failed to parse platform %s: %s", word, e.text);
	else
		return 0;
	return plan_hint(p, nearest_global(p, &missing));
}

static int expand_image(struct planner *p, struct draft *d, const struct clause *c)
{
	struct variables found = { 0 }, missing = { 0 };
	const char *word = c->in->from.image;
	auto_free char *value = expand_from(p, c, word, &found, &missing);

	if (!value)
		return -1;
	if (!*value)
		return plan_miss(p, c, word, 0, "base name (%s) should not be blank", word);
	d->image = plan_keep(p, value);
	return d->image ? 0 : -1;
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
		return plan_fail_at(p, &(struct clause){ .in = d->place, .place = d->place }, image, 0,
		                    "failed to parse stage name \"%s\": %s", image, e.text);
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
	if (s->base_stage != NO_STAGE && s->base_stage < d->stage)
		return 0;
	s->base_kind = BASE_SCRATCH;
	s->base_stage = NO_STAGE;
	return plan_miss(p, &(struct clause){ .in = d->place, .place = d->place }, NULL, 0,
	                 "context %s: no stage \"%s\" before this line", context->name,
	                 context->image);
}

/* An earlier stage of exactly that name, a named context, nothing at all, or an image. */
static int find_base(struct planner *p, struct stage *s, struct draft *d)
{
	struct context_meaning context;

	s->base_stage = names_find(&p->stage_names, d->image);
	if (s->base_stage != NO_STAGE) {
		s->base_kind = BASE_STAGE;
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
	struct stage *stage = arena_room(p->memory, p->plan->stage, i, sizeof *stage);
	struct draft *draft = arena_room(p->memory, p->draft, i, sizeof *draft);

	if (!stage || !draft) {
		plan_no_memory(p);
		return NO_STAGE;
	}
	p->plan->stage = stage;
	p->draft = draft;
	p->plan->count++;
	stage[i] = (struct stage){ .base_stage = NO_STAGE };
	draft[i] = (struct draft){ .stage = i, .place = place, .platform = p->target,
	                           .names_unknown = p->file->error_count > 0 };
	return i;
}

/* What the FROM of the stage says. */
static int read_from(struct planner *p, struct stage *s, struct draft *d)
{
	struct clause c = { .in = s->from, .place = s->from };
	struct context_meaning context = { 0 };

	if (expand_image(p, d, &c) < 0)
		return -1;
	if (s->from->from.platform) {
		d->platform_said = true;
		if (expand_platform(p, d, &c) < 0)
			return -1;
	}
	if (s->named && plan_context(p, s->name, &d->platform, &context) < 0)
		return -1;
	d->replaced = context.kind != CONTEXT_NONE;
	return d->replaced ? base_of_meaning(p, s, d, &context) : find_base(p, s, d);
}

static int declare_stage(struct planner *p, const struct instruction *in)
{
	size_t i = add_stage(p, in);
	struct stage *s = i == NO_STAGE ? NULL : &p->plan->stage[i];

	if (!s)
		return -1;
	p->named_count = i + 1;
	s->from = in;
	s->named = in->from.name;
	s->name = s->named ? in->from.name : plan_text(p, "stage-%zu", i);
	if (!s->name)
		return -1;
	if (read_from(p, s, &p->draft[i]) < 0) {
		p->draft[i].names_unknown = true;
		if (plan_survive(p, -1) < 0)
			return -1;
	}
	/* From here on there is a stage of that name, and not before. */
	return !s->named || names_set(&p->stage_names, p->memory, s->name, i) ? 0 :
	       plan_no_memory(p);
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
	return 0;
}

size_t plan_image_stage(struct planner *p, const char *image, const struct instruction *place)
{
	size_t i = names_find(&p->image_names, image);

	if (i != NO_STAGE)
		return i;
	i = add_stage(p, place);
	if (i == NO_STAGE)
		return i;
	image = p->plan->stage[i].name = plan_keep(p, image);
	if (!image || base_image(p, &p->plan->stage[i], &p->draft[i], image) < 0)
		return NO_STAGE;
	if (!names_set(&p->image_names, p->memory, image, i)) {
		plan_no_memory(p);
		return NO_STAGE;
	}
	return i;
}

size_t plan_find_stage(const struct planner *p, const char *name)
{
	/* Of the arena, which remembers that there was no memory for it: nothing is planned then. */
	char *lower_case = arena_text(p->memory, name, strlen(name));

	for (char *c = lower_case; c && *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return lower_case ? names_find(&p->stage_names, lower_case) : NO_STAGE;
}
