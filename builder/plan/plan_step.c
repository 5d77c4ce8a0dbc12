#include <stdlib.h>
#include <string.h>

#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "layers/scope.h"

/* --- a stage ---------------------------------------------------------------------------------- */

/* What the stage starts from. */
static json_t *base_config(struct planner *p, struct stage *s, struct draft *d)
{
	json_t *config;

	if (s->base) {
		struct error e;

		config = config_inherit(s->base->config, &e);
		if (config)
			return config;
		plan_fail(p, d->place, "%s: %s", d->image, e.text);
		p->e.error.kind = e.kind;
		return NULL;
	}
	/* An image without a base is one that nobody could ask about. */
	config = s->base_kind == BASE_STAGE ? json_deep_copy(p->plan->stage[s->base_stage].config) :
	         config_scratch(s->base_kind == BASE_SCRATCH ? &p->target : &d->platform);
	if (!config)
		plan_no_memory(p);
	return config;
}

static bool set_env(struct planner *p, struct draft *d, const char *name, const char *value)
{
	return value && variables_set(&d->env, p->memory, name, value) &&
	       variables_set(&d->image_env, p->memory, name, value);
}

/* Variables begin with what the parent stage had; its ENV is set anew on top of its ARGs. */
static int begin_variables(struct planner *p, struct stage *s, struct draft *d)
{
	const json_t *env = config_get(s->config, "Env");
	const struct draft *parent = s->base_kind == BASE_STAGE ? &p->draft[s->base_stage] : NULL;
	json_t *pair;
	size_t i;

	if (parent) {
		if (!variables_copy(&d->env, &parent->env, p->memory) ||
		    !variables_copy(&d->args, &parent->args, p->memory))
			return plan_no_memory(p);
		d->workdir_set = parent->workdir_set;
		d->names_unknown |= parent->names_unknown;
		d->platform = parent->platform;
	}
	json_array_foreach(env, i, pair) {
		const char *text = json_string_value(pair), *equals = strchrnul(text, '=');
		const char *name = plan_text(p, "%.*s", (int)(equals - text), text);

		if (!name || !set_env(p, d, name, plan_keep(p, *equals ? equals + 1 : "")))
			return plan_no_memory(p);
	}
	if (!variables_have(&d->env, "PATH") && !set_env(p, d, "PATH", DEFAULT_PATH))
		return plan_no_memory(p);
	return 0;
}

/* Variables of the config, as it has them at the end of the stage. */
static int end_variables(struct planner *p, struct stage *s, struct draft *d)
{
	auto_free const char **pairs = calloc(d->image_env.count + 1, sizeof *pairs);

	if (!pairs)
		return plan_no_memory(p);
	for (size_t i = 0; i < d->image_env.count; i++) {
		const struct variable *v = &d->image_env.item[i];

		pairs[i] = plan_text(p, "%s=%s", v->name, v->value);
		if (!pairs[i])
			return -1;
	}
	return config_set_words(s->config, "Env", pairs, d->image_env.count) ?
	       0 : plan_no_memory(p);
}

/* A base's working folder may be anything; ours is absolute. */
static int begin_cwd(struct planner *p, struct stage *s, struct draft *d)
{
	const char *path = config_text(s->config, "WorkingDir");

	if (!*path || *path == '/')
		return 0;
	path = plan_cwd(p, d);
	if (!path)
		return -1;
	return config_set_text(s->config, "WorkingDir", path) ? 0 : plan_no_memory(p);
}

static bool makes_step(const struct clause *c)
{
	return c->in->keyword == KEYWORD_RUN || c->in->keyword == KEYWORD_COPY ||
	       c->in->keyword == KEYWORD_ADD || c->in->keyword == KEYWORD_WORKDIR;
}

/* Room for its steps: their addresses are in the history and must not change. */
static int begin_steps(struct planner *p, struct stage *s, struct draft *d)
{
	size_t count = 0;

	for (size_t i = 0; i < d->clause_count; i++)
		count += makes_step(&d->clause[i]);
	s->step = arena_array(p->memory, count, sizeof *s->step);
	if (!s->step)
		return plan_no_memory(p);
	d->total = count + (s->base_kind == BASE_IMAGE || s->base_kind == BASE_CONTEXT);
	return 0;
}

