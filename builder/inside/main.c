/* The first process of a RUN: makes its world, starts the command, buries what it leaves. */
#include <linux/close_range.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/signal.h>
#include <linux/uio.h>

#include "builder/inside/inside.h"

enum { EINTR = 4, EPIPE = 32, SOL_SOCKET = 1, SCM_RIGHTS = 1 };

void reply(enum reply_kind kind, int status, int number, const char *text)
{
	struct reply answer = { .kind = kind, .status = status, .number = number };
	struct text t = { answer.text, answer.text + sizeof answer.text };

	text_add(&t, text);
	sys(write, CONTROL, &answer, sizeof answer);
}

void hand_over(enum reply_kind kind, int status, int fd, const char *for_what)
{
	struct reply notice = { .kind = kind, .status = status };
	struct iovec part = { &notice, sizeof notice };
	struct {
		size_t length;
		int level, type, fd, padding;
	} rights = { 16 + sizeof fd, SOL_SOCKET, SCM_RIGHTS, fd, 0 };
	struct {
		void *name;
		int name_length;
		struct iovec *parts;
		size_t part_count;
		void *control;
		size_t control_length;
		unsigned flags;
	} message = { NULL, 0, &part, 1, &rights, sizeof rights, 0 };

	must(sys(sendmsg, CONTROL, &message, 0), "hand over", for_what);
}

_Noreturn void fail_as(enum reply_kind kind, long answer, const char *what, const char *object)
{
	char words[sizeof((struct reply *)0)->text];
	struct text t = { words, words + sizeof words };

	text_add(&t, what);
	if (*object)
		text_add(&t, " ");
	text_add(&t, object);
	reply(kind, 0, (int)-answer, words);
	quit(1);
}

_Noreturn void fail(long answer, const char *what, const char *object)
{
	fail_as(REPLY_FAILED, answer, what, object);
}

const char **string_array(const struct inside *in, struct strings list)
{
	const char **array = take_memory((list.count + 1) * sizeof *array);
	const char *p = at(in, list.at);

	for (uint32_t i = 0; i < list.count; i++, p += strlen(p) + 1)
		array[i] = p;
	array[list.count] = NULL;
	return array;
}

/* cairn may be gone, or go in the middle: then there is nobody to work for. */
static void read_all(void *into, size_t size)
{
	for (char *p = into; size > 0;) {
		long n = sys(read, CONTROL, p, size);

		if (n == -EINTR)
			continue;
		if (n <= 0)
			quit(1);
		p += n;
		size -= (size_t)n;
	}
}

static const struct request *read_request(void)
{
	struct request head, *whole;

	read_all(&head, sizeof head);
	whole = take_memory(head.size);
	memcpy(whole, &head, sizeof head);
	read_all(whole + 1, head.size - sizeof head);
	return whole;
}

/* Whatever the caller of cairn ignores, a command does not. */
static void reset_signals(void)
{
	struct {
		void *handler;
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} by_default = { 0 };

	for (int i = 1; i <= 64; i++)
		sys(rt_sigaction, i, &by_default, 0, 8);
}

/* The world of a container. */
static void enter(struct inside *in)
{
	const char *hostname = at(in, in->r->hostname);

	if (in->r->flags & REQUEST_OWN_NETWORK)
		system_loopback();
	root_make(in);
	system_mount(in);
	mounts_make(in);
	points_remember(in);
	must(sys(sethostname, hostname, strlen(hostname)), "set the host name", hostname);
	root_enter(in);
}

_Noreturn void begin(void);
_Noreturn void begin(void)
{
	/* Large, and not in the file: that is copied into memory for every build. */
	static struct inside in;
	struct reply answer = { 0 };

	in.null = in.terminal = -1;
	if (sys(close_range, CONTROL + 1, ~0U, 0) < 0)
		for (int fd = CONTROL + 1; fd < 65536; fd++)
			sys(close, fd);
	sys(fcntl, CONTROL, F_SETFD, FD_CLOEXEC);
	sys(prctl, PR_SET_DUMPABLE, 0);
	sys(umask, 0);
	reset_signals();
	in.r = read_request();
	if (in.r->flags & REQUEST_CHROOT)
		chroot_enter(&in);
	else
		enter(&in);
	command_run(&in, &answer);
	points_remove(&in);
	sys(write, CONTROL, &answer, sizeof answer);
	quit(0);
}
