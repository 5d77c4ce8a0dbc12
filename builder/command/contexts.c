#include "builder/command/contexts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/command/dockerfile_source.h"
#include "builder/copy/git.h"
#include "layers/scope.h"

static bool has_address(const char *value)
{
	return git_is_place(value) || is_web_address(value);
}

/* Add the context NAME, when it could be opened. */
static int add(struct contexts *c, const char *name, struct context *context)
{
	if (!context)
		return -1;
	c->item[c->count++] = (struct build_context){ name, context };
	return 0;
}

/* A folder, seen through its own .dockerignore. */
static int open_folder(struct contexts *c, const struct named_context *named, struct error *e)
{
	struct ignore *ignore = NULL;
	struct stat st;

	if (stat(named->value, &st) < 0)
		return error_errno(e, "failed to get build context %s: stat %s", named->name,
		                   named->value);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, ERROR_INPUT, "failed to get build context %s: %s is not a "
		                 "folder", named->name, named->value);
	if (dockerignore_read(named->value, &ignore, e) < 0)
		return error_context(e, "build context %s", named->name);
	return add(c, named->name, context_open(c->store, named->value, ignore, e));
}

static int open_main(struct contexts *c, struct ignore *ignore, struct error *e)
{
	const struct context_source *main = c->main;

	if (!main->folder) {
		ignore_free(ignore);
		return add(c, NULL, context_empty(c->store, e));
	}
	return add(c, NULL, context_open(main->temporary ? NULL : c->store, main->folder, ignore,
	                                 e));
}

int contexts_open(struct contexts *c, struct store *s, const struct plan_options *options,
                  const struct context_source *main, struct ignore *ignore, struct error *e)
{
	static const char *const others[] = { "docker-image://", "oci-layout://", "target:" };

	*c = (struct contexts){ .store = s, .named = options->context, .main = main,
	                        .named_count = options->context_count };
	c->item = calloc(c->named_count + 1, sizeof *c->item);
	c->fetched = calloc(c->named_count + 1, sizeof *c->fetched);
	if (!c->item || !c->fetched) {
		ignore_free(ignore);
		return error_memory(e);
	}
	if (open_main(c, ignore, e) < 0)
		return -1;
	for (size_t i = 0; i < c->named_count; i++) {
		const char *value = c->named[i].value;
		bool elsewhere = has_address(value);

		for (size_t k = 0; k < sizeof others / sizeof *others; k++)
			elsewhere |= strncmp(value, others[k], strlen(others[k])) == 0;
		if (!elsewhere && open_folder(c, &c->named[i], e) < 0)
			return -1;
	}
	return 0;
}

/* --- what has an address ---------------------------------------------------------------------- */

/* Fetch the context at INDEX, once. It has no .dockerignore that counts. */
static int fetch(struct contexts *c, size_t index, struct error *e)
{
	const struct named_context *named = &c->named[index];
	struct context_source *place = &c->fetched[index];

	if (place->folder)
		return 0;
	if (context_source_fetch(named->value, c->store, place, e) < 0)
		return error_context(e, "build context %s", named->name);
	return add(c, named->name, context_open(NULL, place->folder, NULL, e));
}

static bool reads(const struct origin *o, const char *name)
{
	return o->kind == ORIGIN_CONTEXT && o->context && strcmp(o->context, name) == 0;
}

static bool step_reads(const struct step *step, const char *name)
{
	bool found = step->kind == STEP_COPY && reads(&step->copy.from, name);

	for (size_t i = 0; step->kind == STEP_RUN && i < step->run.mount_count; i++)
		found |= step->run.mount[i].has_from && reads(&step->run.mount[i].from, name);
	return found;
}

static bool plan_reads(const struct plan *plan, const char *name)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct stage *s = &plan->stage[i];

		if (!s->needed)
			continue;
		if (s->base_kind == BASE_CONTEXT && strcmp(s->base_context, name) == 0)
			return true;
		for (size_t k = 0; k < s->step_count; k++)
			if (step_reads(&s->step[k], name))
				return true;
	}
	return false;
}

int contexts_fetch(struct contexts *c, const struct plan *plan, struct error *e)
{
	for (size_t i = 0; i < c->named_count; i++)
		if (has_address(c->named[i].value) && plan_reads(plan, c->named[i].name) &&
		    fetch(c, i, e) < 0)
			return -1;
	return 0;
}

/* --- times ------------------------------------------------------------------------------------ */

static int time_of_place(struct contexts *c, const struct time_source *source, int64_t *seconds,
                         struct error *e)
{
	struct context_source place;
	int result;

	if (source->kind == SOURCE_URL)
		return web_time(source->place, source->checksum, c->store, seconds, e);
	result = context_source_fetch(source->place, c->store, &place, e);
	*seconds = place.modified;
	context_source_release(&place);
	return result;
}

int contexts_time(struct contexts *c, const struct time_source *source, int64_t *seconds,
                  struct error *e)
{
	*seconds = -1;
	if (source->place)
		return time_of_place(c, source, seconds, e);
	if (!source->context) {
		*seconds = c->main->modified;
		return 0;
	}
	for (size_t i = 0; i < c->named_count; i++) {
		if (strcmp(c->named[i].name, source->context) != 0 ||
		    !has_address(c->named[i].value))
			continue;
		if (!git_is_place(c->named[i].value))
			return web_time(c->named[i].value, NULL, c->store, seconds, e);
		if (fetch(c, i, e) < 0)
			return -1;
		*seconds = c->fetched[i].modified;
	}
	return 0;
}

void contexts_close(struct contexts *c)
{
	struct error ignored;

	for (size_t i = 0; i < c->count; i++)
		context_close(c->item[i].context, &ignored);
	for (size_t i = 0; c->fetched && i < c->named_count; i++)
		context_source_release(&c->fetched[i]);
	free(c->item);
	free(c->fetched);
	*c = (struct contexts){ 0 };
}
