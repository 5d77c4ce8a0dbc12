/* The command: its identity, its end, and what is said when there is nothing to run. */
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/elf.h>
#include <linux/fcntl.h>
#include <linux/filter.h>
#include <linux/keyctl.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/stat.h>
#include <linux/wait.h>
#include <asm/stat.h>

#include "builder/inside/inside.h"

enum { EPERM = 1, ENOENT = 2, EINTR = 4, ENOEXEC = 8, EACCES = 13, ENOTDIR = 20, EINVAL = 22,
       ENOSYS = 38 };
/* The soft limit of open files that Docker gives a command since its release 25. */
enum { USUAL_FILES = 1024 };
enum { S_KIND = 0170000, S_DIRECTORY = 0040000, S_PIPE = 0010000 };

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* What the child tells before it is the command: it shares our memory until then. */
struct start {
	const struct inside *in;
	const char **argv, **env;
	char tried[PATH_SIZE];     /* the path that exec was asked for last */
	long answer;               /* 0, or what exec said */
	const char *failed;        /* what went wrong before exec, if anything */
};

/* With one id a command of another user than root is that id under another name: in a user
 * namespace of its own. */
static bool has_other_name(const struct request *r)
{
	return r->flags & REQUEST_ONE_ID && (r->uid != 0 || r->gid != 0);
}

static long set_capabilities(const struct request *r)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct sets[2] = { 0 };
	uint64_t keep = r->uid == 0 || r->flags & REQUEST_INSECURE ? r->capabilities : 0;
	bool inherited = r->flags & REQUEST_INSECURE;
	long answer;

	for (int half = 0; half < 2; half++) {
		sets[half].effective = sets[half].permitted = (uint32_t)(keep >> 32 * half);
		sets[half].inheritable = inherited ? sets[half].permitted : 0;
	}
	answer = sys(capset, &header, sets);
	for (int cap = 0; answer >= 0 && inherited && cap < 64; cap++)
		if (keep >> cap & 1)
			answer = sys(prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
	return answer;
}

static long drop_bounds(uint64_t keep)
{
	long answer = 0;

	for (int cap = 0; cap < 64 && answer >= 0; cap++)
		if (!(keep >> cap & 1))
			answer = sys(prctl, PR_CAPBSET_DROP, cap);
	/* The kernel has no more of them. */
	return answer == -EINVAL ? 0 : answer;
}

static void need(struct start *s, long answer, const char *what)
{
	if (answer >= 0)
		return;
	s->failed = what;
	s->answer = answer;
	sys(exit, 1);
}

static void limit_resources(struct start *s)
{
	/* As the kernel counts them. */
	static const char *const names[] = {
		"cpu", "fsize", "data", "stack", "core", "rss", "nproc", "nofile", "memlock", "as", "locks",
		"sigpending", "msgqueue", "nice", "rtprio", "rttime",
	};
	static char text[96];
	struct text t = { text, text + sizeof text };
	const struct limit *limit = at(s->in, s->in->r->limits);
	uint64_t value[2];
	long answer;

	/* cairn's own is as high as it gets, which programs that close all files are slow with. */
	if (sys(prlimit64, 0, RLIMIT_NOFILE, 0, value) >= 0 && value[0] > USUAL_FILES) {
		value[0] = USUAL_FILES;
		sys(prlimit64, 0, RLIMIT_NOFILE, value, 0);
	}
	for (uint32_t i = 0; i < s->in->r->limit_count; i++) {
		value[0] = limit[i].soft;
		value[1] = limit[i].hard;
		answer = sys(prlimit64, 0, limit[i].resource, value, 0);
		if (answer >= 0)
			continue;
		text_add(&t, "set the limit \"");
		text_add(&t, names[limit[i].resource % (sizeof names / sizeof *names)]);
		text_add(&t, answer == -EPERM ? "\", which is above what may be had here" : "\"");
		need(s, answer, text);
	}
}

