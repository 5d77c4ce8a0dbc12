#include "registry/endpoint.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/url.h"

/* A registry that was just started may need a moment; one that is not there should be told soon. */
#define ROUNDS 3

/* 1: HOST answers under SCHEME; 0: it speaks another; -1 and E: it does not answer, or not us. */
static int try(struct http *h, const char *scheme, const char *host, struct challenge *c,
               struct error *e)
{
	auto_free char *url = NULL;
	struct http_request q = HTTP_REQUEST("GET", NULL);
	struct http_response r;
	int result;

	if (asprintf(&url, "%s://%s/v2/", scheme, host) < 0) {
		url = NULL;
		return error_memory(e);
	}
	q.url = url;
	q.attempts = 1;
	e->kind = ERROR_NETWORK;
	if (http_send(h, &q, &r, e) < 0)
		return -1;
	/* What servers say to plain bytes at the port where they want TLS. */
	result = strcmp(scheme, "http") != 0 || r.status != 400;
	if (result && r.status == 401 && challenge_read(&r, c, e) < 0)
		result = -1;
	http_release(&r);
	return result;
}

/* E becomes the failure that says more: a certificate, rather than a broken pipe. Where both are
 * of the network nobody knows which, and both are told. FIRST is NULL if only its scheme was
 * wrong. */
static void choose_failure(const struct error *first, const struct error *second, struct error *e)
{
	struct error both;
	const char *one, *other;

	if (!first || second->kind != ERROR_NETWORK) {
		*e = *second;
		return;
	}
	one = strstr(first->text, "://");
	other = strstr(second->text, "://");
	if (first->kind == ERROR_NETWORK && one && other && strcmp(one, other) != 0) {
		error_set(&both, ERROR_NETWORK, "%.900s; %.900s", first->text, second->text);
		*e = both;
	}
}

char *endpoint_guess(struct http *h, const char *host)
{
	char *base;

	if (!http_may_be_plain(h, host) ||
	    asprintf(&base, "%s://%s", http_is_insecure(h, host) ? "https" : "http", host) < 0)
		return NULL;
	return base;
}

char *endpoint_find(struct http *h, const char *host, struct challenge *c, struct error *e)
{
	bool named = http_is_insecure(h, host), found = !http_may_be_plain(h, host);
	const char *scheme[2] = { named ? "https" : "http", named ? "http" : "https" }, *is = "https";
	char *base;

	for (unsigned round = 1; !found; round++) {
		struct error second;
		int first = try(h, is = scheme[0], host, c, e);

		found = first > 0;
		if (!found && e->kind != ERROR_CANCELLED)
			found = try(h, is = scheme[1], host, c, &second) > 0;
		if (!found && e->kind != ERROR_CANCELLED)
			choose_failure(first < 0 ? e : NULL, &second, e);
		if (!found && (e->kind != ERROR_NETWORK || round == ROUNDS ||
		               http_pause(h, round, NULL, e) < 0))
			return NULL;
	}
	if (asprintf(&base, "%s://%s", is, host) < 0) {
		error_memory(e);
		return NULL;
	}
	return base;
}
