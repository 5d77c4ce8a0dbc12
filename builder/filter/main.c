/* Writes the system call filter of RUN (builder/sandbox/seccomp.h) while cairn is built: it is the same for
 * every RUN, and 740 names of calls take a third of a millisecond to look up. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* libseccomp knows the numbers of each architecture. It could write the program too, but one of 1300
 * instructions, which the kernel would check and translate for each RUN; ranges make a tree of 200. */

enum verdict { DENY, ALLOW, UNKNOWN, CHECK_CLONE, CHECK_SOCKET, CHECK_PERSONALITY, VERDICTS };

enum { RULES_MAX = 1000, CODE_MAX = 2100, LOW_ARGUMENT = offsetof(struct seccomp_data, args) };

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the lower half of an argument is elsewhere here"
#endif

static const char *const allowed[] = {
	"accept", "accept4", "access", "adjtimex", "alarm", "arch_prctl", "bind", "brk",
	"cachestat", "capget", "capset", "chdir", "chmod", "chown", "chown32", "chroot",
	"clock_adjtime", "clock_adjtime64", "clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "close", "close_range",
	"connect", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"epoll_wait_old", "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group",
	"faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fanotify_mark",
	"fchdir", "fchmod", "fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl",
	"fcntl64", "fdatasync", "fgetxattr", "flistxattr", "flock", "fork", "fremovexattr",
	"fsetxattr", "fstat", "fstat64", "fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate",
	"ftruncate64", "futex", "futex_requeue", "futex_time64", "futex_wait", "futex_waitv",
	"futex_wake", "futimesat", "get_robust_list", "get_thread_area", "getcpu", "getcwd",
	"getdents", "getdents64", "getegid", "getegid32", "geteuid", "geteuid32", "getgid",
	"getgid32", "getgroups", "getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp",
	"getpid", "getppid", "getpriority", "getrandom", "getresgid", "getresgid32", "getresuid",
	"getresuid32", "getrlimit", "getrusage", "getsid", "getsockname", "getsockopt", "gettid",
	"gettimeofday", "getuid", "getuid32", "getxattr", "getxattrat", "inotify_add_watch",
	"inotify_init", "inotify_init1", "inotify_rm_watch", "io_cancel", "io_destroy",
	"io_getevents", "io_pgetevents", "io_pgetevents_time64", "io_setup", "io_submit", "ioctl",
	"ioprio_get", "ioprio_set", "ipc", "kill", "landlock_add_rule", "landlock_create_ruleset",
	"landlock_restrict_self", "lchown", "lchown32", "lgetxattr", "link", "linkat", "listen",
	"listmount", "listxattr", "listxattrat", "llistxattr", "_llseek", "lremovexattr", "lseek",
	"lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack", "membarrier",
	"memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod", "mknodat", "mlock",
	"mlock2", "mlockall", "mmap", "mmap2", "modify_ldt", "mprotect", "mq_getsetattr",
	"mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64", "mq_timedsend",
	"mq_timedsend_time64", "mq_unlink", "mremap", "mseal", "msgctl", "msgget", "msgrcv",
	"msgsnd", "msync", "munlock", "munlockall", "munmap", "name_to_handle_at", "nanosleep",
	"newfstatat", "_newselect", "open", "openat", "openat2", "pause", "pidfd_open",
	"pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free", "pkey_mprotect", "poll",
	"ppoll", "ppoll_time64", "prctl", "pread64", "preadv", "preadv2", "prlimit64",
	"process_mrelease", "process_vm_readv", "process_vm_writev", "pselect6", "pselect6_time64",
	"ptrace", "pwrite64", "pwritev", "pwritev2", "read", "readahead", "readlink", "readlinkat",
	"readv", "recv", "recvfrom", "recvmmsg", "recvmmsg_time64", "recvmsg", "remap_file_pages",
	"removexattr", "removexattrat", "rename", "renameat", "renameat2", "restart_syscall",
	"rmdir", "rseq", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
	"rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64",
	"rt_tgsigqueueinfo", "sched_get_priority_max", "sched_get_priority_min",
	"sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler",
	"sched_rr_get_interval", "sched_rr_get_interval_time64", "sched_setaffinity",
	"sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "seccomp",
	"select", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send",
	"sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_thread_area", "set_tid_address", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32",
	"setgid", "setgid32", "setgroups", "setgroups32", "setitimer", "setpgid", "setpriority",
	"setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
	"setreuid", "setreuid32", "setrlimit", "setsid", "setsockopt", "setuid", "setuid32",
	"setxattr", "setxattrat", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaltstack",
	"signalfd", "signalfd4", "sigprocmask", "sigreturn", "socketcall", "socketpair", "splice",
	"stat", "stat64", "statfs", "statfs64", "statmount", "statx", "symlink", "symlinkat",
	"sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill", "time", "timer_create",
	"timer_delete", "timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime",
	"timer_settime64", "timerfd_create", "timerfd_gettime", "timerfd_gettime64",
	"timerfd_settime", "timerfd_settime64", "times", "tkill", "truncate", "truncate64",
	"ugetrlimit", "umask", "uname", "unlink", "unlinkat", "uretprobe", "utime", "utimensat",
	"utimensat_time64", "utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid", "write",
	"writev",
};

