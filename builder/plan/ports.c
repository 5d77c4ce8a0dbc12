#include "builder/plan/ports.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "layers/scope.h"

#define PORT_MAX 65535

/* A part of the word. */
struct part {
	const char *at;
	int size;
};

static int read_number(struct part part)
{
	int number = 0;

	if (part.size > 1 && *part.at == '+') {
		part.at++;
		part.size--;
	}
	if (part.size == 0)
		return -1;
	for (int i = 0; i < part.size; i++) {
		if (part.at[i] < '0' || part.at[i] > '9')
			return -1;
		number = number * 10 + part.at[i] - '0';
		if (number > PORT_MAX)
			return -1;
	}
	return number;
}

static int read_range(struct part part, int *first, int *last)
{
	const char *dash = memchr(part.at, '-', (size_t)part.size);
	struct part low = { part.at, dash ? (int)(dash - part.at) : part.size };
	struct part high = dash ? (struct part){ dash + 1, part.size - low.size - 1 } : low;

	*first = read_number(low);
	*last = read_number(high);
	return *first < 0 || *last < *first ? -1 : 0;
}

static int check_address(struct part ip, struct error *e)
{
	struct in6_addr address;
	auto_free char *text = NULL;

	if (ip.size >= 2 && ip.at[0] == '[' && ip.at[ip.size - 1] == ']')
		text = strndup(ip.at + 1, (size_t)ip.size - 2);
	else
		text = strndup(ip.at, (size_t)ip.size);
	if (!text)
		return error_memory(e);
	if (inet_pton(AF_INET, text, &address) != 1 && inet_pton(AF_INET6, text, &address) != 1)
		return error_set(e, ERROR_INPUT, "invalid IP address: %s", text);
	return 0;
}

static int read_protocol(const char *word, struct part *port, struct port_range *range,
                         struct error *e)
{
	static const char *const protocols[] = { "tcp", "udp", "sctp" };
	const char *slash = memchr(port->at, '/', (size_t)port->size);
	const char *name = slash ? slash + 1 : "";

	if (slash)
		port->size = (int)(slash - port->at);
	if (port->size == 0)
		return error_set(e, ERROR_INPUT, "invalid port: \"%s\": no port specified", word);
	range->protocol = *name ? NULL : protocols[0];
	for (size_t i = 0; *name && i < sizeof protocols / sizeof *protocols; i++)
		if (strcasecmp(name, protocols[i]) == 0) {
			range->protocol = protocols[i];
			range->protocol_cased = strcmp(name, protocols[i]) != 0;
		}
	if (!range->protocol)
		return error_set(e, ERROR_INPUT, "invalid port: \"%s\": invalid proto: %s", word,
				 name);
	return 0;
}

/* The container's part is behind the last colon, the host's before it, the rest is an address. */
static void split(const char *word, struct part *ip, struct part *host, struct part *port)
{
	const char *last = strrchr(word, ':'), *before = NULL;

	*ip = *host = (struct part){ word, 0 };
	*port = (struct part){ last ? last + 1 : word, 0 };
	port->size = (int)strlen(port->at);
	if (!last)
		return;
	before = memrchr(word, ':', (size_t)(last - word));
	host->at = before ? before + 1 : word;
	host->size = (int)(last - host->at);
	if (before)
		ip->size = (int)(before - word);
}

int port_parse(const char *word, struct port_range *range, struct error *e)
{
	struct part ip, host, port;
	int first, last;

	*range = (struct port_range){ 0 };
	split(word, &ip, &host, &port);
	if (read_protocol(word, &port, range, e) < 0)
		return -1;
	range->has_host = ip.size > 0 || host.size > 0;
	if (ip.size > 0 && check_address(ip, e) < 0)
		return -1;
	if (read_range(port, &range->first, &range->last) < 0)
		return error_set(e, ERROR_INPUT, "invalid containerPort: %.*s", port.size, port.at);
	if (host.size == 0)
		return 0;
	if (read_range(host, &first, &last) < 0)
		return error_set(e, ERROR_INPUT, "invalid hostPort: %.*s", host.size, host.at);
	if (range->last - range->first != last - first && range->last != range->first)
		return error_set(e, ERROR_INPUT,
				 "invalid ranges specified for container and host Ports:"
				 " %.*s and %.*s",
				 port.size, port.at, host.size, host.at);
	return 0;
}

int ports_add(struct ports *ports, const struct port_range *range)
{
	for (int port = range->first; port <= range->last; port++) {
		if (ports->count == ports->capacity) {
			size_t capacity = ports->capacity ? 2 * ports->capacity : 8;
			char **item = reallocarray(ports->item, capacity, sizeof *item);

			if (!item)
				return -1;
			ports->item = item;
			ports->capacity = capacity;
		}
		if (asprintf(&ports->item[ports->count], "%d/%s", port, range->protocol) < 0)
			return -1;
		ports->count++;
	}
	return 0;
}

void ports_release(struct ports *ports)
{
	for (size_t i = 0; i < ports->count; i++)
		free(ports->item[i]);
	free(ports->item);
}
