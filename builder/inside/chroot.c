/* Where there are no namespaces: the command's root directory is changed, nothing is mounted, and
 * what the command starts is found by descent.
 *
 * Whoever loses its parent becomes ours (PR_SET_CHILD_SUBREAPER), so as long as we have a child
 * there is somebody left, and when we have none there is nobody. cairn is not our pid namespace's
 * end either: when it wants an end, or comes to its own, we read the end of the descriptor CONTROL.
 */
#include <asm/signal.h>
#include <linux/eventpoll.h>
#include <linux/fcntl.h>
#include <linux/poll.h>
#include <linux/prctl.h>
#include <linux/signalfd.h>
#include <linux/wait.h>

#include "builder/inside/inside.h"

enum { EINTR = 4, POLLRDHUP_HERE = 0x2000 };

void chroot_enter(struct inside *in)
{
	must(sys(prctl, PR_SET_CHILD_SUBREAPER, 1), "adopt", "orphans");
	command_take_name(in->r);
	in->proc = (int)must(sys(openat, AT_FDCWD, "/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open",
	                     "/proc");
	if (in->r->flags & REQUEST_TERMINAL)
		terminal_make(in, AT_FDCWD, "/dev/ptmx");
	in->root = in->upper = open_place(in, &in->r->upper);
	must(sys(fchdir, in->root), "enter", "/");
	must(sys(chroot, "."), "change the root directory", "");
}

/* The number behind "PID (NAME) STATE ". A name may hold anything: its end is the last ")". */
static long parent_of(const struct inside *in, const char *pid)
{
	char path[32], text[512] = "", *p;
	struct text t = { path, path + sizeof path };
	long fd, size, parent = 0;

	text_add(&t, pid);
	text_add(&t, "/stat");
	fd = sys(openat, in->proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	size = sys(read, fd, text, sizeof text - 1);
	sys(close, fd);
	for (p = text + (size > 0 ? size : 0); p > text && *p != ')'; p--)
		continue;
	for (p += p[0] && p[1] && p[2] && p[3] ? 4 : 0; *p >= '0' && *p <= '9'; p++)
		parent = 10 * parent + (*p - '0');
	return parent;
}

struct directory_entry {
	uint64_t inode;
	int64_t next;
	uint16_t size;
	uint8_t type;
	char name[];
};

static void kill_children(struct inside *in)
{
	static char list[32 << 10] __attribute__((aligned(8)));
	long us = sys(getpid), size;

	sys(lseek, in->proc, 0, 0);
	while ((size = sys(getdents64, in->proc, list, sizeof list)) > 0) {
		for (long at = 0; at < size;) {
			const struct directory_entry *entry = (const void *)(list + at);
			long pid = 0;

			at += entry->size;
			for (const char *p = entry->name; *p >= '0' && *p <= '9'; p++)
				pid = 10 * pid + (*p - '0');
			if (pid > 0 && parent_of(in, entry->name) == us)
				sys(kill, pid, SIGKILL);
		}
	}
}

/* Each round kills whom we have, and inherits their children. */
void chroot_bury(struct inside *in)
{
	long pid;

	do {
		kill_children(in);
		pid = sys(wait4, -1, 0, __WALL, 0);
		while (pid > 0 && sys(wait4, -1, 0, __WALL | WNOHANG, 0) > 0)
			continue;
	} while (pid > 0 || pid == -EINTR);
}

int chroot_watch(void)
{
	uint64_t signals = UINT64_C(1) << (SIGCHLD - 1);

	must(sys(rt_sigprocmask, SIG_BLOCK, &signals, 0, sizeof signals), "block", "SIGCHLD");
	return (int)must(sys(signalfd4, -1, &signals, sizeof signals, SFD_CLOEXEC | SFD_NONBLOCK), "watch",
	                 "SIGCHLD");
}

void chroot_wait(struct inside *in, int signals, long child, int *status)
{
	struct pollfd polls[] = { { .fd = CONTROL, .events = POLLIN | POLLRDHUP_HERE },
		                      { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;
	long pid;

	for (;;) {
		sys(ppoll, polls, 2, 0, 0, sizeof(uint64_t));
		if (polls[0].revents) {
			chroot_bury(in);
			quit(1);
		}
		while (sys(read, signals, &info, sizeof info) > 0)
			continue;
		while ((pid = sys(wait4, -1, status, __WALL | WNOHANG, 0)) > 0)
			if (pid == child)
				return;
	}
}
