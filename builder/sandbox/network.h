/* An isolated network for a run: a program of the machine's, pasta or slirp4netns, that passes on
 * what the run sends and receives as if it did so itself. It needs no right but that to the run's own
 * network namespace; the run reaches the world, and nothing of this machine's own services on
 * 127.0.0.1.
 *
 * Source: pasta(1), slirp4netns(1).
 */
#pragma once
#include <sys/types.h>

#include "builder/sandbox/sandbox.h"
#include "layers/error.h"

struct network {
	int pidfd;                 /* of the program; -1: there is none */
};

/* Give the network namespace of process PID a network of KIND (one that has a program). N needs
 * network_end in every case. -1 and E, in the program's own words. */
int network_begin(struct network *n, enum sandbox_network kind, bool reach_host, pid_t pid,
                  struct error *e);
void network_end(struct network *n);
