/* The ways to run a command: in an overlay, in a copy, in a chroot. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <linux/capability.h>

#include "builder/inside/protocol.h"
#include "builder/sandbox/copied_root.h"
#include "builder/sandbox/copied_tree.h"
#include "builder/sandbox/network.h"
#include "builder/sandbox/request.h"
#include "builder/sandbox/sandbox_parts.h"
#include "builder/sandbox/seccomp.h"
#include "builder/sandbox/stand_in.h"
#include "layers/path.h"
#include "layers/scope.h"

/* Docker's default set: moby, oci/caps/defaults.go. */
#define CAP(name) (UINT64_C(1) << CAP_##name)
#define DEFAULT_CAPABILITIES                                                                    \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FSETID) | CAP(FOWNER) | CAP(MKNOD) | CAP(NET_RAW) |   \
	 CAP(SETGID) | CAP(SETUID) | CAP(SETFCAP) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE) |          \
	 CAP(SYS_CHROOT) | CAP(KILL) | CAP(AUDIT_WRITE))

/* The request may be larger than the socket's buffer, and its reader may die: no SIGPIPE then. */
static int send_request(const struct spawned *p, const char *bytes, size_t size, struct error *e)
{
	while (size > 0) {
		ssize_t n = send(p->control, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "talk to the sandbox");
		bytes += n;
		size -= (size_t)n;
	}
	return 0;
}

/* The namespaces of R's own, 0 when there are none to be had, and what the program inside has to
 * know of them. */
static int choose_namespaces(const struct sandbox *s, const struct sandbox_run *r,
                             struct request_world *world)
{
	int namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS;

	if (world->flags & REQUEST_CHROOT)
		return 0;
	if (r->network != SANDBOX_NETWORK_HOST) {
		world->flags |= REQUEST_OWN_NETWORK;
		namespaces |= CLONE_NEWNET;
	}
	if (s->cgroup2) {
		world->flags |= REQUEST_CGROUP2;
		namespaces |= CLONE_NEWCGROUP;
	}
	return namespaces;
}

/* A place without the right to limit anything runs things all the same. */
static void limit(struct sandbox *s, const struct sandbox_run *r, const struct watch *w,
                  struct cgroup *group)
{
	struct error e;

	*group = (struct cgroup){ 0 };
	if (!r->cgroup || !cgroup_is_wanted(r->cgroup))
		return;
	if (cgroup_make(r->cgroup, group, &e) == 0 && cgroup_join(group, w->process.pid, &e) == 0)
		return;
	if (!atomic_exchange(&s->no_cgroup, true))
		sandbox_notice(s, "the limits of memory, processors and processes are not kept here: %s (they "
		               "need a control group that cairn may change: as root, or below systemd-run "
		               "--user --scope -p Delegate=yes)", e.text);
}

/* May the caller wait for the end of the run's first process? Not where there is more to do then. */
static bool can_be_left(const struct sandbox_run *r, const struct request_world *world,
                        const struct sandbox_result *result)
{
	return r->leave && result->exit_code == 0 && !(world->flags & REQUEST_COPY) &&
	       r->network < SANDBOX_NETWORK_PASTA && !(r->cgroup && cgroup_is_wanted(r->cgroup));
}

/* Run R once in WORLD, which tells flags and root. STAND_INS may be NULL. */
static int run_once(struct sandbox *s, const struct sandbox_run *r,
                    struct request_world world, struct stand_ins *stand_ins,
                    struct sandbox_result *result, enum refusal *refusal, struct error *e)
{
	int namespaces = choose_namespaces(s, r, &world), status;
	auto_free void *bytes = NULL;
	struct watch w = { .run = r };
	struct network network = { -1 };
	struct cgroup group;
	size_t size;

