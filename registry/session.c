#include "registry/session.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/endpoint.h"
#include "registry/url.h"

/* A host that never answered is given up sooner than one that did. */
#define FIRST_ATTEMPTS 3

struct registry {
	struct auth *auth;
	struct reference reference;
	enum registry_access access;
	pthread_mutex_t mutex;  /* guards the rest */
	char *base;             /* "https://host:port", once known */
	char *scope;            /* "repository:a/b:pull ..." */
	size_t scope_own;       /* its length without what was borrowed */
	struct challenge challenge;
	bool reached;
	bool borrows;           /* or did: what it asks for may name lenders, too */
	bool alone;             /* nobody lends to us: no token is given for that */
};

struct registry *registry_open(struct auth *a, const struct reference *to,
                               enum registry_access access, struct error *e)
{
	struct registry *r = calloc(1, sizeof *r);

	if (!r || asprintf(&r->scope, "repository:%s:%s", to->repository,
	                   access == REGISTRY_PUSH ? "pull,push" : "pull") < 0) {
		free(r);
		error_memory(e);
		return NULL;
	}
	r->scope_own = strlen(r->scope);
	r->auth = a;
	r->reference = *to;
	r->access = access;
	pthread_mutex_init(&r->mutex, NULL);
	return r;
}

void registry_close(struct registry *r)
{
	if (!r)
		return;
	challenge_release(&r->challenge);
	pthread_mutex_destroy(&r->mutex);
	free(r->base);
	free(r->scope);
	free(r);
}

const struct reference *registry_reference(const struct registry *r)
{
	return &r->reference;
}

struct auth *session_auth(const struct registry *r)
{
	return r->auth;
}

int session_about(const struct registry *r, const char *which, struct error *e)
{
	return error_context(e, "%s/%s%s%s", r->reference.domain, r->reference.repository,
	                     strchr(which, ':') ? "@" : ":", which);
}

int session_borrow(struct registry *r, const char *repository, struct error *e)
{
	auto_free char *scope = NULL;
	char *longer = NULL;

	if (asprintf(&scope, "repository:%s:pull", repository) < 0) {
		scope = NULL;
		return error_memory(e);
	}
	pthread_mutex_lock(&r->mutex);
	if (r->alone || strstr(r->scope, scope) || asprintf(&longer, "%s %s", r->scope, scope) < 0)
		longer = NULL;
	if (longer) {
		free(r->scope);
		r->scope = longer;
		r->borrows = true;
	}
	pthread_mutex_unlock(&r->mutex);
	return 0;
}

char *session_url(struct registry *r, struct error *e, const char *fmt, ...)
{
	auto_free char *rest = NULL;
	char *url = NULL;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vasprintf(&rest, fmt, ap);
	va_end(ap);
	if (n < 0) {
		rest = NULL;
		error_memory(e);
		return NULL;
	}
	pthread_mutex_lock(&r->mutex);
	if (!r->base)
		r->base = endpoint_find(auth_http(r->auth), reference_host(&r->reference), &r->challenge, e);
	if (r->base && asprintf(&url, "%s/v2/%s/%s", r->base, r->reference.repository, rest) < 0) {
		url = NULL;
		error_memory(e);
	}
	pthread_mutex_unlock(&r->mutex);
	return url;
}

bool session_guess(struct registry *r)
{
	bool guessed;

	pthread_mutex_lock(&r->mutex);
	guessed = !r->base && (r->base = endpoint_guess(auth_http(r->auth),
	                                                reference_host(&r->reference)));
	pthread_mutex_unlock(&r->mutex);
	return guessed;
}

void session_forget(struct registry *r)
{
	pthread_mutex_lock(&r->mutex);
	free(r->base);
	r->base = NULL;
	pthread_mutex_unlock(&r->mutex);
}

/* Both are URLs of ours or checked before. */
static bool same_origin(const char *a, const char *b)
{
	struct error ignored;
	struct url one, other;

	return url_parse(a, &one, &ignored) == 0 && url_parse(b, &other, &ignored) == 0 &&
	       url_same_origin(&one, &other);
}

/* Some token servers refuse all when they refuse one of several: then nothing is borrowed any more
 * (H174). Returns whether E may come of that. */
