#include "builder/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <linux/capability.h>
#include <linux/magic.h>

#include "builder/inside/protocol.h"
#include "builder/request.h"
#include "builder/seccomp.h"
#include "builder/spawn.h"
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
	uint64_t capabilities;     /* our own */
	bool cgroup2;
	struct seccomp_filter filter;
	enum sandbox_way wanted;
	_Atomic enum sandbox_way way;
};

struct sandbox *sandbox_open(enum sandbox_way way, struct error *e)
{
	struct sandbox *s = calloc(1, sizeof *s);

	if (!s) {
		error_memory(e);
		return NULL;
	}
	pthread_mutex_init(&s->first, NULL);
	s->program = s->null = -1;
	s->wanted = way;
	s->way = way == SANDBOX_AUTO ? SANDBOX_OVERLAY : way;
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
	struct statfs fs;

	if (s->program < 0 && (s->program = spawn_program(e)) < 0)
		return -1;
	if (s->null < 0 && (s->null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0)
		return error_errno(e, "open /dev/null");
	if (!s->filter.code && seccomp_make(&s->filter, e) < 0)
		return -1;
	s->capabilities = own_capabilities();
	s->cgroup2 = statfs("/sys/fs/cgroup", &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
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

/* The next reply, or 0 at the end of them, or ERROR_CANCELLED. */
static int next_reply(const struct spawned *p, int cancel, struct reply *reply, struct error *e)
{
	struct pollfd wait[2] = { { .fd = p->control, .events = POLLIN },
		                      { .fd = cancel, .events = POLLIN } };
	ssize_t n;

	for (;;) {
		if (poll(wait, 2, -1) < 0 && errno != EINTR)
			return error_errno(e, "wait for the sandbox");
		if (wait[0].revents)
			break;
		if (wait[1].revents) {
			spawn_kill(p);
			return error_set(e, ERROR_CANCELLED, "cancelled");
		}
	}
	n = recv(p->control, reply, sizeof *reply, MSG_WAITALL);
	if (n < 0)
		return error_errno(e, "hear from the sandbox");
	return n == sizeof *reply;
}

static void set_result(struct sandbox_result *result, const struct reply *reply)
{
	memset(result, 0, sizeof *result);
	if (reply->kind == REPLY_NOT_STARTED) {
		result->exit_code = reply->status;
		snprintf(result->reason, sizeof result->reason, "%s", reply->text);
	} else if (WIFSIGNALED(reply->status)) {
		result->signal = WTERMSIG(reply->status);
		result->exit_code = 128 + result->signal;
	} else {
		result->exit_code = WEXITSTATUS(reply->status);
	}
}

static int set_failure(const struct reply *reply, struct error *e)
{
	errno = reply->number;
	return reply->number ? error_errno(e, "sandbox: %s", reply->text)
	                     : error_set(e, ERROR_INPUT, "sandbox: %s", reply->text);
}

/* Hear how the run in P goes, to its end. */
static int follow(const struct spawned *p, const struct sandbox_run *r,
                  struct sandbox_result *result, struct error *e)
{
	struct reply reply;
	int more;

	while ((more = next_reply(p, r->cancel, &reply, e)) > 0) {
		switch ((enum reply_kind)reply.kind) {
		case REPLY_ENDED:
		case REPLY_NOT_STARTED:
			set_result(result, &reply);
			return 0;
		case REPLY_FAILED:
		case REPLY_REFUSED:
			return set_failure(&reply, e);
		case REPLY_AGENT:
			break;
		}
	}
	return more < 0 ? -1 : error_set(e, ERROR_SYSTEM, "the sandbox was killed from outside");
}

int sandbox_run(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                struct error *e)
{
	struct request_world world = { 0 };
	int namespaces = CLONE_NEWPID | CLONE_NEWNS | CLONE_NEWIPC | CLONE_NEWUTS, status;
	auto_free void *bytes = NULL;
	struct spawned p;
	size_t size;

	if (prepare_once(s, e) < 0)
		return -1;
	world.capabilities = s->capabilities;
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
	if (request_make(r, &world, &bytes, &size, e) < 0 ||
	    spawn_start(s->program, s->null, r->out, r->err, namespaces, &p, e) < 0)
		return -1;
	status = send_request(&p, bytes, size, e);
	if (status == 0)
		status = follow(&p, r, result, e);
	if (status < 0)
		spawn_kill(&p);
	spawn_end(&p);
	return status;
}
