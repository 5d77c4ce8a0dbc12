#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "builder/plan/planner.h"
#include "layers/scope.h"
#include "registry/reference.h"

/* --- named contexts --------------------------------------------------------------------------- */

/* NAME as image names are compared: the way people write it, without ":latest". Yours to free;
 * NULL when memory is out. */
static char *comparable(const char *name)
{
	struct reference r;
	struct error ignored;
	char *text =
		reference_parse(name, &r, &ignored) < 0 ? strdup(name) : reference_familiar(&r);
	size_t size = text ? strlen(text) : 0;

	if (size > 7 && strcmp(text + size - 7, ":latest") == 0)
		text[size - 7] = '\0';
	return text;
}

/* Whether CONTEXT is the one for NAME (comparable) and PLATFORM: "name" or "name::os/arch". */
static int context_matches(const struct named_context *context, const char *name,
                           const char *platform, bool for_platform)
{
	auto_free char *own = strdup(context->name), *compared = NULL;
	char *colons = own ? strstr(own, "::") : NULL;

	if (!own)
		return -1;
	if (!colons != !for_platform)
		return 0;
	if (colons) {
		*colons = '\0';
		if (strcmp(colons + 2, platform) != 0)
			return 0;
	}
	compared = comparable(own);
	return compared ? strcmp(compared, name) == 0 : -1;
}

static int find_context(struct planner *p, const char *name, const struct platform *platform,
                        const struct named_context **found)
{
	auto_free char *compared = comparable(name);
	char text[PLATFORM_TEXT];

	platform_format(platform, text);
	*found = NULL;
	if (!compared)
		return plan_no_memory(p);
	for (int for_platform = 1; for_platform >= 0; for_platform--)
		for (size_t i = p->options->context_count; i-- > 0;) {
			int match = context_matches(&p->options->context[i], compared, text,
						    for_platform);

			if (match < 0)
				return plan_no_memory(p);
			if (match) {
				*found = &p->options->context[i];
				return 0;
			}
		}
	return 0;
}

int plan_context(struct planner *p, const char *name, const struct platform *platform,
                 struct context_meaning *meaning)
{
	static const struct {
		const char *prefix;
		enum context_kind kind;
		bool keeps_prefix;
	} kinds[] = {
		{ "docker-image://", CONTEXT_IMAGE, false },
		{ "oci-layout://", CONTEXT_IMAGE, true },
		{ "target:", CONTEXT_STAGE, false },
	};
	const struct named_context *found;

	*meaning = (struct context_meaning){ 0 };
	if (p->options->context_count == 0 || strcasecmp(name, "scratch") == 0 ||
	    strcasecmp(name, "context") == 0)
		return 0;
	if (find_context(p, name, platform, &found) < 0)
		return -1;
	if (!found)
		return 0;
	meaning->kind = CONTEXT_FILES;
	meaning->name = found->name;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		size_t size = strlen(kinds[i].prefix);

		if (strncmp(found->value, kinds[i].prefix, size) == 0) {
			meaning->kind = kinds[i].kind;
			meaning->image = found->value + (kinds[i].keeps_prefix ? 0 : size);
		}
	}
	return 0;
}

/* --- --from and from= ------------------------------------------------------------------------- */

/* A stage to read from. One that a folder stands in for is that folder. */
static int origin_stage(struct planner *p, size_t stage, struct origin *o)
{
	const struct stage *s = &p->plan->stage[stage];

	if (s->base_kind == BASE_CONTEXT && p->draft[stage].replaced)
		*o = (struct origin){ ORIGIN_CONTEXT, NO_STAGE, s->base_context };
	else
		*o = (struct origin){ ORIGIN_STAGE, stage, NULL };
	return 0;
}

static int origin_image(struct planner *p, const struct clause *c, const char *image,
                        struct origin *o)
{
	size_t stage = plan_image_stage(p, image, c->place);

	return stage == NO_STAGE ? -1 : origin_stage(p, stage, o);
}

static int origin_named(struct planner *p, const struct clause *c, const char *name,
                        struct origin *o)
{
	size_t stage = plan_find_stage(p, name);
	struct context_meaning context;

	if (stage != NO_STAGE)
		return origin_stage(p, stage, o);
	if (plan_context(p, name, &p->target, &context) < 0)
		return -1;
	switch (context.kind) {
	case CONTEXT_NONE:
		return origin_image(p, c, name, o);
	case CONTEXT_FILES:
		*o = (struct origin){ ORIGIN_CONTEXT, NO_STAGE, context.name };
		return 0;
	case CONTEXT_IMAGE:
		return origin_image(p, c, context.image, o);
	case CONTEXT_STAGE:
		break;
	}
	stage = plan_find_stage(p, context.image);
	if (stage == NO_STAGE)
		return plan_miss(p, c, name, 0, "context %s: there is no stage \"%s\"",
		                 context.name, context.image);
	return origin_stage(p, stage, o);
}

static const char *look_up_nothing(void *names, const char *name)
{
	(void)names;
	(void)name;
	return NULL;
}

