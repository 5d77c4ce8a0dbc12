#include "builder/sandbox/watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>

#include "builder/inside/protocol.h"

/* In the pid namespace of a run, whose first process is ours. */
#define COMMAND_PID 2

/* A command that has run so long is not held up by what is done beside it. */
#define LONG_MS 50

/* Read one reply, and a descriptor if one comes with it. 0 at the end of them. */
static int read_reply(struct watch *w, struct reply *reply, int *descriptor, struct error *e)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec part = { reply, sizeof *reply };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
		                      .msg_controllen = sizeof control };
	struct cmsghdr *rights;
	ssize_t n = recvmsg(w->process.control, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC);

	*descriptor = -1;
	if (n < 0)
		return error_errno(e, "hear from the sandbox");
	rights = CMSG_FIRSTHDR(&message);
	if (rights && rights->cmsg_type == SCM_RIGHTS)
		memcpy(descriptor, CMSG_DATA(rights), sizeof *descriptor);
	return n == sizeof *reply;
}

int64_t sandbox_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* How long poll(2) may wait before the run has taken too long: -1 when it may for ever. 0 when it
 * has, and *WHY is set. */
static int time_left_ms(const struct watch *w, enum sandbox_overtime *why)
{
	const struct sandbox_patience *p = &w->run->patience;
	int64_t now = sandbox_now_ms(), left = INT64_MAX, silent;

	if (p->whole_ms > 0) {
		left = w->started_ms + p->whole_ms - now;
		*why = SANDBOX_TOO_LONG;
	}
	if (p->silent_ms > 0) {
		int64_t heard = *p->heard_ms;

		silent = (heard > w->started_ms ? heard : w->started_ms) + p->silent_ms - now;
		if (silent < left) {
			left = silent;
			*why = SANDBOX_TOO_SILENT;
		}
	}
	if (left == INT64_MAX)
		return -1;
	return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

/* How long poll(2) may wait before the caller does something meanwhile: -1 when there is nothing to do. */
static int before_meanwhile_ms(const struct watch *w)
{
	int64_t left = w->started_ms + LONG_MS - sandbox_now_ms();

	if (!w->run->meanwhile || w->nothing_meanwhile)
		return -1;
	return left < 0 ? 0 : (int)left;
}

/* The command is the first process that the first one starts; with it all the others end, and the
 * reply is on its way. */
static void end_command(struct watch *w)
{
	const struct sandbox_patience *p = &w->run->patience;
	struct process_tree tree;
	bool ended = false;

	process_tree_read(&tree, w->process.pid);
	if (p->over)
		p->over(p->context, &tree);
	for (size_t i = 0; i < tree.count && !w->process.buries; i++)
		if (tree.item[i].pid == COMMAND_PID)
			ended = kill(tree.item[i].outer, SIGKILL) == 0;
	process_tree_release(&tree);
	if (!ended)
		spawn_kill(&w->process);
}

/* Wait for the next reply, doing what there is to do meanwhile. */
static int next_reply(struct watch *w, struct reply *reply, int *descriptor, struct error *e)
{
	struct sandbox_ear *ear = w->run->ear;
	struct pollfd polls[4 + AGENT_POLLS] = {
		{ .fd = w->process.control, .events = POLLIN },
		{ .fd = w->run->cancel, .events = POLLIN },
		{ .events = POLLIN }, { .events = POLLIN },
	};

	for (;;) {
		size_t more = agents_poll(&w->agents, polls + 4);
		enum sandbox_overtime why = SANDBOX_IN_TIME;
		int wait_ms = w->overtime ? -1 : time_left_ms(w, &why), free_ms, heard;

		if (wait_ms == 0) {
			w->overtime = why;
			end_command(w);
			continue;
		}
		for (int i = 0; i < 2; i++)
			polls[2 + i].fd = ear ? ear->from[i] : -1;
		free_ms = before_meanwhile_ms(w);
		if (free_ms >= 0 && (wait_ms < 0 || free_ms < wait_ms))
			wait_ms = free_ms;
		heard = poll(polls, 4 + more, wait_ms);
		if (heard < 0) {
			if (errno == EINTR)
				continue;
			return error_errno(e, "wait for the sandbox");
		}
		if (heard == 0 && before_meanwhile_ms(w) == 0)
			w->nothing_meanwhile = !w->run->meanwhile(w->run->meanwhile_context);
		if (polls[0].revents)
			return read_reply(w, reply, descriptor, e);
		if (polls[1].revents)
			return error_set(e, ERROR_CANCELLED, "cancelled");
		for (int i = 0; i < 2; i++)
			if (polls[2 + i].revents)
				ear->hear(ear, i);
		agents_serve(&w->agents, polls + 4, more);
	}
}

static void set_result(struct sandbox_result *result, const struct reply *reply)
{
	*result = (struct sandbox_result){ .remains = -1 };
	if (reply->kind == REPLY_NOT_STARTED) {
		result->exit_code = reply->status;
		snprintf(result->reason, sizeof result->reason, "%s", reply->text);
	} else if (WIFSIGNALED(reply->status)) {
		result->signal = WTERMSIG(reply->status);
		result->exit_code = 128 + result->signal;
	} else {
		result->exit_code = WEXITSTATUS(reply->status);
	}
}

static int set_failure(const struct reply *reply, struct error *e)
{
	errno = reply->number;
	return reply->number ? error_errno(e, "sandbox: %s", reply->text)
	                     : error_set(e, ERROR_INPUT, "sandbox: %s", reply->text);
}

int watch_follow(struct watch *w, struct sandbox_result *result, struct error *e)
{
	struct reply reply;
	int more, descriptor = -1;

	while ((more = next_reply(w, &reply, &descriptor, e)) > 0) {
		switch ((enum reply_kind)reply.kind) {
		case REPLY_ENDED:
		case REPLY_NOT_STARTED:
			set_result(result, &reply);
			return 0;
		case REPLY_NO_OVERLAY:
			w->refusal = REFUSED_OVERLAY;
			return set_failure(&reply, e);
		case REPLY_NO_MOUNTS:
			w->refusal = REFUSED_NAMESPACES;
			return set_failure(&reply, e);
		case REPLY_FAILED:
			return set_failure(&reply, e);
		case REPLY_OUTER_PROC:
			w->outer_proc = true;
			break;
		case REPLY_AGENT:
			agents_add(&w->agents, descriptor, w->run->mount[reply.status].source);
			break;
		case REPLY_TERMINAL:
			w->run->terminal(w->run->terminal_context, descriptor);
			break;
		}
	}
	if (more == 0 && w->overtime) {
		*result = (struct sandbox_result){ .signal = SIGKILL, .exit_code = 128 + SIGKILL,
			                              .remains = -1 };
		return 0;
	}
	return more < 0 ? -1 : error_set(e, ERROR_SYSTEM, "the sandbox was killed from outside");
}

