#include "registry/login.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/answer.h"
#include "registry/credential.h"
#include "registry/endpoint.h"

/* REGISTRY, as people write it ("https://ghcr.io/", "", "index.docker.io"), to the domain of a
 * reference. */
static int domain_of(const char *registry, struct reference *r, struct error *e)
{
	auto_free char *text = NULL;
	const char *host = registry ? registry : "";

	if (strncmp(host, "https://", 8) == 0)
		host += 8;
	else if (strncmp(host, "http://", 7) == 0)
		host += 7;
	if (!*host)
		host = "docker.io";
	/* The repository does not matter; with it the grammar takes the first part as a domain. */
	if (asprintf(&text, "%.*s/login/login", (int)strcspn(host, "/"), host) < 0) {
		text = NULL;
		return error_memory(e);
	}
	if (reference_parse(text, r, e) < 0 || strcmp(r->repository, "login/login") != 0)
		return error_set(e, ERROR_INPUT, "\"%.200s\" is no registry", registry);
	return 0;
}

/* GET /v2/ with VALUE as authorization: 1 is welcome, 0 is not, C what it asks for; -1 and E. */
static int knock(struct http *h, const char *url, const char *value, struct challenge *c,
                 struct error *e)
{
	struct http_request q = HTTP_REQUEST("GET", url);
	struct http_response a;
	int result = 1;

	q.authorization = value;
	if (http_send(h, &q, &a, e) < 0)
		return -1;
	if (a.status == 401) {
		challenge_release(c);
		result = challenge_read(&a, c, e);
	}
	if (result >= 0 && a.status != 200) {
		answer_error(&a, e);
		result = a.status == 401 ? 0 : -1;
	} else if (result > 0 && answer_shows_page(&a)) {
		result = answer_page(e);
	}
	http_release(&a);
	return result;
}

static int verify(struct auth *a, const struct reference *r, const char *user,
                  const char *password, struct error *e)
{
	struct credential credential = { .user = (char *)user, .password = (char *)password };
	struct challenge c = { 0 };
	auto_free char *base = endpoint_find(auth_http(a), reference_host(r), &c, e);
	auto_free char *url = NULL, *value = NULL;
	int result = -1;

	if (base && asprintf(&url, "%s/v2/", base) < 0) {
		url = NULL;
		error_memory(e);
	}
	if (url)
		result = knock(auth_http(a), url, NULL, &c, e);
	if (result == 0) {
		result = auth_try(a, &c, url, &credential, &value, e);
		if (result == 0)
			result = knock(auth_http(a), url, value, &c, e);
		if (result == 0)
			result = -1;
	}
	challenge_release(&c);
	return result < 0 ? -1 : 0;
}

int login(struct auth *a, const char *registry, const char *user, const char *password,
          struct error *e)
{
	struct reference r;

	if (domain_of(registry, &r, e) < 0)
		return -1;
	if (!*user || strchr(user, ':'))
		return error_set(e, ERROR_INPUT, "log in to %s: a user name is not empty and has no colon",
		                 r.domain);
	if (verify(a, &r, user, password, e) < 0)
		return error_context(e, "log in to %s", r.domain);
	return credential_keep(auth_config(a), r.domain, user, password, e);
}

int logout(struct auth *a, const char *registry, struct error *e)
{
	struct reference r;

	if (domain_of(registry, &r, e) < 0)
		return -1;
	return credential_forget(auth_config(a), r.domain, e);
}
