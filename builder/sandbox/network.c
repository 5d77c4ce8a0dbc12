#include "builder/sandbox/network.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "layers/scope.h"

/* Descriptors of the program: the namespace, and where it says that it is ready. */
enum { NAMESPACE = 3, READY = 4, ABOVE };

/* The child's stack until it executes. */
enum { STACK_SIZE = 16 << 10 };

static const struct program {
	const char *name, *package, *server;
	const char *const *argv, *const *argv_with_host;
} programs[] = {
	/* The path of a descriptor, as pasta may look into no other process. "-P", its own number, is
	 * written when all is there. No ports are forwarded. */
	[SANDBOX_NETWORK_PASTA] = {
		"pasta", "passt", "169.254.1.1",
		(const char *const[]){ "pasta", "--config-net", "--foreground", "--quiet", "--no-map-gw",
			"--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none",
			"--dns-forward", "169.254.1.1", "--pid", "/proc/self/fd/4", "--netns-only",
			"--netns", "/proc/self/fd/3", NULL },
		NULL,
	},
	[SANDBOX_NETWORK_SLIRP4NETNS] = {
		"slirp4netns", "slirp4netns", "10.0.2.3",
		(const char *const[]){ "slirp4netns", "--configure", "--mtu=65520",
			"--disable-host-loopback", "--ready-fd=4", "--netns-type=path", "/proc/self/fd/3",
			"tap0", NULL },
		(const char *const[]){ "slirp4netns", "--configure", "--mtu=65520", "--ready-fd=4",
			"--netns-type=path", "/proc/self/fd/3", "tap0", NULL },
	},
};

const char *sandbox_network_server(enum sandbox_network kind)
{
	return kind < SANDBOX_NETWORK_PASTA ? NULL : programs[kind].server;
}

/* The program's path, which the caller frees. */
static char *find_program(const struct program *program, struct error *e)
{
	const char *path = getenv("PATH");

	for (path = path ? path : "/usr/bin:/bin"; *path; path += strcspn(path, ":")) {
		char *file;

		path += *path == ':';
		if (asprintf(&file, "%.*s/%s", (int)strcspn(path, ":"), path, program->name) < 0) {
			error_memory(e);
			return NULL;
		}
		if (access(file, X_OK) == 0)
			return file;
		free(file);
	}
	error_set(e, ERROR_NOT_FOUND, "--network=%s: there is no program %s here (Debian and Ubuntu have it "
	          "in the package %s)", program->name, program->name, program->package);
	return NULL;
}

int sandbox_network_check(enum sandbox_network kind, struct error *e)
{
	auto_free char *file = NULL;

	if (kind < SANDBOX_NETWORK_PASTA)
		return 0;
	file = find_program(&programs[kind], e);
	return file ? 0 : -1;
}

struct child {
	const char *file;
	char *const *argv;
	int descriptor[ABOVE];
	int error;
};

/* As in spawn.c: on our memory, while we are stopped. */
static __attribute__((no_sanitize("address"))) int child_main(void *argument)
{
	struct child *c = argument;
	sigset_t none;
	int moved[ABOVE];

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		goto failed;
	for (int i = 0; i < ABOVE; i++) {
		moved[i] = fcntl(c->descriptor[i], F_DUPFD_CLOEXEC, ABOVE);
		if (moved[i] < 0)
			goto failed;
	}
	for (int i = 0; i < ABOVE; i++)
		if (dup2(moved[i], i) < 0)
			goto failed;
	signal(SIGPIPE, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	/* Ctrl-C is for cairn, which ends it. */
	setsid();
	execv(c->file, c->argv);
failed:
	c->error = errno;
	_exit(1);
}

static int start(struct network *n, struct child *c, struct error *e)
{
	_Alignas(16) char stack[STACK_SIZE];
	sigset_t all, before;
	pid_t pid;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	pid = clone(child_main, stack + sizeof stack,
	            CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, c, &n->pidfd);
	if (pid < 0)
		c->error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (pid < 0)
		n->pidfd = -1;
	errno = c->error;
	return c->error ? error_errno(e, "start %s", c->file) : 0;
}

/* What it had to say, on one line. */
static int complain(const struct program *program, int log, struct error *e)
{
	char text[512];
	ssize_t size = pread(log, text, sizeof text - 1, 0);

	text[size < 0 ? 0 : size] = '\0';
	for (char *p = text; *p; p++)
		if (*p == '\n')
			*p = p[1] ? ' ' : '\0';
	/* pasta becomes nobody then, who may not enter the run's network. */
	if (program == &programs[SANDBOX_NETWORK_PASTA] &&
	    strcmp(sandbox_xattrs(), "trusted.overlay.") == 0)
		return error_set(e, ERROR_UNSUPPORTED,
		                 "--network=pasta is for ordinary users: take "
		                 "--network=slirp4netns as root (%s)", text);
	return error_set(e, ERROR_UNSUPPORTED,
	                 "--network=%s: %s cannot give this RUN a network: %s",
	                 program->name, program->name, *text ? text : "it ended without a word");
}

int network_begin(struct network *n, enum sandbox_network kind, bool reach_host, pid_t pid,
                  struct error *e)
{
	const struct program *program = &programs[kind];
	const char *const *argv = reach_host && program->argv_with_host ? program->argv_with_host
	                                                                : program->argv;
	auto_free char *file = find_program(program, e);
	auto_close int namespace = -1, null = -1, log = -1, hear = -1, say = -1;
	char path[64], byte;
	int ready[2];
	ssize_t size;

	n->pidfd = -1;
	if (!file)
		return -1;
	snprintf(path, sizeof path, "/proc/%d/ns/net", pid);
	namespace = open(path, O_RDONLY | O_CLOEXEC);
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	log = memfd_create("network", MFD_CLOEXEC);
	if (namespace < 0 || null < 0 || log < 0 || pipe2(ready, O_CLOEXEC) < 0)
		return error_errno(e, "open %s", path);
	hear = ready[0];
	say = ready[1];
	if (start(n, &(struct child){ file, (char *const *)(uintptr_t)argv,
	                              { null, null, log, namespace, say }, 0 }, e) < 0)
		return -1;
	close(take_fd(&say));
	do
		size = read(hear, &byte, 1);
	while (size < 0 && errno == EINTR);
	return size == 1 ? 0 : complain(program, log, e);
}

void network_end(struct network *n)
{
	siginfo_t info;

	if (n->pidfd < 0)
		return;
	syscall(SYS_pidfd_send_signal, n->pidfd, SIGKILL, NULL, 0);
	while (waitid(P_PIDFD, (id_t)n->pidfd, &info, WEXITED) < 0 && errno == EINTR)
		continue;
	close(n->pidfd);
	n->pidfd = -1;
}