static const char *numbered(struct planner *p, struct draft *d, const struct clause *c,
                            const char *text);

static int name_from(struct planner *p, struct stage *s, struct draft *d)
{
	char platform[PLATFORM_TEXT];
	const char *text;

	s->platform = plan_keep(p, platform_format(&d->platform, platform));
	if (!s->platform)
		return -1;
	if (s->base_kind != BASE_IMAGE && s->base_kind != BASE_CONTEXT)
		return 0;
	text = plan_text(p, "FROM %s", s->base_kind == BASE_CONTEXT ? s->base_context :
	                 s->base ? s->base->name : d->image);
	s->from_name = text ? numbered(p, d, NULL, text) : NULL;
	return s->from_name ? 0 : -1;
}

int plan_stage(struct planner *p, size_t stage)
{
	struct stage *s = &p->plan->stage[stage];
	struct draft *d = &p->draft[stage];

	if (d->replaced || !s->from)
		d->clause_count = 0;
	s->config = base_config(p, s, d);
	if (!s->config || begin_variables(p, s, d) < 0 || begin_cwd(p, s, d) < 0 ||
	    begin_steps(p, s, d) < 0 || name_from(p, s, d) < 0)
		return -1;
	/* Its own ONBUILD are for those who build on it, and what the base had was done above. */
	config_clear(s->config, "OnBuild");
	for (size_t i = 0; i < d->clause_count; i++) {
		const struct clause *c = &d->clause[i];
		int result = c->bad ? 0 : plan_apply(p, d, c);

		if (plan_survive(p, result) < 0)
			return -1;
		d->names_unknown |= result < 0 && (c->in->keyword == KEYWORD_ARG ||
		                                   c->in->keyword == KEYWORD_ENV);
	}
	return end_variables(p, s, d);
}

/* --- a step ----------------------------------------------------------------------------------- */

/* The platform that the stage's ARGs say it makes something for, if they do. */
static bool makes_for(const struct draft *d, struct platform *platform)
{
	const char *whole = variables_get(&d->env, "TARGETPLATFORM");
	const char *os = variables_get(&d->env, "TARGETOS");
	const char *architecture = variables_get(&d->env, "TARGETARCH");
	const char *variant = variables_get(&d->env, "TARGETVARIANT");
	char text[PLATFORM_TEXT];
	struct error ignored;

	if (whole && platform_parse(whole, platform, &ignored) == 0)
		return true;
	if (!os && !architecture && !variant)
		return false;
	snprintf(text, sizeof text, "%s/%s%s%s", os ? os : d->platform.os,
	         architecture ? architecture : d->platform.architecture,
	         variant && *variant ? "/" : "", variant ? variant : "");
	return platform_parse(text, platform, &ignored) == 0;
}

/* "linux/amd64 ", "linux/amd64->arm64 ": where a step runs, and what for. */
static const char *on_platform(struct planner *p, const struct draft *d, bool runs)
{
	char here[PLATFORM_TEXT], there[PLATFORM_TEXT];
	struct platform target;
	const char *arrow = "", *text = "";

	if (!p->options->name_platform)
		return "";
	if (runs && makes_for(d, &target) && strcmp(target.os, d->platform.os) != 0) {
		text = platform_format(&target, there);
		arrow = "->";
	} else if (runs && makes_for(d, &target) &&
	           strcmp(target.architecture, d->platform.architecture) != 0) {
		text = strchr(platform_format(&target, there), '/') + 1;
		arrow = "->";
	}
	return plan_text(p, "%s%s%s ", platform_format(&d->platform, here), arrow, text);
}

/* "[stage 2/5] TEXT", as BuildKit's progress has it; C is NULL for the stage's FROM. */
static const char *numbered(struct planner *p, struct draft *d, const struct clause *c,
                            const char *text)
{
	const struct stage *s = draft_stage(p, d);
	const char *platform = on_platform(p, d, c != NULL);
	bool only = p->plan->count == 1;
	int width = 1;

	for (size_t n = d->total; n >= 10; n /= 10)
		width++;
	if (!platform)
		return NULL;
	return plan_text(p, "[%s%s%s%*zu/%zu] %s%s", platform, only ? "" : s->name, only ? "" : " ",
	                 width, ++d->number, d->total, c && c->trigger ? "ONBUILD " : "", text);
}

