#include "builder/build/scene.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/build/etc_files.h"
#include "builder/build/mount_points.h"
#include "layers/scope.h"

#define DEFAULT_HOSTNAME "buildkitsandbox"

const char *scene_hostname(const struct building *b)
{
	return b->options->hostname ? b->options->hostname : DEFAULT_HOSTNAME;
}

static int open_mounts(struct building *b, struct task *t, struct running *running,
                       struct scene *s, struct error *e)
{
	const struct run_step *step = &t->step->run;
	size_t *count = &s->run.mount_count;

	s->mount = calloc(step->mount_count + 1, sizeof *s->mount);
	s->asked = calloc(step->mount_count + 1, sizeof *s->asked);
	if (!s->mount || !s->asked)
		return error_memory(e);
	s->run.mount = s->mount;
	if (step->script)
		s->mount[(*count)++] = (struct sandbox_mount){
			.kind = SANDBOX_FILE, .target = step->script_path, .data = step->script,
			.size = strlen(step->script), .mode = 0755,
		};
	for (size_t i = 0; i < step->mount_count; i++) {
		int made = mount_open(b, t, &step->mount[i], &running->mounting[i],
		                      &s->mount[*count], e);

		if (made < 0)
			return -1;
		if (made)
			s->asked[(*count)++] = &step->mount[i];
	}
	return 0;
}

static int set_limits(const struct build_options *o, struct scene *s, struct error *e)
{
	s->limit = calloc(o->ulimit_count + 1, sizeof *s->limit);
	if (!s->limit)
		return error_memory(e);
	for (size_t i = 0; i < o->ulimit_count; i++)
		s->limit[i] = (struct sandbox_limit){ o->ulimit[i].resource,
			                              { o->ulimit[i].soft, o->ulimit[i].hard } };
	s->run.limit = s->limit;
	s->run.limit_count = o->ulimit_count;
	return 0;
}

static int set_user(const char *spec, struct scene *s, struct error *e)
{
	if (rootfs_user(s->run.store, &s->root, spec, &s->user, e) < 0)
		return -1;
	s->run.uid = s->user.uid;
	s->run.gid = s->user.gid;
	s->run.groups = s->user.groups;
	s->run.group_count = s->user.group_count;
	return 0;
}

static int set_name_servers(struct task *t, struct scene *s, struct error *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct error because;
	char note[sizeof because.text + 100];

	if (root < 0)
		return error_errno(e, "open /");
	s->resolv_conf = etc_resolv_conf(root, sandbox_network_server(s->run.network), &because);
	if (!s->resolv_conf)
		return error_memory(e);
	if (*because.text && s->run.network != SANDBOX_NETWORK_NONE) {
		snprintf(note, sizeof note, "%s: this RUN asks the name servers 8.8.8.8 and 8.8.4.4",
		         because.text);
		vertex_note(t->vertex, note);
	}
	s->run.resolv_conf = s->resolv_conf;
	return 0;
}

static int set_files(const struct building *b, struct task *t, struct scene *s, struct error *e)
{
	/* A RUN that shares this machine's network finds its services where they are. */
	static const char *const gateways[] = {
		[SANDBOX_NETWORK_HOST] = "127.0.0.1", [SANDBOX_NETWORK_NONE] = "127.0.0.1",
		[SANDBOX_NETWORK_PASTA] = "127.0.0.1", [SANDBOX_NETWORK_SLIRP4NETNS] = "10.0.2.2",
	};
	const struct build_options *o = b->options;

	s->run.hostname = scene_hostname(b);
	s->hosts = etc_hosts(s->run.hostname, o->add_host, o->add_host_count,
	                     gateways[s->run.network], e);
	if (!s->hosts)
		return -1;
	s->run.hosts = s->hosts;
	return set_name_servers(t, s, e);
}

static enum sandbox_network network_of(const struct build_options *o, const struct run_step *step)
{
	if (step->network_none)
		return SANDBOX_NETWORK_NONE;
	return step->network_host ? SANDBOX_NETWORK_HOST : o->network;
}

/* Whoever names the gateway wants to reach what is behind it. */
static bool reaches_host(const struct build_options *o)
{
	for (size_t i = 0; i < o->add_host_count; i++)
		if (is_host_gateway(o->add_host[i]))
			return true;
	return false;
}

int scene_open(struct building *b, struct task *t, struct running *running, struct scene *s,
               struct error *e)
{
	const struct run_step *step = &t->step->run;

	*s = (struct scene){
		.run = {
			.argv = step->argv, .cwd = step->cwd, .cancel = b->cancel,
			.network = network_of(b->options, step),
			.reach_host = reaches_host(b->options),
			.shm_size = (uint64_t)b->options->shm_size, .insecure = step->insecure,
			.cgroup = &b->options->cgroup,
		},
	};
	s->run.store = open(store_path(b->store), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->run.store < 0)
		return error_errno(e, "open %s", store_path(b->store));
	if (rootfs_open(b, t->step->stage, t->step->number, &s->root, e) < 0)
		return -1;
	s->run.lower = s->root.lower;
	if (mount_points_tree(b->store, &b->trees, s->mount_points, e) < 0)
		return -1;
	s->run.mount_points = s->mount_points;
	if (set_user(step->user, s, e) < 0 || set_limits(b->options, s, e) < 0 ||
	    set_files(b, t, s, e) < 0 || open_mounts(b, t, running, s, e) < 0 ||
	    environment_make(b, step, s->user.home, &s->env, e) < 0)
		return -1;
	s->run.env = (const char *const *)s->env.item;
	return 0;
}

void scene_release(struct scene *s)
{
	if (s->run.store >= 0)
		close(s->run.store);
	rootfs_release(&s->root);
	passwd_release(&s->user);
	environment_release(&s->env);
	free(s->mount);
	free(s->asked);
	free(s->limit);
	free(s->hosts);
	free(s->resolv_conf);
}

int attempt_begin(struct building *b, const struct scene *s, struct attempt *a, struct error *e)
{
	*a = (struct attempt){ .upper = -1, .work = -1, .remains = -1 };
	a->upper = rootfs_upper(b, s->root.stack, &a->upper_temp, e);
	if (a->upper >= 0)
		a->work = store_temp_dir(b->store, &a->work_temp, e);
	return a->work < 0 ? -1 : 0;
}

void attempt_release(struct building *b, struct attempt *a)
{
	if (a->upper_temp.name[0]) {
		if (a->remains >= 0)
			sandbox_bury(a->remains);
		store_discard(&a->upper_temp);
	}
	if (a->upper >= 0)
		close(a->upper);
	if (a->work >= 0)
		leftovers_add(&b->leftovers, b->store, &a->work_temp, a->work, a->remains);
	else if (a->work_temp.name[0])
		store_discard(&a->work_temp);
}
