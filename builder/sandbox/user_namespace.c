/* Root for an ordinary user: a user namespace around all of cairn (builder/sandbox/sandbox.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <pwd.h>
#include <sched.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "builder/sandbox/sandbox.h"
#include "layers/path.h"
#include "layers/scope.h"

/* The first user namespace has a fixed inode number: linux/proc_ns.h. A map that looks like the
 * identity says nothing: any namespace may have that. */
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu
#define SUBIDS_SIZE_MAX (1 << 20)

struct range {
	unsigned long start, count;
};

static bool may_set_trusted_attributes(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { 0 };
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == FIRST_USER_NAMESPACE &&
	       syscall(SYS_capget, &header, sets) == 0 &&
	       (sets[0].effective & 1u << CAP_SYS_ADMIN) != 0;
}

const char *sandbox_xattrs(void)
{
	return may_set_trusted_attributes() ? "trusted.overlay." : "user.overlay.";
}

/* The first range in FILE, lines of USER:START:COUNT, for a user of this NAME or number. */
static bool find_range(const char *file, const char *name, uid_t uid, struct range *r)
{
	char number[16], *rest, *line;
	struct error ignored;
	auto_free char *text = path_read(AT_FDCWD, file, SUBIDS_SIZE_MAX, NULL, &ignored);

	snprintf(number, sizeof number, "%u", uid);
	rest = text;
	while (rest && (line = strsep(&rest, "\n"))) {
		char *who = strsep(&line, ":"), *start = strsep(&line, ":");

		if (!line || (strcmp(who, number) != 0 && (!name || strcmp(who, name) != 0)))
			continue;
		*r = (struct range) { strtoul(start, NULL, 10), strtoul(line, NULL, 10) };
		return r->count > 0;
	}
	return false;
}

/* Run `newuidmap PID 0 ID 1 1 START COUNT`: our own id is root, the subordinate ones follow. */
static int map_with(const char *program, pid_t pid, unsigned id, const struct range *r)
{
	char words[5][24];
	int status;
	pid_t child;

	snprintf(words[0], sizeof words[0], "%d", pid);
	snprintf(words[1], sizeof words[1], "%u", id);
	snprintf(words[2], sizeof words[2], "%lu", r->start);
	snprintf(words[3], sizeof words[3], "%lu", r->count);
	child = fork();
	if (child == 0) {
		execlp(program, program, words[0], "0", words[1], "1", "1", words[2], words[3],
		       (char *)NULL);
		_exit(127);
	}
	if (child < 0 || waitpid(child, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* Whoever maps must be outside: a child that stays behind when we leave. Returns the pipe that
 * tells it that we have left. */
static int start_mapper(pid_t *mapper, const struct range *uids, const struct range *gids,
                        struct error *e)
{
	unsigned uid = geteuid(), gid = getegid();
	pid_t us = getpid();
	int gone[2];
	char byte;

	if (pipe2(gone, O_CLOEXEC) < 0)
		return error_errno(e, "create a pipe");
	*mapper = fork();
	if (*mapper == 0) {
		close(gone[1]);
		if (read(gone[0], &byte, 1) != 1)
			_exit(1);
		_exit(map_with("newuidmap", us, uid, uids) != 0 ||
		      map_with("newgidmap", us, gid, gids) != 0);
	}
	close(gone[0]);
	if (*mapper < 0) {
		close(gone[1]);
		return error_errno(e, "start a process");
	}
	return gone[1];
}

static int write_file(const char *path, const char *text, struct error *e)
{
	auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return error_errno(e, "write %s", path);
	return 0;
}

static int map_one(unsigned uid, unsigned gid, struct error *e)
{
	char map[32];

	if (write_file("/proc/self/setgroups", "deny", e) < 0)
		return -1;
	snprintf(map, sizeof map, "0 %u 1", uid);
	if (write_file("/proc/self/uid_map", map, e) < 0)
		return -1;
	snprintf(map, sizeof map, "0 %u 1", gid);
	return write_file("/proc/self/gid_map", map, e);
}

/* Tell the mapper that we have left, and wait for it. */
static bool finish_mapper(int gone, pid_t mapper, bool left)
{
	bool told = left && write(gone, "", 1) == 1;
	int status;

	close(gone);
	return waitpid(mapper, &status, 0) == mapper && told && status == 0;
}

int sandbox_become_root(const char **because, struct error *e)
{
	unsigned uid = geteuid(), gid = getegid();
	const struct passwd *user;
	struct range uids, gids;
	bool left, mapped = false;
	pid_t mapper = -1;
	int gone = -1, why;

	*because = NULL;
	if (uid == 0)
		return 0;
	user = getpwuid(uid);
	if (find_range("/etc/subuid", user ? user->pw_name : NULL, uid, &uids) &&
	    find_range("/etc/subgid", user ? user->pw_name : NULL, uid, &gids)) {
		gone = start_mapper(&mapper, &uids, &gids, e);
		if (gone < 0)
			return -1;
	}
	left = unshare(CLONE_NEWUSER) == 0;
	why = errno;
	if (gone >= 0)
		mapped = finish_mapper(gone, mapper, left);
	if (!left) {
		errno = why;
		return error_errno(e, "no user namespace is to be had here (see the sysctls "
		                   "user.max_user_namespaces, kernel.unprivileged_userns_clone and "
		                   "kernel.apparmor_restrict_unprivileged_userns)");
	}
	if (mapped)
		return 0;
	*because = gone >= 0
		? "newuidmap and newgidmap did not map your subordinate ids: files of images can have no "
		  "owner but you"
		: "no subordinate ids in /etc/subuid and /etc/subgid: files of images can have no owner "
		  "but you";
	return map_one(uid, gid, e);
}
