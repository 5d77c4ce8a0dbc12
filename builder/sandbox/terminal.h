/* The terminal of the user, joined to that of a command in a sandbox; or, for a command without
 * one, its output passed on as it is.
 *
 * What the user types goes to the command untouched, so that Ctrl-C is the command's; its size
 * follows that of the user's window. One at a time in a process.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <sys/types.h>
#include <termios.h>

#include "builder/sandbox/sandbox.h"

enum { TERMINAL_BYTES = 4096 };

/* Bytes on their way. */
struct terminal_flow {
	int from, to;              /* FROM is -1 when nothing more comes */
	size_t first, end;         /* what is in BYTES */
	char bytes[TERMINAL_BYTES];
};

struct terminal {
	int user;                  /* -1: there is none */
	int other;                 /* the command's terminal; -1 until it is there */
	int resized;
	int pipe[2][2];            /* of the command's output and errors, without a terminal */
	struct termios before;
	struct terminal_flow flow[2];
	bool flows;
	pthread_t thread;
};

/* Is somebody at a terminal, who sees what is written and types? */
bool terminal_is_there(void);

/* Make RUN's input and output those of the user: through a terminal when INTERACTIVE. T needs
 * terminal_end in every case, after the run. */
int terminal_begin(struct terminal *t, bool interactive, struct sandbox_run *run, struct error *e);

/* Wait until all has been passed on; the user's terminal is as it was before. */
void terminal_end(struct terminal *t);
