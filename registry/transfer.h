/* Transfers: one HTTP exchange over libcurl, without redirects and without a second attempt.
 *
 * The one door to libcurl, which is started when the first transfer is made. What to do with the
 * outcome is decided in http.c.
 *
 * Threads: connections may be shared; each transfer under way has a curl handle of its own.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>

#include "layers/error.h"
#include "registry/http.h"

/* Curl handles that nobody uses now, with their open connections. */
struct connections;

struct connections *connections_open(struct error *e);
void connections_close(struct connections *c);

struct transfer {
	const struct http_request *request;
	const char *url;                /* instead of the request's own */
	const char *authorization;      /* likewise; NULL: none */
	const char *user_agent;
	bool verify;                    /* the server's certificate */
	unsigned stall_seconds;
	const atomic_bool *cancelled;   /* or NULL */
	bool delivered;                 /* out: the sink has got bytes */
};

enum transfer_end {
	TRANSFER_ANSWERED,
	TRANSFER_REFUSED,       /* E says so: nobody listens there */
	TRANSFER_BROKEN,        /* E says how; another attempt may do better */
	TRANSFER_FAILED,        /* E says why; another attempt would not */
};

/* R is empty before and the caller's to release after, whatever the end. */
enum transfer_end transfer_perform(struct connections *c, struct transfer *t,
                                   struct http_response *r, struct error *e);
