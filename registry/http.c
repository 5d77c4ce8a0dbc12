#include "registry/http.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>

#include "layers/scope.h"
#include "registry/transfer.h"
#include "registry/url.h"

#define REDIRECTS_MAX 10
/* Who asks for more has no time for us today: a rate limit counts in hours. */
#define RETRY_AFTER_MAX 300
#define PAUSE_MAX_MS 20000
/* With their pauses half a minute or more: a registry that is restarted is back by then (H192). */
#define ATTEMPTS 8
/* Where nobody listens and nobody ever did, nobody is being restarted. */
#define REFUSED_ATTEMPTS 2

struct http {
	struct http_settings settings;
	char *insecure;                 /* $CAIRN_INSECURE_REGISTRIES */
	struct connections *connections;
	atomic_bool reached;            /* somebody has answered */
};

struct http *http_open(const struct http_settings *s, struct error *e)
{
	const char *insecure = getenv("CAIRN_INSECURE_REGISTRIES");
	struct http *h = calloc(1, sizeof *h);

	if (!h) {
		error_memory(e);
		return NULL;
	}
	h->settings = *s;
	if (!h->settings.user_agent)
		h->settings.user_agent = "cairn";
	if (!h->settings.stall_seconds)
		h->settings.stall_seconds = 60;
	if (!h->settings.attempts)
		h->settings.attempts = ATTEMPTS;
	if (!h->settings.pause_ms)
		h->settings.pause_ms = 500;
	h->insecure = strdup(insecure ? insecure : "");
	h->connections = connections_open(e);
	if (!h->insecure || !h->connections) {
		http_close(h);
		error_memory(e);
		return NULL;
	}
	return h;
}

void http_close(struct http *h)
{
	if (!h)
		return;
	connections_close(h->connections);
	free(h->insecure);
	free(h);
}

void http_release(struct http_response *r)
{
	for (size_t i = 0; i < r->header_count; i++) {
		free(r->header[i].name);
		free(r->header[i].value);
	}
	free(r->header);
	free(r->url);
	free(r->body);
	memset(r, 0, sizeof *r);
}

const char *http_header(const struct http_response *r, const char *name, size_t at)
{
	for (size_t i = 0; i < r->header_count; i++)
		if (strcasecmp(r->header[i].name, name) == 0 && at-- == 0)
			return r->header[i].value;
	return NULL;
}

bool http_is_transient(int status)
{
	switch (status) {
	case 408:
	case 425:
	case 429:
	case 499:
	case 500:
	case 502:
	case 503:
	case 504:
	case 522:
	case 524:
		return true;
	default:
		return false;
	}
}

bool http_is_insecure(const struct http *h, const char *host)
{
	size_t size = strlen(host);

	for (const char *const *name = h->settings.insecure; name && *name; name++)
		if (strcasecmp(*name, host) == 0)
			return true;
	for (const char *at = h->insecure; *at; at += strspn(at, ", ")) {
		size_t length = strcspn(at, ", ");

		if (length == size && strncasecmp(at, host, size) == 0)
			return true;
		at += length;
	}
	return false;
}

bool http_is_local(const char *host)
{
	auto_free char *url = NULL;
	struct error ignored;
	struct url u;

	if (asprintf(&url, "http://%s/", host) < 0) {
		url = NULL;
		return false;
	}
	return url_parse(url, &u, &ignored) == 0 && url_reach(u.host) == URL_LOOPBACK;
}

bool http_may_be_plain(const struct http *h, const char *host)
{
	return http_is_insecure(h, host) || http_is_local(host);
}

/* The server's certificate counts, unless the user named this very host. */
static bool must_verify(const struct http *h, const struct url *u)
{
	char origin[URL_ORIGIN], with_port[sizeof u->host + 16];
	const char *host = strstr(url_origin(u, origin), "://") + 3;

	snprintf(with_port, sizeof with_port, strchr(u->host, ':') ? "[%s]:%d" : "%s:%d", u->host,
	         u->port);
	return !http_is_insecure(h, host) && !http_is_insecure(h, with_port);
}

/* --- pauses --- */

/* Milliseconds that R asks for, or -1. RFC 9110, "Retry-After". */
static int64_t retry_after(const struct http_response *r)
{
	const char *text = r ? http_header(r, "Retry-After", 0) : NULL;
	struct tm when = { 0 };
	int64_t seconds;
	char *rest;

	if (!text)
		return -1;
	errno = 0;
	seconds = strtoll(text, &rest, 10);
	if (rest != text && *rest == '\0')
		return errno || seconds > INT32_MAX ? (int64_t)INT32_MAX * 1000 : seconds < 0 ? -1
		                                                                   : seconds * 1000;
	rest = strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &when);
	if (!rest || *rest)
		return -1;
	seconds = timegm(&when) - time(NULL);
	return seconds < 0 ? 0 : seconds * 1000;
}

static bool is_cancelled(const struct http *h)
{
	const atomic_bool *cancelled = h->settings.cancelled;

	return cancelled && atomic_load_explicit(cancelled, memory_order_relaxed);
}