static int copy_origin(struct planner *p, struct clause *c)
{
	const char *from = c->in->copy.from;
	struct expansion how = { look_up_nothing, NULL, p->file->escape };
	struct syntax_error wrong;
	auto_free char *expanded = expand(from, &how, &wrong);
	long index;
	char *end;

	if (!expanded)
		return plan_fail_at(p, c, from, wrong.column, "%s", wrong.text);
	if (strcmp(expanded, from) != 0)
		return plan_fail_at(p, c, from, 0, "variable expansion is not supported for --from, "
		                    "define a new stage with FROM using ARG from global scope as a "
		                    "workaround");
	errno = 0;
	index = strtol(from, &end, 10);
	if (*end || errno || end == from)
		return origin_named(p, c, from, &c->origin[0]);
	if (index >= 0 && (size_t)index < p->named_count)
		return origin_stage(p, (size_t)index, &c->origin[0]);
	return plan_miss(p, c, from, 0, "invalid stage index %s", from);
}

static int mount_origin(struct planner *p, struct clause *c, size_t i)
{
	const char *text = c->in->run.mounts.item[i];
	struct syntax_error wrong;
	struct mount mount;
	int result = 0;

	if (mount_parse(text, NULL, &mount, &wrong) < 0)
		return plan_fail_at(p, c, text, wrong.column, "%s", wrong.text);
	c->has_origin[i] = mount.from && *mount.from;
	if (c->has_origin[i])
		result = origin_named(p, c, mount.from, &c->origin[i]);
	mount_release(&mount);
	return result;
}

static int find_origins(struct planner *p, struct clause *c)
{
	bool run = c->in->keyword == KEYWORD_RUN;
	size_t count = run ? c->in->run.mounts.count :
	               c->in->keyword == KEYWORD_COPY && c->in->copy.from ? 1 : 0;

	if (run && plan_check_run(p, c) < 0)
		return -1;
	if (count == 0)
		return 0;
	c->origin = arena_array(p->memory, count, sizeof *c->origin);
	c->has_origin = arena_array(p->memory, count, sizeof *c->has_origin);
	if (!c->origin || !c->has_origin)
		return plan_no_memory(p);
	c->origin_count = count;
	for (size_t i = 0; i < count; i++) {
		c->has_origin[i] = true;
		if ((run ? mount_origin(p, c, i) : copy_origin(p, c)) < 0) {
			c->origin_count = i;
			return -1;
		}
	}
	return 0;
}

int plan_origins(struct planner *p, struct clause *c)
{
	c->bad = find_origins(p, c) < 0;
	return c->bad ? -1 : 0;
}

/* --- circles ---------------------------------------------------------------------------------- */

size_t plan_origin_stage(const struct planner *p, const struct clause *c, size_t i)
{
	bool stage = c->has_origin[i] && c->origin[i].kind == ORIGIN_STAGE;

	return stage && c->origin[i].stage < p->named_count ? c->origin[i].stage : NO_STAGE;
}

/* The stages that STAGE reads from into LIST, which has room for all its origins; how many. */
static size_t reads_from(const struct planner *p, size_t stage, size_t *list)
{
	const struct draft *d = &p->draft[stage];
	size_t found = 0;

	for (size_t i = 0; i < d->clause_count; i++)
		for (size_t j = 0; j < d->clause[i].origin_count; j++) {
			size_t from = plan_origin_stage(p, &d->clause[i], j);

			if (from != NO_STAGE)
				list[found++] = from;
		}
	return found;
}

static size_t most_origins(const struct planner *p)
{
	size_t most = 1;

	for (size_t i = 0; i < p->named_count; i++) {
		size_t count = 0;

		for (size_t j = 0; j < p->draft[i].clause_count; j++)
			count += p->draft[i].clause[j].origin_count;
		most = count > most ? count : most;
	}
	return most;
}

/* Where STAGE reads itself or a later one, as every circle does somewhere and honest files never
 * do; NULL: nowhere. */
static const struct instruction *reads_later(const struct planner *p, size_t stage)
{
	const struct draft *d = &p->draft[stage];

	for (size_t i = 0; i < d->clause_count; i++)
		for (size_t j = 0; j < d->clause[i].origin_count; j++) {
			size_t from = plan_origin_stage(p, &d->clause[i], j);

			if (from != NO_STAGE && from >= stage)
				return d->clause[i].place;
		}
	return NULL;
}

/* Is START reached from itself? SEEN and QUEUE have room for all stages. */
static bool on_circle(const struct planner *p, size_t start, bool *seen, size_t *queue,
		      size_t *list)
{
	size_t head = 0, tail = 0;

	memset(seen, 0, p->named_count * sizeof *seen);
	queue[tail++] = start;
	while (head < tail) {
		size_t count = reads_from(p, queue[head++], list);

		for (size_t i = 0; i < count; i++) {
			if (list[i] == start)
				return true;
			if (!seen[list[i]]) {
				seen[list[i]] = true;
				queue[tail++] = list[i];
			}
		}
	}
	return false;
}

int plan_check_circles(struct planner *p)
{
	auto_free bool *seen = calloc(p->named_count, sizeof *seen);
	auto_free size_t *queue = calloc(p->named_count + 1, sizeof *queue);
	auto_free size_t *list = calloc(most_origins(p), sizeof *list);

	if (!seen || !queue || !list)
		return plan_no_memory(p);
	for (size_t i = 0; i < p->named_count; i++) {
		const struct instruction *place = reads_later(p, i);

		if (place && on_circle(p, i, seen, queue, list))
			return plan_fail(p, place, "circular dependency detected on stage: %s",
					 p->plan->stage[i].name);
	}
	return 0;
}
