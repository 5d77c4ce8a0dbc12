/* URLs of http and https: taken apart strictly, resolved as RFC 3986 says, never re-encoded.
 *
 * Refused, because two readers could see two hosts in them: user and password, control characters,
 * spaces, backslashes, percent signs in the host (H062, H067).
 *
 * Source: RFC 3986, sections 3 and 5.
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"

struct url {
	bool https;
	char host[256];         /* lower case; an IPv6 address without its brackets */
	int port;               /* said or implied */
	const char *target;     /* "/path?query", a pointer into the text; "" when there is none */
};

/* TEXT to U, which borrows it. E does not repeat a query. */
int url_parse(const char *text, struct url *u, struct error *e);

/* REFERENCE (a Location header) as seen from BASE, its fragment dropped; the caller frees it. */
char *url_resolve(const char *base, const char *reference, struct error *e);

/* Same scheme, host and port: who may see the credentials of A. */
bool url_same_origin(const struct url *a, const struct url *b);

/* "https://host:port", the port left out when implied: for messages. Returns TEXT. */
#define URL_ORIGIN 280
char *url_origin(const struct url *u, char text[static URL_ORIGIN]);

/* TEXT with all but unreserved characters as %XX; the caller frees it. */
char *url_escape(const char *text);

/* How far inside an address lies: a public host must not send us further in (H155). Names are
 * public, except localhost. */
enum url_reach { URL_PUBLIC, URL_PRIVATE, URL_LOOPBACK, URL_LINK_LOCAL };
enum url_reach url_reach(const char *host);