int http_pause(struct http *h, unsigned attempt, const struct http_response *r, struct error *e)
{
	int64_t asked = retry_after(r), pause = h->settings.pause_ms;
	uint32_t random = 0;

	if (attempt >= h->settings.attempts || asked > RETRY_AFTER_MAX * 1000)
		return -1;
	if (asked >= 0) {
		pause = asked;
	} else {
		for (unsigned i = 1; i < attempt && pause < PAUSE_MAX_MS; i++)
			pause *= 2;
		if (pause > PAUSE_MAX_MS)
			pause = PAUSE_MAX_MS;
		/* Between half and all of it, so that many clients do not come back together. */
		if (getrandom(&random, sizeof random, GRND_NONBLOCK) == sizeof random)
			pause -= pause / 2 * (random % 1024) / 1024;
	}
	for (; pause > 0; pause -= 50) {
		struct timespec slice = { 0, (pause < 50 ? pause : 50) * 1000000 };

		if (is_cancelled(h))
			return error_set(e, ERROR_CANCELLED, "cancelled");
		nanosleep(&slice, NULL);
	}
	return 0;
}

/* --- one request --- */

/* Where a request stands: redirects change it. */
struct route {
	const struct http_request *request;
	char *url;
	const char *authorization;
	unsigned redirects, attempt;
};

static int in_words(const struct route *way, struct error *e)
{
	char origin[URL_ORIGIN];
	struct error ignored;
	struct url u;

	if (url_parse(way->url, &u, &ignored) < 0)
		return -1;
	return error_context(e, "%s %s", way->request->method, url_origin(&u, origin));
}

static bool is_redirect(const struct http_request *q, const struct http_response *r)
{
	bool repeatable = strcmp(q->method, "GET") == 0 || strcmp(q->method, "HEAD") == 0;

	if (!http_header(r, "Location", 0))
		return false;
	/* The others would turn an upload into a GET: they are its answer, and a failure. */
	return r->status == 307 || r->status == 308 ||
	       (repeatable && (r->status == 301 || r->status == 302 || r->status == 303));
}

int http_may_follow(const struct http_response *r, const char *next, struct error *e)
{
	char here[URL_ORIGIN], there[URL_ORIGIN];
	enum url_reach reach, of_peer = url_reach(r->peer);
	struct url from, to;

	if (url_parse(r->url, &from, e) < 0 || url_parse(next, &to, e) < 0)
		return -1;
	url_origin(&from, here);
	url_origin(&to, there);
	if (from.https && !to.https)
		return error_set(e, ERROR_DENIED, "%s redirects to %s, which is not encrypted", here, there);
	reach = url_reach(from.host);
	if (of_peer > reach) /* a name in a private network is private, too */
		reach = of_peer;
	if (strcmp(from.host, to.host) != 0 && url_reach(to.host) > reach)
		return error_set(e, ERROR_DENIED, "%s redirects to %s, an internal address", here, there);
	return 0;
}

static int redirect(struct route *way, const struct http_response *r, struct error *e)
{
	auto_free char *next = url_resolve(way->url, http_header(r, "Location", 0), e);
	struct url from, to;

	if (!next || url_parse(way->url, &from, e) < 0 || url_parse(next, &to, e) < 0)
		return error_context(e, "redirect");
	if (++way->redirects > REDIRECTS_MAX)
		return error_set(e, ERROR_NETWORK, "more than %d redirects", REDIRECTS_MAX);
	if (http_may_follow(r, next, e) < 0)
		return -1;
	if (!url_same_origin(&from, &to)) {
		char origin[URL_ORIGIN];

		if (way->request->stay)
			return error_set(e, ERROR_DENIED, "redirects what is secret to %s",
			                 url_origin(&to, origin));
		way->authorization = NULL;
	}
	free(way->url);
	way->url = take_pointer(&next);
	return 0;
}

/* One exchange, and what follows from it: 1 is to go on, 0 an answer, -1 and E the end. */
static int step(struct http *h, struct route *way, struct http_response *r, struct error *e)
{
	const struct http_request *q = way->request;
	unsigned attempts = q->attempts ? q->attempts : h->settings.attempts;
	struct transfer t = { .request = q, .url = way->url, .authorization = way->authorization,
		              .user_agent = h->settings.user_agent,
		              .stall_seconds = h->settings.stall_seconds,
		              .cancelled = h->settings.cancelled };
	enum transfer_end end;
	struct url u;

	if (url_parse(way->url, &u, e) < 0)
		return -1;
	t.verify = must_verify(h, &u);
	end = transfer_perform(h->connections, &t, r, e);
	way->attempt++;
	if (end == TRANSFER_ANSWERED)
		atomic_store(&h->reached, true);
	if (end == TRANSFER_REFUSED && !atomic_load(&h->reached) && attempts > REFUSED_ATTEMPTS)
		attempts = REFUSED_ATTEMPTS;
	if (end == TRANSFER_ANSWERED && is_redirect(q, r))
		return redirect(way, r, e) < 0 ? in_words(way, e) : 1;
	if (end == TRANSFER_ANSWERED && !http_is_transient(r->status))
		return 0;
	if (end == TRANSFER_FAILED || t.delivered || way->attempt >= attempts ||
	    http_pause(h, way->attempt, end == TRANSFER_ANSWERED ? r : NULL, e) < 0) {
		if (end == TRANSFER_ANSWERED && !is_cancelled(h))
			return 0;
		return in_words(way, e);
	}
	return 1;
}

int http_send(struct http *h, const struct http_request *q, struct http_response *r,
              struct error *e)
{
	struct route way = { .request = q, .url = strdup(q->url), .authorization = q->authorization };
	int result;

	memset(r, 0, sizeof *r);
	if (!way.url)
		return error_memory(e);
	while ((result = step(h, &way, r, e)) > 0)
		http_release(r);
	if (result < 0)
		http_release(r);
	free(way.url);
	return result;
}
