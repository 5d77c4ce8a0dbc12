#include "builder/sandbox/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

void agents_init(struct agents *a)
{
	a->sockets = 0;
	for (size_t i = 0; i < AGENT_CONNECTIONS; i++)
		a->connection[i].side[0] = a->connection[i].side[1] = -1;
}

static void hang_up(struct agent_connection *c)
{
	for (int i = 0; i < 2; i++) {
		if (c->side[i] >= 0)
			close(c->side[i]);
		c->side[i] = -1;
	}
}

void agents_release(struct agents *a)
{
	for (size_t i = 0; i < AGENT_CONNECTIONS; i++)
		hang_up(&a->connection[i]);
	for (size_t i = 0; i < a->sockets; i++)
		close(a->socket[i].listening);
	a->sockets = 0;
}

void agents_add(struct agents *a, int listening, int source)
{
	if (a->sockets == AGENT_SOCKETS) {
		close(listening);
		return;
	}
	a->socket[a->sockets].listening = listening;
	a->socket[a->sockets++].source = source;
}

static struct agent_connection *free_connection(struct agents *a)
{
	for (size_t i = 0; i < AGENT_CONNECTIONS; i++)
		if (a->connection[i].side[0] < 0)
			return &a->connection[i];
	return NULL;
}

size_t agents_poll(const struct agents *a, struct pollfd *polls)
{
	bool room = false;
	size_t count = 0;

	for (size_t i = 0; i < AGENT_CONNECTIONS; i++) {
		if (a->connection[i].side[0] < 0) {
			room = true;
			continue;
		}
		for (int side = 0; side < 2; side++)
			polls[count++] = (struct pollfd) { a->connection[i].side[side], POLLIN, 0 };
	}
	for (size_t i = 0; room && i < a->sockets; i++)
		polls[count++] = (struct pollfd) { a->socket[i].listening, POLLIN, 0 };
	return count;
}

static void accept_one(struct agents *a, size_t number)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct agent_connection *c = free_connection(a);

	if (!c)
		return;
	c->side[0] = accept4(a->socket[number].listening, NULL, NULL, SOCK_CLOEXEC);
	c->side[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d",
	         a->socket[number].source);
	if (c->side[0] < 0 || c->side[1] < 0 ||
	    connect(c->side[1], (struct sockaddr *)&address, sizeof address) < 0)
		hang_up(c);
}

/* Messages of an agent are short and answered one by one: a side that does not read what it asked
 * for is hung up on, rather than waited for. */
static void pass_on(struct agent_connection *c, int from)
{
	char buffer[16384];
	ssize_t n = recv(c->side[from], buffer, sizeof buffer, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0 || send(c->side[!from], buffer, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) != n)
		hang_up(c);
}

void agents_serve(struct agents *a, const struct pollfd *polls, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!polls[i].revents)
			continue;
		for (size_t n = 0; n < AGENT_CONNECTIONS; n++)
			for (int side = 0; side < 2; side++)
				if (a->connection[n].side[side] == polls[i].fd)
					pass_on(&a->connection[n], side);
		for (size_t n = 0; n < a->sockets; n++)
			if (a->socket[n].listening == polls[i].fd)
				accept_one(a, n);
	}
}
