/* HTTP: one request with its redirects, its retries and its limits.
 *
 * libcurl (transfer.h) is started when the first request is made. Nothing is known here of
 * registries.
 *
 * - Redirects are followed by hand. Credentials stay at the origin (scheme, host, port) they were
 *   given for; https never becomes http; a public host cannot send us to a private address.
 * - Transport failures and 408, 425, 429, 5xx are tried again with growing pauses, Retry-After
 *   honoured; a transfer that stalls is a failure. Once a byte has gone to a sink the request is
 *   not repeated: only its owner knows whether to resume.
 * - Bodies are the bytes as sent (no Content-Encoding is undone), each with a ceiling.
 * - Servers are verified with the system's CAs ($SSL_CERT_FILE and $SSL_CERT_DIR if set) and
 *   certs.d (certificates.h), unless the user named this very host insecure. Proxies are those of
 *   the environment, as curl reads it. A configuration of OpenSSL does not count (H310).
 *
 * Threads: a struct http may be shared; it keeps one curl handle, with its open connections, for
 * each request that is under way at the same time.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/error.h"

/* JSON that is not an image's document: tokens, error lists. */
#define HTTP_ANSWER_MAX (64 << 10)

struct http_settings {
	const char *user_agent;       /* NULL: "cairn" */
	const char *const *insecure;  /* host[:port] that may be plain or badly certified; or NULL */
	unsigned stall_seconds;       /* no progress for so long is a failure; 0: 60 */
	unsigned attempts;            /* of each request, at most; 0: 8 */
	unsigned pause_ms;            /* before the second attempt, doubled for each; 0: 500 */
	const atomic_bool *cancelled; /* ends pauses and transfers when it becomes true; or NULL */
};

struct http;

/* S is copied, what it points to is borrowed. $CAIRN_INSECURE_REGISTRIES (names separated by
 * commas) is added to insecure. NULL only when memory is out. */
struct http *http_open(const struct http_settings *s, struct error *e);
void http_close(struct http *h);

struct http_header {
	char *name, *value;
};

struct http_response {
	int status;
	char *url;                    /* where it came from, after redirects */
	struct http_header *header;
	size_t header_count;
	char *body;                   /* what no sink took, NUL added; never NULL */
	size_t body_size;
	int64_t content_length;       /* -1: not said */
	char peer[64];                /* the address that answered */
};

/* Receives the body of a 2xx answer piece by piece; status and headers of R are complete. -1 and E
 * end the transfer. */
typedef int http_sink(void *context, const struct http_response *r, const void *data, size_t size,
                      struct error *e);

/* Gives what is sent from OFFSET on, and may take its time: the bytes put into BUFFER, 0 at the end;
 * -1 and E end the transfer. */
typedef ssize_t http_source(void *context, void *buffer, size_t size, int64_t offset,
                            struct error *e);

/* Bytes moved so far, from 0 again when a request is repeated. */
typedef void http_progress(void *context, int64_t done);

struct http_request {
	const char *method;
	const char *url;              /* absolute, http or https, without user and password */
	const char *const *header;    /* "Name: value", NULL at the end; or NULL */
	const char *authorization;    /* value of Authorization; NULL: none */

	const void *body;             /* what is sent: these bytes... */
	int fd;                       /* ...or those of a file from its start, when body is NULL */
	int64_t body_size;            /* -1: nothing is sent, not even a length */
	http_source *source;          /* ...or what it gives, whose size nobody knows; else NULL */

	http_sink *sink;              /* NULL: the body is kept in the response */
	size_t limit;                 /* ceiling of a kept 2xx body; 0: HTTP_ANSWER_MAX */
	http_progress *progress;      /* of the body that is sent; or NULL */
	void *context;                /* for all three */

	unsigned attempts;            /* 0: as set */
	bool stay;                    /* the body is a secret: no redirect to another origin */
};

/* A request without a body. */
#define HTTP_REQUEST(what, where) \
	{ .method = (what), .url = (where), .fd = -1, .body_size = -1 }

/* Perform Q. Any status is an answer: returns 0 and R, whose owner calls http_release; -1 and E
 * when there was none (ERROR_NETWORK; ERROR_INPUT where another attempt would not help: a wrong
 * certificate), when it was too large (ERROR_CORRUPT), or when a rule above forbids to go on
 * (ERROR_DENIED). E names the host and what failed, never a query: it may hold a signature. */
int http_send(struct http *h, const struct http_request *q, struct http_response *r,
              struct error *e);
void http_release(struct http_response *r);

/* Would a redirect from R to the URL TO be followed? For addresses that come in other ways, like
 * the Location of an upload. -1 and E (ERROR_DENIED) when not. */
int http_may_follow(const struct http_response *r, const char *to, struct error *e);

/* The value of header NAME, or NULL. The ATth of several, from 0. */
const char *http_header(const struct http_response *r, const char *name, size_t at);

/* Is STATUS worth another attempt, later? */
bool http_is_transient(int status);

/* Pause before another attempt, ATTEMPT being made already, as long as R's Retry-After (R may be
 * NULL) or the settings say. -1 when all attempts are used or the server asks for a longer pause
 * than anybody waits: E stays as it is, or says ERROR_CANCELLED. */
int http_pause(struct http *h, unsigned attempt, const struct http_response *r, struct error *e);

/* Is HOST (host[:port]) localhost or a loopback address? */
bool http_is_local(const char *host);

/* May HOST (host[:port]) be spoken to without TLS? Local ones, and those named insecure: nobody
 * else, for a name that is hijacked must not get credentials (H036). */
bool http_may_be_plain(const struct http *h, const char *host);
bool http_is_insecure(const struct http *h, const char *host);
