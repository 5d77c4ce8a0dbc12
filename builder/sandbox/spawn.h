/* Start the program that runs inside, in namespaces of its own, from a process with threads.
 *
 * As posix_spawn does it: the child shares our memory until it executes, so nothing is copied and
 * no lock is held by a thread that is not there; and it is pid 1 of its namespace from the start.
 */
#pragma once
#include <sys/types.h>

#include "layers/error.h"

struct spawned {
	pid_t pid;
	int pidfd;
	int control;   /* our end of its descriptor 3 */
};

/* The program as a sealed file in memory, which nobody can change through /proc. */
int spawn_program(struct error *e);

/* Start PROGRAM with INPUT, OUT and ERR as its descriptors 0 to 2, in the new NAMESPACES (CLONE_NEW
 * flags). It dies when the calling thread does. */
int spawn_start(int program, int input, int out, int err, int namespaces, struct spawned *s,
                struct error *e);

/* Kill it, and with it everything in its pid namespace. */
void spawn_kill(const struct spawned *s);

/* Wait for its end, and close what S holds. */
void spawn_end(struct spawned *s);