static bool gives_back(struct registry *r, const struct error *e)
{
	if (e->kind == ERROR_NETWORK || e->kind == ERROR_CANCELLED || !r->borrows)
		return false;
	r->alone = true;
	r->scope[r->scope_own] = '\0';
	free(r->challenge.scope);
	r->challenge.scope = NULL;
	return true;
}

/* An answer to what the registry asked for last; *VALUE is NULL when it asked for nothing. */
static int authorize(struct registry *r, const char *url, const char *rejected, char **value,
                     struct error *e)
{
	struct auth_subject subject = { .repository = &r->reference, .url = url };
	int result = 0;

	*value = NULL;
	pthread_mutex_lock(&r->mutex);
	subject.scope = r->scope;
	if (r->base && same_origin(url, r->base)) {
		result = auth_answer(r->auth, &r->challenge, &subject, rejected, value, e);
		if (result < 0 && gives_back(r, e))
			result = auth_answer(r->auth, &r->challenge, &subject, rejected, value, e);
	}
	pthread_mutex_unlock(&r->mutex);
	return result;
}

/* Remember what A asks for. */
static int learn(struct registry *r, const struct http_response *a, struct error *e)
{
	struct challenge c;

	if (challenge_read(a, &c, e) < 0)
		return -1;
	pthread_mutex_lock(&r->mutex);
	challenge_release(&r->challenge);
	r->challenge = c;
	pthread_mutex_unlock(&r->mutex);
	return 0;
}

/* Q again, at the other host to which we were sent, with a token that everybody can have. */
static int send_as_nobody(struct registry *r, const struct http_request *q,
                          struct http_response *a, struct error *e)
{
	struct auth_subject nobody = { .url = a->url, .scope = "" };
	auto_free char *url = strdup(a->url), *value = NULL;
	struct http_request again = *q;
	struct challenge c;
	int result;

	if (!url)
		return error_memory(e);
	result = challenge_read(a, &c, e);
	if (result == 0)
		result = auth_answer(r->auth, &c, &nobody, NULL, &value, e);
	challenge_release(&c);
	if (result < 0 || !value)
		return result;
	again.url = url;
	again.authorization = value;
	http_release(a);
	return http_send(auth_http(r->auth), &again, a, e);
}

/* ECR says 403, not 401, to a password that has expired; its helper has a new one then (H179). */
static bool is_stale(const struct http_response *a, const struct http_request *q)
{
	return a->status == 403 && q->authorization && strncmp(q->authorization, "Basic ", 6) == 0 &&
	       same_origin(a->url, q->url);
}

/* Q once more if there is another authorization than the one that was refused; else A stays. */
static int send_anew(struct registry *r, struct http_request *q, struct http_response *a,
                     struct error *e)
{
	auto_free char *fresh = NULL;

	if ((a->status == 401 && learn(r, a, e) < 0) ||
	    authorize(r, q->url, q->authorization, &fresh, e) < 0)
		return -1;
	if (!fresh)
		return 0;
	http_release(a);
	q->authorization = fresh;
	return http_send(auth_http(r->auth), q, a, e);
}

int session_send(struct registry *r, const struct http_request *request, struct http_response *a,
                 struct error *e)
{
	auto_free char *value = NULL;
	struct http_request q = *request;
	int result;

	if (authorize(r, q.url, NULL, &value, e) < 0)
		return -1;
	q.authorization = value;
	pthread_mutex_lock(&r->mutex);
	if (!q.attempts && !r->reached)
		q.attempts = FIRST_ATTEMPTS;
	pthread_mutex_unlock(&r->mutex);
	if (http_send(auth_http(r->auth), &q, a, e) < 0)
		return -1;
	pthread_mutex_lock(&r->mutex);
	r->reached = true;
	pthread_mutex_unlock(&r->mutex);
	if (a->status != 401 && !is_stale(a, &q))
		return 0;
	q.attempts = request->attempts;
	result = same_origin(a->url, q.url) ? send_anew(r, &q, a, e) : send_as_nobody(r, &q, a, e);
	if (result < 0)
		http_release(a);
	return result;
}
