#include "builder/build/output_pump.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void hear(struct sandbox_ear *ear, int which)
{
	struct output_pump *pump = (struct output_pump *)ear;
	char buffer[16384];
	ssize_t n = read(ear->from[which], buffer, sizeof buffer);

	if (n > 0) {
		pump->heard_ms = sandbox_now_ms();
		vertex_output(pump->vertex, which + 1, buffer, (size_t)n);
	} else if (n == 0 || errno != EINTR) {
		close(ear->from[which]);
		ear->from[which] = -1;
	}
}

int output_pump_begin(struct output_pump *pump, struct vertex *v, struct error *e)
{
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return error_errno(e, "pipe");
	if (pipe2(err, O_CLOEXEC) < 0) {
		error_errno(e, "pipe");
		close(out[0]);
		close(out[1]);
		return -1;
	}
	*pump = (struct output_pump){
		.ear = { .from = { out[0], err[0] }, .hear = hear },
		.to = { out[1], err[1] },
		.vertex = v,
	};
	return 0;
}

void output_pump_end(struct output_pump *pump)
{
	for (int i = 0; i < 2; i++) {
		close(pump->to[i]);
		while (pump->ear.from[i] >= 0)
			hear(&pump->ear, i);
	}
}
