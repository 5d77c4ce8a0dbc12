#include "registry/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/scope.h"

/* Somebody may have to unlock a keyring, but not for longer than this. */
#define HELPER_SECONDS 120
#define ANSWER_MAX (64 << 10)

extern char **environ;

static int check_name(const char *name, struct error *e)
{
	if (name[0] == '.' || name[0] == '-' ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")])
		return error_set(e, ERROR_INPUT, "\"%.80s\" is no name of a credential helper", name);
	return 0;
}

/* Its end, or the end of our patience. */
static int wait_for(pid_t pid, struct error *e)
{
	auto_close int process = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd poll_for = { .fd = process, .events = POLLIN };
	int status, ready = 1;

	if (process >= 0)
		while ((ready = poll(&poll_for, 1, HELPER_SECONDS * 1000)) < 0 && errno == EINTR)
			;
	if (ready == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return error_errno(e, "wait");
	if (ready == 0)
		return error_set(e, ERROR_FAILED, "no answer for %d seconds", HELPER_SECONDS);
	if (!WIFEXITED(status))
		return error_set(e, ERROR_FAILED, "killed by signal %d", WTERMSIG(status));
	return WEXITSTATUS(status);
}

static int spawn(const char *program, const char *verb, const int fd[3], pid_t *pid)
{
	char *argv[] = { (char *)program, (char *)verb, NULL };
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none, all;
	int failed;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	for (int i = 0; i < 3; i++)
		posix_spawn_file_actions_adddup2(&actions, fd[i], i);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &all);
	failed = posix_spawnp(pid, program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return failed;
}

/* A file in memory with room for an answer: nobody waits for anybody, and more cannot be written. */
static int make_room(const char *name)
{
	auto_close int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, ANSWER_MAX) < 0 || fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) < 0)
		return -1;
	return take_fd(&fd);
}

/* What was not written to is zeros. */
static char *read_back(int fd, struct error *e)
{
	char *text = malloc(ANSWER_MAX + 1);
	ssize_t n;

	if (!text) {
		error_memory(e);
		return NULL;
	}
	n = path_read_at(fd, text, ANSWER_MAX, 0);
	text[n > 0 ? n : 0] = '\0';
	return text;
}

int helper_run(const char *name, const char *verb, const char *question, char **answer,
               struct error *e)
{
	auto_close int in = memfd_create("question", MFD_CLOEXEC);
	auto_close int out = make_room("answer"), noise = make_room("noise");
	auto_free char *program = NULL;
	int failed, status;
	pid_t pid;

	if (check_name(name, e) < 0)
		return -1;
	if (asprintf(&program, "docker-credential-%s", name) < 0) {
		program = NULL;
		return error_memory(e);
	}
	if (in < 0 || out < 0 || noise < 0 || path_write_all(in, question, strlen(question), e) < 0 ||
	    lseek(in, 0, SEEK_SET) < 0)
		return error_errno(e, "run %s", program);
	failed = spawn(program, verb, (int[]){ in, out, noise }, &pid);
	if (failed) {
		errno = failed;
		return error_errno(e, "run the credential helper %s", program);
	}
	status = wait_for(pid, e);
	if (status < 0)
		return error_context(e, "credential helper %s", program);
	if (lseek(out, 0, SEEK_CUR) == ANSWER_MAX)
		return error_set(e, ERROR_INPUT, "credential helper %s: its answer is too long", program);
	*answer = read_back(out, e);
	if (*answer && status > 0 && !**answer) {
		free(*answer);
		*answer = read_back(noise, e);
	}
	return *answer ? status : -1;
}
