/* What a command prints, on its way from two pipes to the progress of its step. */
#pragma once
#include <pthread.h>
#include <stdint.h>

#include "builder/progress/progress.h"

struct output_pump {
	struct vertex *vertex;
	int from[2], to[2];     /* of its standard output and error: our ends, and the command's */
	_Atomic int64_t heard_ms; /* when something came last, see sandbox_now_ms */
	pthread_t thread;
};

/* Lines that are written to pump->to[0] and pump->to[1] are V's from now on. */
int output_pump_begin(struct output_pump *pump, struct vertex *v, struct error *e);

/* Nobody writes any more: show what is left. */
void output_pump_end(struct output_pump *pump);
