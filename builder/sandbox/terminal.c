#include "builder/sandbox/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* The one thing a signal handler may touch. */
static volatile int resized_fd = -1;

static void note_size(int number)
{
	int saved = errno;
	uint64_t one = 1;

	(void)number;
	if (write(resized_fd, &one, sizeof one) < 0)
		errno = saved;
	errno = saved;
}

static void follow_size(const struct terminal *t)
{
	struct winsize size;

	if (ioctl(t->user, TIOCGWINSZ, &size) == 0)
		ioctl(t->other, TIOCSWINSZ, &size);
}

/* --- passing on ------------------------------------------------------------------------------- */

static bool has_ended(const struct terminal_flow *f)
{
	return f->from < 0 && f->first == f->end;
}

/* What poll(2) is asked: a flow is full or empty, so one side at a time. */
static struct pollfd wish(const struct terminal_flow *f)
{
	if (f->first < f->end)
		return (struct pollfd){ .fd = f->to, .events = POLLOUT };
	return (struct pollfd){ .fd = f->from, .events = POLLIN };
}

static void move(struct terminal_flow *f)
{
	ssize_t n;

	if (f->first == f->end) {
		n = read(f->from, f->bytes, sizeof f->bytes);
		f->first = 0;
		f->end = n > 0 ? (size_t)n : 0;
	} else {
		n = write(f->to, f->bytes + f->first, f->end - f->first);
		f->first += n > 0 ? (size_t)n : 0;
	}
	if (n > 0 || (n < 0 && (errno == EINTR || errno == EAGAIN)))
		return;
	/* The end of a file; or EIO, the end of a terminal; or a reader that is gone. */
	f->from = -1;
	f->first = f->end = 0;
}

/* With a terminal until either side has gone, without one until both pipes are empty. */
static void *pass_on(void *terminal)
{
	struct terminal *t = terminal;
	bool interactive = t->user >= 0;

	for (;;) {
		struct pollfd polls[3] = { wish(&t->flow[0]), wish(&t->flow[1]),
			                   { .fd = t->resized, .events = POLLIN } };
		bool first = has_ended(&t->flow[0]), second = has_ended(&t->flow[1]);
		uint64_t times;

		if (interactive ? first || second : first && second)
			break;
		if (poll(polls, 3, -1) < 0 && errno != EINTR)
			break;
		if (polls[2].revents && read(t->resized, &times, sizeof times) > 0)
			follow_size(t);
		for (int i = 0; i < 2; i++)
			if (polls[i].revents && !has_ended(&t->flow[i]))
				move(&t->flow[i]);
	}
	/* A user who is gone hangs up. */
	if (interactive) {
		close(t->other);
		t->other = -1;
	}
	return NULL;
}

static int start(struct terminal *t, struct error *e)
{
	t->flows = pthread_create(&t->thread, NULL, pass_on, t) == 0;
	return t->flows ? 0 : error_memory(e);
}

/* --- with a terminal -------------------------------------------------------------------------- */

bool terminal_is_there(void)
{
	int fd = open("/dev/tty", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* The sandbox's, when the command's terminal is there. */
static void join(void *terminal, int other_side)
{
	struct terminal *t = terminal;
	struct termios raw = t->before;
	struct error ignored;

	t->other = other_side;
	/* Whoever pastes a lot must not wait for a command that waits to be read. */
	fcntl(t->other, F_SETFL, O_NONBLOCK);
	t->flow[0] = (struct terminal_flow){ .from = t->user, .to = t->other };
	t->flow[1] = (struct terminal_flow){ .from = t->other, .to = t->user };
	follow_size(t);
	cfmakeraw(&raw);
	tcsetattr(t->user, TCSADRAIN, &raw);
	if (start(t, &ignored) < 0) {
		close(t->other);
		t->other = -1;
	}
}

static int begin_interactive(struct terminal *t, struct sandbox_run *run, struct error *e)
{
	struct sigaction action = { .sa_handler = note_size, .sa_flags = SA_RESTART };

	t->user = open("/dev/tty", O_RDWR | O_CLOEXEC);
	if (t->user < 0 || tcgetattr(t->user, &t->before) < 0)
		return error_errno(e, "open the terminal");
	t->resized = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (t->resized < 0)
		return error_errno(e, "eventfd");
	resized_fd = t->resized;
	sigaction(SIGWINCH, &action, NULL);
	run->terminal = join;
	run->terminal_context = t;
	return 0;
}

/* --- without ---------------------------------------------------------------------------------- */

static int begin_pipes(struct terminal *t, struct sandbox_run *run, struct error *e)
{
	for (int i = 0; i < 2; i++) {
		if (pipe2(t->pipe[i], O_CLOEXEC) < 0)
			return error_errno(e, "pipe");
		t->flow[i] = (struct terminal_flow){ .from = t->pipe[i][0], .to = STDOUT_FILENO + i };
	}
	run->out = t->pipe[0][1];
	run->err = t->pipe[1][1];
	return start(t, e);
}

int terminal_begin(struct terminal *t, bool interactive, struct sandbox_run *run, struct error *e)
{
	memset(t, 0, sizeof *t);
	t->user = t->other = t->resized = -1;
	memset(t->pipe, -1, sizeof t->pipe);
	return interactive ? begin_interactive(t, run, e) : begin_pipes(t, run, e);
}

static void close_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void terminal_end(struct terminal *t)
{
	close_end(&t->pipe[0][1]);
	close_end(&t->pipe[1][1]);
	if (t->flows)
		pthread_join(t->thread, NULL);
	close_end(&t->pipe[0][0]);
	close_end(&t->pipe[1][0]);
	if (t->resized >= 0) {
		signal(SIGWINCH, SIG_DFL);
		resized_fd = -1;
		tcsetattr(t->user, TCSADRAIN, &t->before);
	}
	close_end(&t->resized);
	close_end(&t->user);
}