/* The kernel calls an id invalid that the user namespace does not have. */
static void need_id(struct start *s, long answer, uint32_t id, const char *what)
{
	static char text[128];
	struct text t = { text, text + sizeof text };

	if (answer == -EINVAL) {
		text_add(&t, what);
		text_add(&t, " to ");
		text_add_number(&t, id);
		text_add(&t, ", which is not one of the ids of this user namespace (/etc/subuid, /etc/subgid)");
		what = text;
	}
	need(s, answer, what);
}

/* A pipe belongs to whoever made it; the user must be able to open it again as /dev/stdout. */
static void give_output(const struct request *r)
{
	struct stat st;

	for (int fd = 1; fd <= 2; fd++)
		if (sys(fstat, fd, &st) >= 0 && (st.st_mode & S_KIND) == S_PIPE)
			sys(fchown, fd, r->uid, r->gid);
}

static long write_file(const char *path, const char *text)
{
	long fd = sys(openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC), answer;

	if (fd < 0)
		return fd;
	answer = sys(write, fd, text, strlen(text));
	sys(close, fd);
	return answer;
}

/* The one id there is gets this number: "NUMBER 0 1". */
static long map_id(const char *path, uint32_t number)
{
	char line[32];
	struct text t = { line, line + sizeof line };

	text_add_number(&t, number);
	text_add(&t, " 0 1");
	return write_file(path, line);
}

void command_take_name(const struct request *r)
{
	if (!has_other_name(r))
		return;
	must(sys(unshare, CLONE_NEWUSER), "make a user namespace", "");
	must(map_id("/proc/self/uid_map", r->uid), "map", "the user");
	must(map_id("/proc/self/gid_map", r->gid), "map", "the group");
}

/* Order matters: the filter needs CAP_SYS_ADMIN to be set without no_new_privs, ids need
 * CAP_SETGID and CAP_SETUID, and with the user goes whatever is not kept. */
static void become(struct start *s)
{
	const struct request *r = s->in->r;
	struct sock_fprog filter = { (unsigned short)r->filter_count,
	                             (struct sock_filter *)(uintptr_t)at(s->in, r->filter) };
	long keyring = sys(keyctl, KEYCTL_JOIN_SESSION_KEYRING, 0), answer;
	bool chrooted = r->flags & REQUEST_CHROOT;

	if (has_other_name(r) && !chrooted) {
		need(s, map_id("/proc/self/uid_map", r->uid), "map the user");
		need(s, map_id("/proc/self/gid_map", r->gid), "map the group");
	}
	/* A kernel or a container without keyrings has none that could be shared. */
	need(s, keyring == -ENOSYS || keyring == -EPERM ? 0 : keyring, "open a session keyring");
	need(s, sys(setsid), "start a session");
	if (s->in->terminal >= 0)
		need(s, terminal_take(s->in), "take the terminal");
	sys(setpriority, 0, 0, 0);
	limit_resources(s);
	/* A container that does not let us limit anything limits us already. */
	answer = drop_bounds(r->capabilities);
	need(s, answer == -EPERM && chrooted ? 0 : answer, "limit capabilities");
	answer = r->filter_count > 0 ? sys(seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) : 0;
	need(s, answer == -EACCES && chrooted ? 0 : answer, "set the system call filter");
	if (r->flags & REQUEST_INSECURE)
		need(s, sys(prctl, PR_SET_KEEPCAPS, 1), "keep capabilities");
	need_id(s, sys(setresgid, r->gid, r->gid, r->gid), r->gid, "set the group");
	/* With one id there is no other group to be in, and the kernel does not allow to leave any. */
	if (!(r->flags & REQUEST_ONE_ID))
		need(s, sys(setgroups, r->group_count, at(s->in, r->groups)), "set the groups");
	give_output(r);
	need_id(s, sys(setresuid, r->uid, r->uid, r->uid), r->uid, "set the user");
	need(s, set_capabilities(r), "set capabilities");
}

