#include "builder/sandbox/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "builder/sandbox/helper.h"
#include "builder/sandbox/sandbox.h"
#include "builder/inside/protocol.h"
#include "layers/path.h"
#include "layers/scope.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U
#endif

/* The child's stack until it executes. */
enum { STACK_SIZE = 16 << 10, ABOVE = CONTROL + 1 };

struct child {
	int program, descriptor[CONTROL + 1];
	bool buries;
	int error;     /* errno of what failed before the program was there */
};

int spawn_program(struct error *e)
{
	auto_close int fd = memfd_create("cairn-run", MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);

	/* Before 6.3 every file in memory is executable and the flag unknown. */
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("cairn-run", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return error_errno(e, "create a file in memory");
	if (path_write_all(fd, helper_begin, (size_t)(helper_end - helper_begin), e) < 0)
		return error_context(e, "the sandbox's program");
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return error_errno(e, "seal the sandbox's program");
	return take_fd(&fd);
}

/* Runs on our memory while we are stopped: system calls only, and no other state than ARGUMENT. It
 * never returns, so what a sanitizer notes about its stack would be held against ours. */
static __attribute__((no_sanitize("address"))) int child_main(void *argument)
{
	static const char *const nothing[] = { NULL };
	static const char *const name[] = { "cairn-run", NULL };
	struct child *c = argument;
	int moved[CONTROL + 1], program;

	/* Before the request is written, so if we are gone by now it reads its end of file. */
	if (!c->buries && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		goto failed;
	/* Out of the way first: any of them may be one of 0 to 3. */
	program = fcntl(c->program, F_DUPFD_CLOEXEC, ABOVE);
	if (program < 0)
		goto failed;
	for (int i = 0; i <= CONTROL; i++) {
		moved[i] = fcntl(c->descriptor[i], F_DUPFD_CLOEXEC, ABOVE);
		if (moved[i] < 0)
			goto failed;
	}
	for (int i = 0; i <= CONTROL; i++)
		if (dup2(moved[i], i) < 0)
			goto failed;
	syscall(SYS_execveat, program, "", name, nothing, AT_EMPTY_PATH);
failed:
	c->error = errno;
	_exit(1);
}

int spawn_start(int program, int input, int out, int err, int namespaces, struct spawned *s,
                struct error *e)
{
	_Alignas(16) char stack[STACK_SIZE];
	struct child c = { program, { input, out, err, -1 }, namespaces == 0, 0 };
	sigset_t all, before;
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(e, "create a socket");
	c.descriptor[CONTROL] = pair[1];
	/* A handler must not run in the child: it would run on our memory. */
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &before);
	s->pid = clone(child_main, stack + sizeof stack,
	               CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD | namespaces, &c, &s->pidfd);
	if (s->pid < 0)
		c.error = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	s->control = pair[0];
	s->buries = c.buries;
	if (c.error == 0)
		return 0;
	if (s->pid >= 0)
		spawn_end(s);
	else
		close(pair[0]);
	errno = c.error;
	if (namespaces && (errno == EPERM || errno == EACCES || errno == EINVAL || errno == ENOSYS))
		return error_set(e, ERROR_UNSUPPORTED, "namespaces are refused: %s (a container needs the "
		                 "capability SYS_ADMIN or a seccomp profile that allows unshare)",
		                 strerror(errno));
	if (errno == ENOSPC)
		return error_errno(e, "start the sandbox (see the sysctls user.max_..._namespaces)");
	return error_errno(e, "start the sandbox");
}

void spawn_kill(const struct spawned *s)
{
	if (s->buries)
		shutdown(s->control, SHUT_RDWR);
	else
		syscall(SYS_pidfd_send_signal, s->pidfd, SIGKILL, NULL, 0);
}

int spawn_leave(struct spawned *s)
{
	close(s->control);
	return s->pidfd;
}

void spawn_end(struct spawned *s)
{
	int remains = spawn_leave(s);

	sandbox_bury(remains);
	close(remains);
}

void sandbox_bury(int remains)
{
	siginfo_t info;

	/* ECHILD after the end when another thread was there first, or SIGCHLD is ignored. */
	while (waitid(P_PIDFD, (id_t)remains, &info, WEXITED) < 0 && errno == EINTR)
		continue;
}
