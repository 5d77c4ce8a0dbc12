/* Ports of EXPOSE: [[ip:]host[-host]:]port[-port][/tcp|udp|sctp].
 *
 * Only the container's side means anything to an image; the rest is checked and dropped.
 * Source: Dockerfile reference, "EXPOSE"; BuildKit, convert_expose.go.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/error.h"

struct port_range {
	int first, last;
	const char *protocol;    /* in lower case */
	bool protocol_cased;     /* it was not */
	bool has_host;           /* an address or a host port was given */
};

/* WORD to RANGE; ERROR_INPUT in BuildKit's words. */
int port_parse(const char *word, struct port_range *range, struct error *e);

/* Each port by itself, "80/tcp", in the order they came. */
struct ports {
	char **item;
	size_t count, capacity;
};

/* -1: no memory. */
int ports_add(struct ports *ports, const struct port_range *range);
void ports_release(struct ports *ports);