static const struct {
	const char *name;
	enum verdict verdict;
} special[] = {
	{ "clone", CHECK_CLONE },
	{ "clone3", UNKNOWN },
	{ "socket", CHECK_SOCKET },
	{ "personality", CHECK_PERSONALITY },
};

/* Younger than the library; one number on all architectures. */
static const struct {
	const char *name;
	unsigned number;
} recent[] = {
	{ "cachestat", 451 }, { "fchmodat2", 452 }, { "map_shadow_stack", 453 }, { "futex_wake", 454 },
	{ "futex_wait", 455 }, { "futex_requeue", 456 }, { "statmount", 457 }, { "listmount", 458 },
	{ "mseal", 462 }, { "setxattrat", 463 }, { "getxattrat", 464 }, { "listxattrat", 465 },
	{ "removexattrat", 466 },
};

/* The architectures a program may be of. Calls of x32 have numbers beyond all others': unknown. */
static const struct architecture {
	uint32_t audit, library;
} architectures[] = {
#if defined __x86_64__
	{ AUDIT_ARCH_X86_64, SCMP_ARCH_X86_64 },
	{ AUDIT_ARCH_I386, SCMP_ARCH_X86 },
#elif defined __aarch64__
	{ AUDIT_ARCH_AARCH64, SCMP_ARCH_AARCH64 },
	{ AUDIT_ARCH_ARM, SCMP_ARCH_ARM },
#else
#error "name the architectures whose programs run here"
#endif
};
enum { ARCHITECTURES = sizeof architectures / sizeof *architectures };

/* Twice the lists: a range for each call and one for the gap before it. */
_Static_assert(RULES_MAX > 2 * (sizeof allowed / sizeof *allowed) + 2 * VERDICTS, "room for rules");

struct rule {
	uint32_t number;           /* from here on */
	enum verdict verdict;
};

/* The code is written from its end to its start, and turned around when it is complete: so whoever
 * jumps, forwards as a filter must, knows where to. A label counts the instructions behind it. */
struct program {
	struct rule rule[RULES_MAX];
	unsigned rules, count;
	struct sock_filter code[CODE_MAX];
	bool too_far;              /* a jump would have had to go beyond 255 instructions */
};

static unsigned emit(struct program *p, uint16_t code, uint32_t k)
{
	p->code[p->count++] = (struct sock_filter) { code, 0, 0, k };
	return p->count;
}

static unsigned emit_jump(struct program *p, uint16_t test, uint32_t k, unsigned yes, unsigned no)
{
	unsigned to_yes = p->count - yes, to_no = p->count - no;

	p->too_far = p->too_far || to_yes > UINT8_MAX || to_no > UINT8_MAX;
	emit(p, BPF_JMP | test | BPF_K, k);
	p->code[p->count - 1].jt = (uint8_t)to_yes;
	p->code[p->count - 1].jf = (uint8_t)to_no;
	return p->count;
}

static unsigned emit_load(struct program *p, uint32_t where)
{
	return emit(p, BPF_LD | BPF_W | BPF_ABS, where);
}