	world.flags |= s->flags;
	world.capabilities = s->capabilities;
	if (!r->insecure) {
		world.capabilities &= DEFAULT_CAPABILITIES;
		world.filter = seccomp_begin;
		world.filter_count = (size_t)(seccomp_end - seccomp_begin);
	}
	if (request_make(r, &world, &bytes, &size, e) < 0)
		return -1;
	if (spawn_start(s->program, s->null, r->terminal ? s->null : r->out,
	                r->terminal ? s->null : r->err, namespaces, &w.process, e) < 0) {
		*refusal = e->kind == ERROR_UNSUPPORTED ? REFUSED_NAMESPACES : REFUSED_NOTHING;
		return -1;
	}
	limit(s, r, &w, &group);
	agents_init(&w.agents);
	if (stand_ins)
		stand_ins_listen(stand_ins, &w.agents);
	status = r->network < SANDBOX_NETWORK_PASTA
	                 ? 0
	                 : network_begin(&network, r->network, r->reach_host, w.process.pid, e);
	w.started_ms = sandbox_now_ms();
	if (status == 0)
		status = send_request(&w.process, bytes, size, e);
	if (status == 0)
		status = watch_follow(&w, result, e);
	if (status == 0)
		result->overtime = w.overtime;
	*refusal = w.refusal;
	if (w.outer_proc && !atomic_exchange(&s->outer_proc, true))
		sandbox_notice(s, "a RUN sees the processes beside it in /proc, which is masked here, so that "
		               "the kernel gives no other");
	agents_release(&w.agents);
	if (status < 0)
		spawn_kill(&w.process);
	if (status == 0 && can_be_left(r, &world, result))
		result->remains = spawn_leave(&w.process);
	else
		spawn_end(&w.process);
	network_end(&network);
	if (status == 0 && result->exit_code != 0)
		result->out_of_memory = cgroup_was_too_small(&group);
	cgroup_remove(&group);
	return status;
}

int run_in_overlay(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                   enum refusal *refusal, struct error *e)
{
	return run_once(s, r, (struct request_world) { 0 }, NULL, result, refusal, e);
}

/* --- in a copy -------------------------------------------------------------------------------- */

/* The images that are mounted besides: copies too, in the work directory. */
static int copy_images(struct sandbox_mount *mount, const struct sandbox_run *r, struct error *e)
{
	for (size_t i = 0; i < r->mount_count; i++) {
		struct sandbox_mount *m = &mount[i];
		auto_close int image = -1;
		char name[32];

		*m = r->mount[i];
		if (m->kind != SANDBOX_IMAGE)
			continue;
		snprintf(name, sizeof name, "image.%zu", i);
		image = copied_tree_make(r->store, m->lower, r->work, name, e);
		m->source = image < 0 ? -1 : path_open(image, m->subpath, O_PATH, 0, e);
		m->kind = SANDBOX_BIND;
		if (m->source < 0)
			return error_context(e, "mount %s", m->target);
	}
	return 0;
}

int run_in_copy(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                enum refusal *refusal, struct error *e)
{
	auto_free struct sandbox_mount *mount = calloc(r->mount_count + 1, sizeof *mount);
	struct request_world world = { .flags = REQUEST_COPY };
	struct copied_root *root = NULL;
	struct sandbox_run copy = *r;
	int status;

	if (!mount)
		return error_memory(e);
	copy.mount = mount;
	for (size_t i = 0; i < r->mount_count; i++)
		mount[i].source = -1;
	status = copy_images(mount, r, e);
	if (status == 0) {
		root = copied_root_make(r->store, r->lower, r->upper, r->work, e);
		world.root = root ? copied_root_directory(root) : -1;
		status = root ? run_once(s, &copy, world, NULL, result, refusal, e) : -1;
	}
	if (status == 0)
		status = copied_root_changes(root, r->upper, e);
	for (size_t i = 0; i < r->mount_count; i++)
		if (r->mount[i].kind == SANDBOX_IMAGE && mount[i].source >= 0)
			close(mount[i].source);
	copied_root_free(root);
	return status;
}

/* --- in a chroot ------------------------------------------------------------------------------ */

int run_in_chroot(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                  enum refusal *refusal, struct error *e)
{
	struct request_world world = { .flags = REQUEST_COPY | REQUEST_CHROOT };
	struct stand_ins *stand_ins;
	struct copied_root *root;
	struct error lost;
	int status = -1;

	if (r->network != SANDBOX_NETWORK_HOST || r->insecure)
		return error_set(e, ERROR_UNSUPPORTED, "%s needs a namespace, and there is none to be had here",
		                 r->insecure ? "--security=insecure" : "a network of its own");
	root = copied_root_make(r->store, r->lower, r->upper, r->work, e);
	if (!root)
		return -1;
	world.root = copied_root_directory(root);
	stand_ins = stand_ins_make(r, root, e);
	if (stand_ins)
		status = run_once(s, r, world, stand_ins, result, refusal, e);
	if (stand_ins_remove(stand_ins, status < 0 ? &lost : e) < 0)
		status = -1;
	if (status == 0)
		status = copied_root_changes(root, r->upper, e);
	copied_root_free(root);
	return status;
}
