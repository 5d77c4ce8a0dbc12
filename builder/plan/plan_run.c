#include <stdlib.h>
#include <string.h>

#include "builder/plan/planner.h"
#include "layers/scope.h"

/* --- environment ------------------------------------------------------------------------------ */

/* The strings are shared by all RUNs that see a variable, the list by all that see the same. */
static const char *const *environment(struct planner *p, struct draft *d)
{
	const char **env;

	if (d->env.list)
		return d->env.list;
	env = arena_array(p->memory, d->env.count + 1, sizeof *env);
	for (size_t i = 0; env && i < d->env.count; i++) {
		struct variable *v = &d->env.item[i];

		if (!v->pair)
			v->pair = plan_text(p, "%s=%s", v->name, v->value);
		if (!v->pair)
			return NULL;
		env[i] = v->pair;
	}
	if (!env)
		plan_no_memory(p);
	return d->env.list = env;
}

/* Dockerfile reference, "Predefined ARGs": given in either case, seen in both. What the stage sets
 * itself is not hidden. */
static const char *const *proxies(struct planner *p, const struct draft *d)
{
	static const char *const names[][2] = {
		{ "HTTP_PROXY", "http_proxy" },
		{ "HTTPS_PROXY", "https_proxy" },
		{ "FTP_PROXY", "ftp_proxy" },
		{ "NO_PROXY", "no_proxy" },
		{ "ALL_PROXY", "all_proxy" },
	};
	const size_t kinds = sizeof names / sizeof *names;
	const char **list = arena_array(p->memory, 2 * kinds + 1, sizeof *list);
	size_t count = 0;

	for (size_t i = 0; list && i < kinds; i++) {
		const char *value = variables_get(&p->build_args, names[i][1]);

		if (!value)
			value = variables_get(&p->build_args, names[i][0]);
		for (size_t j = 0; value && j < 2; j++) {
			if (variables_get(&d->env, names[i][j]))
				continue;
			list[count] = plan_text(p, "%s=%s", names[i][j], value);
			if (!list[count++])
				return NULL;
		}
	}
	if (!list)
		plan_no_memory(p);
	return list;
}

/* --- mounts ----------------------------------------------------------------------------------- */

/* Give the mount TEXT in the place of one of its own strings. */
static int replace(struct planner *p, char **where, const char *text)
{
	char *copy = text ? strdup(text) : NULL;

	if (!copy)
		return text ? plan_no_memory(p) : -1;
	free(*where);
	*where = copy;
	return 0;
}

static bool given(const char *text)
{
	return text && *text;
}

/* bind, cache, tmpfs: a place in the file system, beside the working folder by default. */
static int folder_mount(struct planner *p, struct draft *d, const struct clause *c,
                        struct mount *m)
{
	const char *typed = m->target ? m->target : "";
	const char *target = plan_below_cwd(p, d, typed);

	if (!target)
		return -1;
	if (strcmp(target, "/") == 0)
		return plan_fail_at(p, c, typed, 0, "invalid mount target \"%s\"", target);
	if (m->type == MOUNT_CACHE) {
		if (!given(m->id) && replace(p, &m->id, plan_clean(p, typed)) < 0)
			return -1;
		m->mode = m->mode < 0 ? 0755 : m->mode;
	}
	return replace(p, &m->target, target);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

static int secret_mount(struct planner *p, struct draft *d, struct mount *m)
{
	if (given(m->source) && replace(p, &m->id, m->source) < 0)
		return -1;
	if (!given(m->id) && replace(p, &m->id, base_name(m->target)) < 0)
		return -1;
	m->mode = m->mode < 0 ? 0400 : m->mode;
	if (given(m->target))
		return replace(p, &m->target, plan_below_cwd(p, d, m->target));
	free(m->target);
	m->target = NULL;
	if (given(m->env))
		return 0;
	return replace(p, &m->target, plan_text(p, "/run/secrets/%s", base_name(m->id)));
}

static int ssh_mount(struct planner *p, struct draft *d, const struct clause *c, struct mount *m,
                     size_t number)
{
	const char *target;

	if (given(m->source))
		return plan_fail_at(p, c, m->source, 0, "ssh does not support source");
	if (!given(m->id) && replace(p, &m->id, "default") < 0)
		return -1;
	m->mode = m->mode < 0 ? 0600 : m->mode;
	target = given(m->target) ? plan_below_cwd(p, d, m->target) :
	                            plan_text(p, "/run/buildkit/ssh_agent.%zu", number);
	return replace(p, &m->target, target);
}

static int add_mount(struct planner *p, struct draft *d, const struct clause *c,
                     struct run_step *run, size_t *ssh_count)
{
	size_t i = run->mount_count;
	struct run_mount *rm = &run->mount[i];
	struct mount *m = &rm->mount;
	struct stage_names names;
	struct expansion how;
	struct syntax_error wrong;