/* Only the lower half of an argument counts for these calls: their parameters are ints. */
static void emit_verdicts(struct program *p, unsigned label[VERDICTS])
{
	static const uint32_t personalities[] = { 0, 8, 0x20000, 0x20008, 0xffffffff };
	/* Every CLONE_NEW flag but NEWTIME, which clone does not take. */
	const uint32_t namespaces = 0x7e020000;
	unsigned yes, no;

	no = label[DENY] = emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	yes = label[ALLOW] = emit(p, BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	label[UNKNOWN] = emit(p, BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
	emit_jump(p, BPF_JSET, namespaces, no, yes);
	label[CHECK_CLONE] = emit_load(p, LOW_ARGUMENT);
	emit_jump(p, BPF_JEQ, 40, no, yes);                           /* AF_VSOCK */
	emit_jump(p, BPF_JEQ, 38, no, p->count);                      /* AF_ALG */
	label[CHECK_SOCKET] = emit_load(p, LOW_ARGUMENT);
	for (size_t i = 0; i < sizeof personalities / sizeof *personalities; i++)
		emit_jump(p, BPF_JEQ, personalities[i], yes, i == 0 ? no : p->count);
	label[CHECK_PERSONALITY] = emit_load(p, LOW_ARGUMENT);
}

static void add(struct program *p, uint32_t number, enum verdict verdict)
{
	p->rule[p->rules++] = (struct rule) { number, verdict };
}

static void add_name(struct program *p, const struct architecture *a, const char *name,
                     enum verdict verdict)
{
	int number = seccomp_syscall_resolve_name_arch(a->library, name);

	for (size_t i = 0; number < 0 && i < sizeof recent / sizeof *recent; i++)
		if (strcmp(recent[i].name, name) == 0)
			number = (int)recent[i].number;
	if (number >= 0)
		add(p, (uint32_t)number, verdict);
}

static int by_number(const void *a, const void *b)
{
	const struct rule *x = a, *y = b;

	return x->number < y->number ? -1 : x->number > y->number;
}

/* Turn the rules, one for each call on the list, into ranges: what lies between two of them is
 * denied, what lies beyond the last one unknown. */
static void make_ranges(struct program *p)
{
	struct rule single[RULES_MAX];
	unsigned singles = p->rules;
	uint32_t next = 0;

	memcpy(single, p->rule, singles * sizeof *single);
	qsort(single, singles, sizeof *single, by_number);
	p->rules = 0;
	for (unsigned i = 0; i < singles; i++) {
		if (single[i].number > next)
			add(p, next, DENY);
		if (single[i].number >= next)
			add(p, single[i].number, single[i].verdict);
		next = single[i].number + 1;
	}
	add(p, next, UNKNOWN);
}

/* Neighbours of one verdict are one range. */
static void merge(struct program *p)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < p->rules; i++)
		if (kept == 0 || p->rule[i].verdict != p->rule[kept - 1].verdict)
			p->rule[kept++] = p->rule[i];
	p->rules = kept;
}

/* A binary search, written out; returns its label. */
static unsigned emit_search(struct program *p, unsigned first, unsigned last,
                            const unsigned verdict[VERDICTS])
{
	unsigned middle = (first + last + 1) / 2, above, below;

	if (first == last)
		return verdict[p->rule[first].verdict];
	above = emit_search(p, middle, last, verdict);
	below = emit_search(p, first, middle - 1, verdict);
	return emit_jump(p, BPF_JGE, p->rule[middle].number, above, below);
}

/* The calls of one architecture; others go on behind this. */
static void emit_architecture(struct program *p, const struct architecture *a)
{
	unsigned verdict[VERDICTS], before = p->count;

	p->rules = 0;
	for (size_t n = 0; n < sizeof allowed / sizeof *allowed; n++)
		add_name(p, a, allowed[n], ALLOW);
	for (size_t n = 0; n < sizeof special / sizeof *special; n++)
		add_name(p, a, special[n].name, special[n].verdict);
	make_ranges(p);
	merge(p);
	emit_verdicts(p, verdict);
	emit_search(p, 0, p->rules - 1, verdict);
	emit_load(p, offsetof(struct seccomp_data, nr));
	emit(p, BPF_JMP | BPF_JA, p->count - before);
	emit_jump(p, BPF_JEQ, a->audit, p->count - 1, p->count);
}

/* For RUN's filter, in the order of the kernel. */
int main(void)
{
	static struct program p;
	bool written = true;

	emit(&p, BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
	for (unsigned i = ARCHITECTURES; i-- > 0;)
		emit_architecture(&p, &architectures[i]);
	emit_load(&p, offsetof(struct seccomp_data, arch));
	if (p.too_far) {
		fputs("the system call filter has become too large\n", stderr);
		return 1;
	}
	while (written && p.count > 0)
		written = fwrite(&p.code[--p.count], sizeof *p.code, 1, stdout) == 1;
	if (!written || fflush(stdout) != 0) {
		perror("the system call filter");
		return 1;
	}
	return 0;
}
