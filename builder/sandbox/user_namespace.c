/* Root for whoever is not, or not quite: a user namespace around all of cairn
 * (builder/sandbox/sandbox.h). */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <nss.h>
#include <pwd.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "builder/sandbox/sandbox.h"
#include "layers/digest.h"
#include "layers/scope.h"

/* The first user namespace has a fixed inode number: linux/proc_ns.h. A map that looks like the
 * identity says nothing: any namespace may have that. */
#define FIRST_USER_NAMESPACE 0xEFFFFFFDu

struct range {
	unsigned long start, count;
};

static bool has_capability(unsigned number)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { 0 };

	return syscall(SYS_capget, &header, sets) == 0 &&
	       (sets[number / 32].effective & 1u << number % 32) != 0;
}

static bool is_in_first_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/user", &st) == 0 && st.st_ino == FIRST_USER_NAMESPACE;
}

static bool may_set_trusted_attributes(void)
{
	return is_in_first_namespace() && has_capability(CAP_SYS_ADMIN);
}

const char *sandbox_xattrs(void)
{
	return may_set_trusted_attributes() ? "trusted.overlay." : "user.overlay.";
}

static bool has_many_ids(const char *map)
{
	unsigned long inside, outside, count, ids = 0;
	auto_fclose FILE *f = fopen(map, "re");

	while (f && fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
		ids += count;
	return ids > 1;
}

bool sandbox_keeps_owners(void)
{
	return geteuid() == 0 &&
	       (is_in_first_namespace() ||
	        (has_many_ids("/proc/self/uid_map") && has_many_ids("/proc/self/gid_map")));
}

static void add_file(struct sha256 *hash, const char *path)
{
	char text[4096];
	auto_fclose FILE *f = fopen(path, "re");
	size_t size = f ? fread(text, 1, sizeof text, f) : 0;

	sha256_add(hash, text, size);
}

void sandbox_form(char form[static SANDBOX_FORM])
{
	char hex[DIGEST_HEX + 1];
	struct sha256 hash;
	struct digest d;

	form[0] = '\0';
	if (may_set_trusted_attributes())
		return;
	sha256_begin(&hash);
	add_file(&hash, "/proc/self/uid_map");
	add_file(&hash, "/proc/self/gid_map");
	sha256_end(&hash, &d);
	snprintf(form, SANDBOX_FORM, "%.8s", digest_hex(&d, hex));
}

/* --- whoever maps must be outside: a child that stays behind when we leave -------------------- */

enum mapped { MAPPED_MANY, MAPPED_ONE, MAPPED_NONE, NO_SUBIDS };

/* The first range in FILE, lines of USER:START:COUNT, for a user of this NAME or number. */
static bool find_range(const char *file, const char *name, uid_t uid, struct range *r)
{
	auto_fclose FILE *f = fopen(file, "re");
	auto_free char *line = NULL;
	char number[16];
	size_t size;

	snprintf(number, sizeof number, "%u", uid);
	while (f && getline(&line, &size, f) > 0) {
		char *rest = line, *who = strsep(&rest, ":"), *start = strsep(&rest, ":");

		if (!rest || (strcmp(who, number) != 0 && (!name || strcmp(who, name) != 0)))
			continue;
		*r = (struct range) { strtoul(start, NULL, 10), strtoul(rest, NULL, 10) };
		return r->count > 0;
	}
	return false;
}

/* Run `newuidmap PID 0 ID 1 1 START COUNT`: our own id is root, the subordinate ones follow. */
static bool map_many(const char *program, pid_t pid, unsigned id, const struct range *r)
{
	char words[4][24];
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
	return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static bool write_file(pid_t pid, const char *name, const char *text)
{
	char path[64];
	auto_close int fd = -1;

	snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool map_one(pid_t pid, const char *name, unsigned id)
{
	char text[32];

	snprintf(text, sizeof text, "0 %u 1", id);
	return write_file(pid, name, text);
}

/* Every id that there is here becomes itself. */
static bool map_same(pid_t pid, const char *name)
{
	char path[64], text[4096];
	unsigned long inside, outside, count;
	auto_fclose FILE *f = NULL;
	size_t used = 0;

	snprintf(path, sizeof path, "/proc/self/%s", name);
	f = fopen(path, "re");
	while (f && used < sizeof text - 64 &&
	       fscanf(f, "%lu %lu %lu", &inside, &outside, &count) == 3)
		used += (size_t)snprintf(text + used, sizeof text - used, "%lu %lu %lu\n", inside, inside,
		                         count);
	return used > 0 && write_file(pid, name, text);
}

static enum mapped map(pid_t pid, unsigned uid, unsigned gid)
{
	const struct passwd *user;
	const char *name;
	struct range uids, gids;
	bool found, many_users, many_groups;

	/* Users of a directory service are known to newuidmap, which asks again whose the ids are, and by
	 * no file: what they are called they say themselves. */
	__nss_configure_lookup("passwd", "files");
	user = getpwuid(uid);
	name = user ? user->pw_name : getenv("USER");

	if (uid == 0)
		return map_same(pid, "uid_map") && map_same(pid, "gid_map") ? MAPPED_MANY : MAPPED_NONE;
	found = find_range("/etc/subuid", name, uid, &uids) &&
	        find_range("/etc/subgid", name, uid, &gids);
	many_users = found && map_many("newuidmap", pid, uid, &uids);
	many_groups = many_users && map_many("newgidmap", pid, gid, &gids);
	if (!many_users && !map_one(pid, "uid_map", uid))
		return MAPPED_NONE;
	/* The kernel lets an ordinary user map a group only when nobody inside can leave any. */
	if (!many_groups && (!write_file(pid, "setgroups", "deny") || !map_one(pid, "gid_map", gid)))
		return MAPPED_NONE;
	return many_groups ? MAPPED_MANY : found ? MAPPED_ONE : NO_SUBIDS;
}

/* Returns the pipe that tells the mapper that we have left. */
static int start_mapper(pid_t *mapper, struct error *e)
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
		_exit(read(gone[0], &byte, 1) == 1 ? map(us, uid, gid) : MAPPED_NONE);
	}
	close(gone[0]);
	if (*mapper < 0) {
		close(gone[1]);
		return error_errno(e, "start a process");
	}
	return gone[1];
}

/* Tell the mapper whether we have left, and wait for it. */
static enum mapped finish_mapper(int gone, pid_t mapper, bool left)
{
	bool told = left && write(gone, "", 1) == 1;
	int status;

	close(gone);
	if (waitpid(mapper, &status, 0) != mapper || !told || !WIFEXITED(status))
		return MAPPED_NONE;
	return (enum mapped)WEXITSTATUS(status);
}

/* Root that may not mount is better off in a namespace of its own where it may: as long as it can
 * take all its ids along. */
static bool may_leave(enum sandbox_way way)
{
	if (geteuid() != 0 || way == SANDBOX_USERNS)
		return true;
	return way != SANDBOX_CHROOT && !has_capability(CAP_SYS_ADMIN) &&
	       has_capability(CAP_SETFCAP) && has_capability(CAP_SETUID) &&
	       has_capability(CAP_SETGID);
}

int sandbox_become_root(enum sandbox_way way, const char **because, struct error *e)
{
	static const char *const reasons[] = {
		[MAPPED_ONE] = "newuidmap and newgidmap, of the package uidmap, did not map the ids of "
		               "/etc/subuid and /etc/subgid",
		[NO_SUBIDS] = "no ids for this user in /etc/subuid and /etc/subgid",
	};
	bool root = geteuid() == 0, left;
	enum mapped mapped;
	pid_t mapper = -1;
	int gone;

	*because = NULL;
	if (!may_leave(way))
		return 0;
	gone = start_mapper(&mapper, e);
	if (gone < 0)
		return -1;
	left = unshare(CLONE_NEWUSER) == 0;
	mapped = finish_mapper(gone, mapper, left);
	if (left && mapped == MAPPED_NONE)
		return error_set(e, ERROR_SYSTEM, "no user could be mapped into a user namespace");
	if (left)
		*because = reasons[mapped];
	else if (!root || way == SANDBOX_USERNS)
		*because = "no user namespace is to be had here (see the sysctls "
		           "user.max_user_namespaces, kernel.unprivileged_userns_clone and "
		           "kernel.apparmor_restrict_unprivileged_userns; in a container, its seccomp "
		           "profile)";
	if (!left && way == SANDBOX_USERNS)
		return error_set(e, ERROR_UNSUPPORTED, "--isolation userns: %s", *because);
	return 0;
}