	plan_expansion(p, d, c, &names, &how);
	if (mount_parse(c->in->run.mounts.item[i], &how, m, &wrong) < 0)
		return plan_fail_expansion(p, c, c->in->run.mounts.item[i], &wrong);
	run->mount_count++; /* the plan releases it from here on */
	m->uid = m->uid < 0 && m->type != MOUNT_BIND ? 0 : m->uid;
	m->gid = m->gid < 0 && m->type != MOUNT_BIND ? 0 : m->gid;
	rm->from =
		c->has_origin[i] ? c->origin[i] : (struct origin){ORIGIN_CONTEXT, NO_STAGE, NULL};
	rm->has_from = m->type == MOUNT_BIND || (m->type == MOUNT_CACHE && c->has_origin[i]);
	switch (m->type) {
	case MOUNT_BIND:
	case MOUNT_CACHE:
	case MOUNT_TMPFS:
		return folder_mount(p, d, c, m);
	case MOUNT_SECRET:
		return secret_mount(p, d, m);
	case MOUNT_SSH:
		break;
	}
	return ssh_mount(p, d, c, m, (*ssh_count)++);
}

/* --- flags ------------------------------------------------------------------------------------ */

static bool is_one_of(const char *word, const char *const *list)
{
	while (*list && strcmp(word, *list) != 0)
		list++;
	return *list;
}

int plan_check_run(struct planner *p, const struct clause *c)
{
	static const char *const networks[] = { "default", "none", "host", NULL };
	static const char *const securities[] = { "sandbox", "insecure", NULL };
	const struct run *run = &c->in->run;

	if (run->network && !is_one_of(run->network, networks))
		return plan_fail_at(p, c, run->network, 0, "invalid network mode \"%s\"",
		                    run->network);
	if (run->security && !is_one_of(run->security, securities))
		return plan_fail_at(p, c, run->security, 0, "security \"%s\" is not valid",
		                    run->security);
	if (run->devices.count > 0)
		return plan_fail_at(p, c, "--device", 0, "device feature is only supported in "
		                    "Dockerfile frontend 1.14.0-labs or later");
	return 0;
}

static int set_network(struct planner *p, const struct clause *c, struct run_step *run)
{
	const char *said = c->in->run.network, *network = said;

	if (!network || strcmp(network, "default") == 0)
		network = p->options->network ? p->options->network : "default";
	run->network_none = strcmp(network, "none") == 0;
	run->network_host = strcmp(network, "host") == 0;
	if (said && strcmp(said, "host") == 0 && !p->options->allow_network_host)
		return plan_fail_at(p, c, "--network", 0, "RUN --network=host is not allowed; the "
		                    "build needs --allow network.host");
	return 0;
}

static int set_security(struct planner *p, const struct clause *c, struct run_step *run)
{
	const char *security = c->in->run.security;

	run->insecure = security && strcmp(security, "insecure") == 0;
	if (run->insecure && !p->options->allow_insecure)
		return plan_fail_at(p, c, "--security", 0, "RUN --security=insecure is not allowed; "
		                    "the build needs --allow security.insecure");
	return 0;
}

/* --- the command ------------------------------------------------------------------------------ */

static const char *const *exec_words(struct planner *p, const struct words *words, size_t *count)
{
	const char **copy = arena_array(p->memory, words->count + 1, sizeof *copy);

	if (!copy) {
		plan_no_memory(p);
		return NULL;
	}
	for (size_t i = 0; i < words->count; i++)
		copy[i] = words->item[i];
	*count = words->count;
	return copy;
}

static int set_command(struct planner *p, struct draft *d, const struct clause *c,
                       struct run_step *run, size_t *count)
{
	const struct run *in = &c->in->run;

