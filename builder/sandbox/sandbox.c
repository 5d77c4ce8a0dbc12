#include "builder/sandbox/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <linux/capability.h>
#include <linux/magic.h>

#include "builder/sandbox/copied_root.h"
#include "builder/sandbox/copied_tree.h"
#include "builder/inside/protocol.h"
#include "builder/sandbox/oom.h"
#include "builder/sandbox/request.h"
#include "builder/sandbox/seccomp.h"
#include "builder/sandbox/watch.h"
#include "layers/path.h"
#include "layers/scope.h"

/* Docker's default set: moby, oci/caps/defaults.go. */
#define CAP(name) (UINT64_C(1) << CAP_##name)
#define DEFAULT_CAPABILITIES                                                                    \
	(CAP(CHOWN) | CAP(DAC_OVERRIDE) | CAP(FSETID) | CAP(FOWNER) | CAP(MKNOD) | CAP(NET_RAW) |   \
	 CAP(SETGID) | CAP(SETUID) | CAP(SETFCAP) | CAP(SETPCAP) | CAP(NET_BIND_SERVICE) |          \
	 CAP(SYS_CHROOT) | CAP(KILL) | CAP(AUDIT_WRITE))

struct sandbox {
	pthread_mutex_t first;     /* held while the first run finds out what is needed */
	bool ready;
	int program, null;
	uint32_t flags;            /* REQUEST_... that hold for all runs */
	uint64_t capabilities;     /* our own */
	bool cgroup2;
	_Atomic long oom_kills;    /* seen so far */
	struct seccomp_filter filter;
	struct sandbox_options options;
	_Atomic enum sandbox_way way;
};

/* Is it ours to take another way when one is refused? */
static bool may_choose(const struct sandbox *s)
{
	return s->options.way == SANDBOX_AUTO || s->options.way == SANDBOX_USERNS;
}

static __attribute__((format(printf, 2, 3))) void notice(const struct sandbox *s, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	if (s->options.notice)
		s->options.notice(s->options.context, text);
}

int sandbox_way_parse(const char *text, enum sandbox_way *way, struct error *e)
{
	static const char *const names[] = {
		[SANDBOX_AUTO] = "auto",     [SANDBOX_OVERLAY] = "overlay", [SANDBOX_USERNS] = "userns",
		[SANDBOX_COPY] = "copy",     [SANDBOX_CHROOT] = "chroot",
	};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strcmp(text, names[i]) == 0) {
			*way = (enum sandbox_way)i;
			return 0;
		}
	}
	return error_set(e, ERROR_INPUT, "--isolation %s: use auto, overlay, userns, copy or chroot",
	                 text);
}

struct sandbox *sandbox_open(const struct sandbox_options *options, struct error *e)
{
	struct sandbox *s = calloc(1, sizeof *s);

	if (!s) {
		error_memory(e);
		return NULL;
	}
	pthread_mutex_init(&s->first, NULL);
	s->program = s->null = -1;
	s->options = *options;
	s->way = may_choose(s) ? SANDBOX_OVERLAY : options->way;
	return s;
}

void sandbox_close(struct sandbox *s)
{
	if (!s)
		return;
	if (s->program >= 0)
		close(s->program);
	if (s->null >= 0)
		close(s->null);
	free(s->filter.code);
	pthread_mutex_destroy(&s->first);
	free(s);
}

static uint64_t own_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { 0 };

	syscall(SYS_capget, &header, sets);
	return sets[0].permitted | (uint64_t)sets[1].permitted << 32;
}

