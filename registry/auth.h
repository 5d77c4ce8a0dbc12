/* Authorization: what a registry asks for, made from the user's credentials.
 *
 * Credentials belong to a host. They leave for that host, and for the token server that the host
 * itself names when that is a sibling of it (the rule is at auth_realm_is_trusted), and for nobody
 * else. Credentials and tokens never stand in an error.
 *
 * Threads: a struct auth may be shared.
 * Source: distribution-spec authentication (token.md, oauth.md), RFC 7235.
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"
#include "registry/http.h"
#include "registry/reference.h"

struct auth;

/* CONFIG is the folder of config.json; NULL: $DOCKER_CONFIG, else ~/.docker. Nothing is read until
 * a registry asks for credentials. */
struct auth *auth_open(struct http *h, const char *config, struct error *e);
void auth_close(struct auth *a);
struct http *auth_http(struct auth *a);

/* What one registry asked for in its last 401. */
enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct challenge {
	enum auth_scheme scheme;
	char *realm, *service, *scope;  /* AUTH_BEARER; service and scope may be NULL */
	bool insufficient_scope;
};

/* The best of R's WWW-Authenticate headers: Bearer before Basic. What is not understood is
 * AUTH_NONE. */
int challenge_read(const struct http_response *r, struct challenge *c, struct error *e);
/* One header's value, which may hold several challenges. */
int challenge_parse(const char *value, struct challenge *c, struct error *e);
void challenge_release(struct challenge *c);

/* For whom an authorization is made. */
struct auth_subject {
	const struct reference *repository; /* whose credentials; NULL: nobody's (a host to which a
	                                     * redirect led), so tokens are anonymous */
	const char *url;                    /* a URL of the host that sent the challenge */
	const char *scope;                  /* "repository:a/b:pull repository:c/d:pull"; "" for none */
};

/* The value of an Authorization header that answers C. The caller frees it; *VALUE is NULL when
 * there are no credentials for a Basic challenge, and for AUTH_NONE. REJECTED (may be NULL) is a
 * value that was refused with 401: it is not given again; helpers are asked anew.
 * ERROR_DENIED when the token server refuses, ERROR_INPUT when config.json is broken. */
int auth_answer(struct auth *a, const struct challenge *c, const struct auth_subject *subject,
                const char *rejected, char **value, struct error *e);

/* May credentials of the registry HOST be sent to a token server at REALM_HOST? Same host;
 * a sibling under one domain that is no public suffix (auth.docker.io, gitlab.example.com for
 * registry.example.com); a known pair; or named in $CAIRN_TOKEN_HOSTS. (H037) */
bool auth_realm_is_trusted(const char *host, const char *realm_host);

/* Verify USER and PASSWORD at the registry of REGISTRY (a domain; "" or NULL is Docker Hub), then
 * keep them (credential.h). */
int auth_login(struct auth *a, const char *registry, const char *user, const char *password,
               struct error *e);
/* Forget them. ERROR_NOT_FOUND when there are none. */
int auth_logout(struct auth *a, const char *registry, struct error *e);
