/* Start the program that runs inside, in namespaces of its own, from a process with threads.
 *
 * As posix_spawn does it: the child shares our memory until it executes, so nothing is copied and
 * no lock is held by a thread that is not there; and it is pid 1 of its namespace from the start.
 */
#pragma once
#include <stdbool.h>
#include <sys/types.h>

#include "layers/error.h"

struct spawned {
	pid_t pid;
	int pidfd;
	int control;   /* our end of its descriptor 3 */
	bool buries;   /* it has no pid namespace: it ends its processes itself */
};

/* The program as a sealed file in memory, which nobody can change through /proc. */
int spawn_program(struct error *e);

/* Start PROGRAM with INPUT, OUT and ERR as its descriptors 0 to 2, in the new NAMESPACES (CLONE_NEW
 * flags). It dies when the calling thread does; without namespaces it hears of it by the end of
 * what it reads, and has to end what it has started. ERROR_UNSUPPORTED when the kernel refuses
 * namespaces here. */
int spawn_start(int program, int input, int out, int err, int namespaces, struct spawned *s,
                struct error *e);

/* End it, and with it everything it has started. */
void spawn_kill(const struct spawned *s);

/* Wait for its end, and close what S holds. */
void spawn_end(struct spawned *s);

/* It is about to end: close what S holds but for what is returned, which is for sandbox_bury. */
int spawn_leave(struct spawned *s);