static bool without_cache(const struct planner *p, const struct stage *s)
{
	for (size_t i = 0; s->named && i < p->options->no_cache_filter_count; i++)
		if (strcasecmp(p->options->no_cache_filter[i], s->name) == 0)
			return true;
	return p->options->no_cache;
}

struct step *plan_step(struct planner *p, struct draft *d, const struct clause *c,
                       enum step_kind kind)
{
	struct stage *s = draft_stage(p, d);
	struct step *step = &s->step[s->step_count];

	*step = (struct step){
		.kind = kind, .in = c->place, .stage = d->stage, .number = s->step_count++,
		.no_cache = without_cache(p, s),
	};
	return step;
}

int plan_name_step(struct planner *p, struct draft *d, const struct clause *c, struct step *step,
                   const char *text)
{
	step->name = numbered(p, d, c, text);
	return step->name ? 0 : -1;
}

/* --- WORKDIR ---------------------------------------------------------------------------------- */

const char *plan_clean(struct planner *p, const char *path)
{
	char *out = arena_array(p->memory, strlen(path) + 3, 1), *end = out, *keep;

	if (!out) {
		plan_no_memory(p);
		return NULL;
	}
	if (*path == '/')
		*end++ = '/';
	keep = end;
	for (size_t n; path += strspn(path, "/"), *path; path += n) {
		n = strcspn(path, "/");
		if (n == 1 && *path == '.')
			continue;
		if (n == 2 && path[0] == '.' && path[1] == '.' && (end > keep || *out == '/')) {
			while (end > keep && *--end != '/')
				;
			continue;
		}
		if (end > out && end[-1] != '/')
			*end++ = '/';
		end = mempcpy(end, path, n);
		if (n == 2 && path[0] == '.' && path[1] == '.')
			keep = end;
	}
	if (end == out)
		*end++ = '.';
	*end = '\0';
	return out;
}

const char *plan_cwd(struct planner *p, const struct draft *d)
{
	const char *path = config_text(draft_stage(p, d)->config, "WorkingDir");

	path = plan_text(p, "/%s", path);
	return path ? plan_clean(p, path) : NULL;
}

const char *plan_below_cwd(struct planner *p, const struct draft *d, const char *path)
{
	const char *cwd = *path == '/' ? "" : plan_cwd(p, d);
	const char *whole = cwd ? plan_text(p, "%s/%s", cwd, path) : NULL;

	return whole ? plan_clean(p, whole) : NULL;
}

/* What WORKDIR PATH makes of the working folder: an absolute one stays as it was typed. */
static const char *new_cwd(struct planner *p, struct draft *d, const char *path)
{
	const char *now = config_text(draft_stage(p, d)->config, "WorkingDir");

	if (*path == '/')
		return path;
	if (!*path)
		return *now == '/' ? plan_keep(p, now) : plan_cwd(p, d);
	return plan_below_cwd(p, d, path);
}

int plan_workdir(struct planner *p, struct draft *d, const struct clause *c)
{
	json_t *config = draft_stage(p, d)->config;
	const char *typed = plan_expand(p, d, c, c->in->argument);
	const char *path = typed ? new_cwd(p, d, typed) : NULL;
	const char *folder, *name, *created_by;
	struct step *step = NULL;

	if (!path)
		return -1;
	if (!d->workdir_set && *typed != '/')
		lint_relative_workdir(p, c, typed);
	d->workdir_set = true;
	if (!config_set_text(config, "WorkingDir", path))
		return plan_no_memory(p);
	folder = plan_clean(p, path);
	created_by = plan_text(p, "WORKDIR %s", path);
	if (!folder || !created_by)
		return -1;
	if (strcmp(folder, "/") != 0) {
		const char *user = plan_keep(p, config_text(config, "User"));

		name = plan_text(p, "WORKDIR %s", typed);
		step = plan_step(p, d, c, STEP_WORKDIR);
		if (!user || !name || plan_name_step(p, d, c, step, name) < 0)
			return -1;
		step->created_by = created_by;
		step->workdir = (struct workdir_step){ folder, user };
	}
	return plan_history(p, d, created_by, step);
}