	run->shell_text = c->in->rest;
	if (in->command.exec) {
		run->argv = exec_words(p, &in->command.words, count);
	} else if (in->script_is_program) {
		run->script = in->script;
		run->script_path = plan_text(p, "/dev/pipes/%s", c->in->heredocs.item[0].name);
		run->argv = run->script_path ? plan_shell(p, d, run->script_path, count) : NULL;
	} else {
		run->argv = plan_shell(p, d, in->script ? in->script : in->command.text, count);
	}
	return run->argv ? 0 : -1;
}

/* "RUN |1 REV=7 /bin/sh -c make # buildkit": the ARGs so far, and what is run. */
static const char *created_by(struct planner *p, const struct draft *d, const struct run_step *run)
{
	FILE *f = plan_pieces(p);

	if (!f)
		return NULL;
	fputs("RUN", f);
	if (d->args.count > 0)
		fprintf(f, " |%zu", d->args.count);
	for (size_t i = 0; i < d->args.count; i++) {
		const char *value = variables_get(&d->env, d->args.item[i].name);

		if (!value)
			value = d->args.item[i].value;
		fprintf(f, " %s=%s", d->args.item[i].name, value ? value : "");
	}
	for (size_t i = 0; run->argv[i]; i++)
		fprintf(f, " %s", run->argv[i]);
	fputs(" # buildkit", f);
	return plan_keep_pieces(p);
}

/* Variables of a RUN as they are shown. */
struct shown_names {
	const struct draft *draft;
	const struct run_step *run;
};

/* A secret's value is nobody's business, and its name may be that of a variable, too. */
static const char *look_up_shown(void *context, const char *name)
{
	const struct shown_names *names = context;

	for (size_t i = 0; i < names->run->mount_count; i++) {
		const struct mount *m = &names->run->mount[i].mount;

		if (m->type == MOUNT_SECRET && m->env && strcmp(m->env, name) == 0)
			return "****";
	}
	return variables_get(&names->draft->env, name);
}

/* How much longer than the line its name in progress may get. */
#define SHOWN_GROWTH_MAX 4096

static const char *expand_known(struct planner *p, const struct draft *d,
                                const struct run_step *run, const char *text)
{
	struct shown_names names = { d, run };
	struct expansion how = { look_up_shown, &names, p->file->escape };
	auto_free char *value = strchr(text, '$') ? expand_shown(text, &how, NULL) : NULL;

	return value && strlen(value) <= strlen(text) + SHOWN_GROWTH_MAX ? plan_keep(p, value) : text;
}

/* "RUN <<EOF (apt-get update...)": the line with the variables that are known here, and the first
 * line of a script that is all there is. */
static const char *shown(struct planner *p, const struct draft *d, const struct instruction *in,
                         const struct run_step *run)
{
	const char *text = in->text + strcspn(in->text, " \t");
	const char *body = in->heredocs.count == 1 && in->run.script == in->heredocs.item[0].body ?
	                   in->run.script : NULL;
	size_t line, size;

	if (body || in->run.script_is_program) {
		body = in->run.script + strspn(in->run.script, " \t\r\n");
		line = strcspn(body, "\r\n");
		for (size = strlen(body); size > line && strchr(" \t\r\n", body[size - 1]); size--)
			;
		text = plan_text(p, "%s (%.*s%s)", text, (int)line, body, size > line ? "..." : "");
	}
	text = text ? expand_known(p, d, run, text) : NULL;
	return text ? plan_text(p, "RUN%s", text) : NULL;
}

int plan_run(struct planner *p, struct draft *d, const struct clause *c)
{
	struct step *step = plan_step(p, d, c, STEP_RUN);
	struct run_step *run = &step->run;
	size_t count = 0, ssh_count = 0;
	const char *text;

	if (set_command(p, d, c, run, &count) < 0)
		return -1;
	if (count == 0)
		return plan_fail(p, c->place, "arguments are required");
	if (set_network(p, c, run) < 0 || set_security(p, c, run) < 0)
		return -1;
	run->mount = arena_array(p->memory, c->in->run.mounts.count, sizeof *run->mount);
	if (!run->mount)
		return plan_no_memory(p);
	while (run->mount_count < c->in->run.mounts.count)
		if (add_mount(p, d, c, run, &ssh_count) < 0)
			return -1;
	run->env = environment(p, d);
	run->proxies = run->env ? proxies(p, d) : NULL;
	run->cwd = run->proxies ? plan_cwd(p, d) : NULL;
	run->user = run->cwd ? plan_keep(p, config_text(draft_stage(p, d)->config, "User")) : NULL;
	text = run->user ? shown(p, d, c->in, run) : NULL;
	if (!text || plan_name_step(p, d, c, step, text) < 0)
		return -1;
	step->created_by = created_by(p, d, run);
	return step->created_by ? plan_history(p, d, step->created_by, step) : -1;
}