static const char *find_path(const char **env)
{
	for (; *env; env++)
		if (memcmp(*env, "PATH=", strlen(*env) < 5 ? strlen(*env) + 1 : 5) == 0)
			return *env + 5;
	return DEFAULT_PATH;
}

/* Try NAME in DIR (of LENGTH bytes, "" is where we are). Comes back only when that failed. */
static long try(struct start *s, const char *dir, size_t length, const char *name)
{
	struct text t = { s->tried, s->tried + sizeof s->tried };

	if (length + strlen(name) + 2 > sizeof s->tried)
		return -ENOENT;
	memcpy(t.at, dir, length);
	t.at += length;
	*t.at = '\0';
	if (length > 0)
		text_add(&t, "/");
	text_add(&t, name);
	/* The parent reads it from memory that we share until exec succeeds. */
	s->answer = 0;
	return sys(execve, s->tried, s->argv, s->env);
}

static void execute(struct start *s)
{
	const char *name = s->argv[0], *path = find_path(s->env);
	bool has_slash = false, denied = false;
	size_t length;

	for (const char *p = name; *p; p++)
		has_slash = has_slash || *p == '/';
	if (has_slash || !*name) {
		s->answer = try(s, "", 0, name);
		return;
	}
	for (;; path += length + 1) {
		for (length = 0; path[length] && path[length] != ':'; length++)
			continue;
		s->answer = try(s, path, length, name);
		denied = denied || s->answer == -EACCES;
		if (s->answer != -ENOENT && s->answer != -ENOTDIR && s->answer != -EACCES)
			return;
		if (s->answer == -ENOENT && sys(faccessat, AT_FDCWD, s->tried, 0) == 0)
			return;                 /* it is there: its interpreter is not */
		if (!path[length])
			break;
	}
	s->answer = denied ? -EACCES : -ENOENT;
	s->tried[0] = '\0';
}

static const char *machine(unsigned number)
{
	static const struct {
		unsigned number;
		const char *name;
	} known[] = {
		{ EM_X86_64, "amd64" }, { EM_386, "386" }, { EM_AARCH64, "arm64" }, { EM_ARM, "arm" },
		{ EM_PPC64, "ppc64le" }, { EM_S390, "s390x" }, { EM_RISCV, "riscv64" }, { EM_MIPS, "mips" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].number == number)
			return known[i].name;
	return "another machine";
}

/* Why the kernel would not run a file that is there: its first bytes tell. */
static void explain(const char *path, long answer, struct text *t)
{
	char head[256] = { 0 };
	long fd = sys(openat, AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), n = 0;
	size_t end = 2;

	if (fd >= 0) {
		n = sys(read, fd, head, sizeof head - 1);
		sys(close, fd);
	}
	if (n > 2 && head[0] == '#' && head[1] == '!') {
		while (head[end] && head[end] != '\n')
			end++;
		head[end] = '\0';
		text_add(t, answer == -ENOENT ? ": its interpreter does not exist: "
		                              : ": bad interpreter: ");
		text_add(t, head + 2 + (head[2] == ' '));
		if (end > 2 && head[end - 1] == '\r')
			text_add(t, " (the line ends in a carriage return)");
	} else if (n > 20 && memcmp(head, ELFMAG, SELFMAG) == 0) {
		if (answer == -ENOENT) {
			text_add(t, ": its dynamic loader does not exist in this image");
		} else {
			text_add(t, ": a program for ");
			text_add(t, machine(*(const uint16_t *)(const void *)(head + 18)));
		}
	} else if (answer == -ENOEXEC) {
		text_add(t, n == 0 ? ": the file is empty" : ": neither a program nor a script with #!");
	}
}

