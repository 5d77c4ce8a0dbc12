/* Connections of a run to an agent of the host (ssh-agent), passed on by hand.
 *
 * The run has a socket of its own, with the owner and mode it was promised; each connection to it
 * is joined here to one of our own to the real socket. Used by the thread that waits for the run
 * anyway: it polls what agent_poll lists and gives the answers to agent_serve.
 */
#pragma once
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>

enum {
	AGENT_SOCKETS = 16,        /* ssh mounts of one run */
	AGENT_CONNECTIONS = 32,    /* open at one time; more wait */
	AGENT_POLLS = AGENT_SOCKETS + 2 * AGENT_CONNECTIONS,
};

struct agent_connection {
	int side[2];               /* the run's and the agent's; -1 when there is none */
};

struct agents {
	struct {
		int listening, source;
	} socket[AGENT_SOCKETS];
	size_t sockets;
	struct agent_connection connection[AGENT_CONNECTIONS];
};

void agents_init(struct agents *a);
void agents_release(struct agents *a);

/* Connections to LISTENING, which is ours from now on, go to the socket that SOURCE (O_PATH) is. */
void agents_add(struct agents *a, int listening, int source);

/* Fill at most AGENT_POLLS entries and return how many. */
size_t agents_poll(const struct agents *a, struct pollfd *polls);
void agents_serve(struct agents *a, const struct pollfd *polls, size_t count);
