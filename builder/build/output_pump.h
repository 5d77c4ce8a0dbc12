/* What a command prints, on its way from two pipes to the progress of its step. */
#pragma once
#include <stdint.h>

#include "builder/progress/progress.h"
#include "builder/sandbox/sandbox.h"

struct output_pump {
	struct sandbox_ear ear; /* our ends of its standard output and error */
	int to[2];              /* the command's */
	struct vertex *vertex;
	int64_t heard_ms;       /* when something came last, see sandbox_now_ms */
};

/* Lines that are written to pump->to[0] and pump->to[1] are V's, as pump->ear hears them. */
int output_pump_begin(struct output_pump *pump, struct vertex *v, struct error *e);

/* Nobody writes any more: show what is left. */
void output_pump_end(struct output_pump *pump);