static void not_started(struct start *s, struct reply *answer)
{
	struct text t = { answer->text, answer->text + sizeof answer->text };
	bool there = s->tried[0] && sys(faccessat, AT_FDCWD, s->tried, 0) == 0;
	struct stat st;

	answer->kind = REPLY_NOT_STARTED;
	answer->status = s->answer == -ENOENT && !there ? 127 : 126;
	answer->number = (int)-s->answer;
	text_add(&t, s->tried[0] ? s->tried : s->argv[0]);
	if (!s->tried[0] && s->answer == -ENOENT)
		text_add(&t, ": executable file not found in $PATH");
	else if (s->answer == -ENOENT && !there)
		text_add(&t, ": no such file or directory");
	else if (s->answer == -ENOEXEC)
		text_add(&t, ": exec format error");
	else if (s->answer == -EACCES || s->answer == -EPERM)
		text_add(&t, ": permission denied");
	else if (s->answer != -ENOENT)
		text_add(&t, ": cannot be executed");
	if (there && sys(newfstatat, AT_FDCWD, s->tried, &st, 0) >= 0 &&
	    (st.st_mode & S_KIND) == S_DIRECTORY)
		text_add(&t, ": is a directory");
	else if (there)
		explain(s->tried, s->answer, &t);
}

/* With our memory until exec, and us waiting for that: nothing is copied. */
static __attribute__((noinline)) long start_child(struct start *s)
{
	const struct request *r = s->in->r;
	unsigned namespaces = has_other_name(r) && !(r->flags & REQUEST_CHROOT) ? CLONE_NEWUSER : 0;
	long pid = sys(clone, CLONE_VM | CLONE_VFORK | namespaces | SIGCHLD, 0, 0, 0, 0);
	uint64_t none = 0;

	if (pid != 0)
		return pid;
	become(s);
	sys(umask, 022);
	sys(rt_sigprocmask, SIG_SETMASK, &none, 0, sizeof none);
	execute(s);
	sys(exit, 1);
	__builtin_unreachable();
}

static void enter_directory(struct inside *in)
{
	const char *cwd = at(in, in->r->cwd);
	/* The command takes another name, but we do not. */
	bool root = in->r->flags & REQUEST_ONE_ID && !(in->r->flags & REQUEST_CHROOT);
	int dir = point_directory(in, cwd, root ? 0 : in->r->uid, root ? 0 : in->r->gid);
	char real[PATH_SIZE];

	must(sys(fchdir, dir), "enter", cwd);
	sys(close, dir);
	must(sys(getcwd, real, sizeof real), "find out where I am in", cwd);
	if (real[0] != '/')
		fail(0, "not inside the image:", cwd);
}

/* Whoever outlives the command ends here, and is waited for, so that nobody writes any more. */
static void bury_all(struct inside *in)
{
	long pid;

	if (in->r->flags & REQUEST_CHROOT) {
		chroot_bury(in);
		return;
	}
	sys(kill, -1, SIGKILL);
	do
		pid = sys(wait4, -1, 0, __WALL, 0);
	while (pid > 0 || pid == -EINTR);
}

/* Meanwhile those whom others have left to us are buried. */
static void wait_for(long child, int *status)
{
	long pid;

	do
		pid = sys(wait4, -1, status, __WALL, 0);
	while (pid > 0 ? pid != child : pid == -EINTR);
}

void command_run(struct inside *in, struct reply *answer)
{
	static struct start s;
	bool chrooted = in->r->flags & REQUEST_CHROOT;
	int status, signals = chrooted ? chroot_watch() : -1;
	long child;

	s.in = in;
	s.argv = string_array(in, in->r->argv);
	s.env = string_array(in, in->r->env);
	enter_directory(in);
	child = must(start_child(&s), "start a process", "");
	if (chrooted)
		chroot_wait(in, signals, child, &status);
	else
		wait_for(child, &status);
	bury_all(in);
	if (s.failed)
		fail(s.answer, s.failed, "");
	answer->kind = REPLY_ENDED;
	answer->status = status;
	if (s.answer < 0)
		not_started(&s, answer);
}
