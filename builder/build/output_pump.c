#include "builder/build/output_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "builder/sandbox/sandbox.h"

static void *pump_output(void *context)
{
	struct output_pump *pump = context;
	struct pollfd fds[2] = { { .fd = pump->from[0], .events = POLLIN },
		                 { .fd = pump->from[1], .events = POLLIN } };
	char buffer[16384];

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			n = read(fds[i].fd, buffer, sizeof buffer);
			if (n > 0) {
				pump->heard_ms = sandbox_now_ms();
				vertex_output(pump->vertex, i + 1, buffer, (size_t)n);
			} else if (n == 0 || errno != EINTR) {
				fds[i].fd = -1;
			}
		}
	}
	return NULL;
}

static void close_pipe(struct output_pump *pump, int i)
{
	close(pump->from[i]);
	close(pump->to[i]);
}

int output_pump_begin(struct output_pump *pump, struct vertex *v, struct error *e)
{
	int ends[2];

	pump->vertex = v;
	pump->heard_ms = 0;
	for (int i = 0; i < 2; i++) {
		if (pipe2(ends, O_CLOEXEC) < 0) {
			error_errno(e, "pipe");
			if (i > 0)
				close_pipe(pump, 0);
			return -1;
		}
		pump->from[i] = ends[0];
		pump->to[i] = ends[1];
	}
	if (pthread_create(&pump->thread, NULL, pump_output, pump) == 0)
		return 0;
	close_pipe(pump, 0);
	close_pipe(pump, 1);
	return error_memory(e);
}

void output_pump_end(struct output_pump *pump)
{
	close(pump->to[0]);
	close(pump->to[1]);
	pthread_join(pump->thread, NULL);
	close(pump->from[0]);
	close(pump->from[1]);
}