/* What all runs share, made when the first one needs it. */
static int prepare(struct sandbox *s, struct error *e)
{
	struct utsname kernel;
	struct statfs fs;

	if (geteuid() != 0)
		return error_set(e, ERROR_UNSUPPORTED, "a command is run as root or in a user namespace: %s",
		                 s->options.because ? s->options.because : "neither is possible here");
	if (s->program < 0 && (s->program = spawn_program(e)) < 0)
		return -1;
	if (s->null < 0 && (s->null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		return error_errno(e, "open /dev/null");
	if (!s->filter.code && seccomp_make(&s->filter, e) < 0)
		return -1;
	s->capabilities = own_capabilities();
	s->cgroup2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
	if (strcmp(sandbox_xattrs(), "user.overlay.") == 0)
		s->flags |= REQUEST_USERXATTR;
	/* lowerdir+, one layer a call, is of Linux 6.7. */
	if (uname(&kernel) == 0 && strverscmp(kernel.release, "6.7") < 0)
		s->flags |= REQUEST_OLD_OVERLAY;
	if (!sandbox_keeps_owners())
		s->flags |= REQUEST_ONE_ID;
	if (s->options.because)
		notice(s, "to a RUN all files belong to its own user: %s", s->options.because);
	s->oom_kills = oom_kills();
	s->ready = true;
	return 0;
}

static int prepare_once(struct sandbox *s, struct error *e)
{
	int result = 0;

	pthread_mutex_lock(&s->first);
	if (!s->ready)
		result = prepare(s, e);
	pthread_mutex_unlock(&s->first);
	return result;
}

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

/* Run R once, with the root filesystem ROOT, or an overlay when that is NULL. *REFUSED tells that
 * there is no overlay to be had. */
static int run_once(struct sandbox *s, const struct sandbox_run *r, struct copied_root *root,
                    struct sandbox_result *result, bool *refused, struct error *e)
{
	struct request_world world = { .flags = s->flags, .capabilities = s->capabilities };
	int namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS, status;
	auto_free void *bytes = NULL;
	struct watch w = { .run = r };
	size_t size;

	if (!r->insecure) {
		world.capabilities &= DEFAULT_CAPABILITIES;
		world.filter = s->filter.code;
		world.filter_count = s->filter.count;
	}
	if (r->network == SANDBOX_NETWORK_NONE) {
		world.flags |= REQUEST_OWN_NETWORK;
		namespaces |= CLONE_NEWNET;
	}
	if (s->cgroup2) {
		world.flags |= REQUEST_CGROUP2;
		namespaces |= CLONE_NEWCGROUP;
	}
	if (root) {
		world.flags |= REQUEST_COPY;
		world.root = copied_root_directory(root);
	}
	if (request_make(r, &world, &bytes, &size, e) < 0 ||
	    spawn_start(s->program, s->null, r->out, r->err, namespaces, &w.process, e) < 0)
		return -1;
	agents_init(&w.agents);
	w.started_ms = sandbox_now_ms();
	status = send_request(&w.process, bytes, size, e);
	if (status == 0)
		status = watch_follow(&w, result, e);
	if (status == 0)
		result->overtime = w.overtime;
	*refused = w.refused;
	agents_release(&w.agents);
	if (status < 0)
		spawn_kill(&w.process);
	spawn_end(&w.process);
	return status;
}

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

static int run_copied(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                      struct error *e)
{
	auto_free struct sandbox_mount *mount = calloc(r->mount_count + 1, sizeof *mount);
	struct copied_root *root = NULL;
	struct sandbox_run copy = *r;
	bool refused;
	int status;

	if (!mount)
		return error_memory(e);
	copy.mount = mount;
	for (size_t i = 0; i < r->mount_count; i++)
		mount[i].source = -1;
	status = copy_images(mount, r, e);
	if (status == 0) {
		root = copied_root_make(r->store, r->lower, r->upper, r->work, e);
		status = root ? run_once(s, &copy, root, result, &refused, e) : -1;
	}
	if (status == 0)
		status = copied_root_changes(root, r->upper, e);
	for (size_t i = 0; i < r->mount_count; i++)
		if (r->mount[i].kind == SANDBOX_IMAGE && mount[i].source >= 0)
			close(mount[i].source);
	copied_root_free(root);
	return status;
}

/* No overlay here: the same for all runs from now on. */
static void fall_back(struct sandbox *s, int store, const struct error *e)
{
	struct statfs fs;

	pthread_mutex_lock(&s->first);
	if (s->way == SANDBOX_OVERLAY) {
		bool nested = fstatfs(store, &fs) == 0 && fs.f_type == OVERLAYFS_SUPER_MAGIC;

		s->way = SANDBOX_COPY;
		notice(s, "each RUN copies its files, which takes longer: %s%s", e->text,
		       nested ? " (cairn's own files are on an overlay: name a place that is not with --root)"
		              : "");
	}
	pthread_mutex_unlock(&s->first);
}

/* What a refused try has made in the work directory is in the way of the next one. */
static int clear_work(const struct sandbox_run *r, struct error *e)
{
	return path_remove(r->work, "root", e);
}

static void look_for_memory_kill(struct sandbox *s, struct sandbox_result *result)
{
	long kills;

	if (result->exit_code != 128 + SIGKILL || result->overtime)
		return;
	kills = oom_kills();
	result->out_of_memory = kills > atomic_exchange(&s->oom_kills, kills);
}

int sandbox_run(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                struct error *e)
{
	bool refused = true;
	int status = -1;

	if (prepare_once(s, e) < 0)
		return -1;
	if (s->way == SANDBOX_CHROOT)
		return error_set(e, ERROR_UNSUPPORTED, "running in a chroot without namespaces is not supported");
	if (s->way == SANDBOX_OVERLAY) {
		status = run_once(s, r, NULL, result, &refused, e);
		if (status < 0 && refused && may_choose(s)) {
			fall_back(s, r->store, e);
			if (clear_work(r, e) < 0)
				return -1;
		}
	}
	if (s->way == SANDBOX_COPY && refused)
		status = run_copied(s, r, result, e);
	if (status == 0)
		look_for_memory_kill(s, result);
	return status;
}
