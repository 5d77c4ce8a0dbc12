/* Authorization: what a registry asks for, made from the user's credentials.
 *
 * Credentials belong to a host. They leave for that host, and for the token server that the host
 * itself names when that is a sibling of it (realm.h), and for nobody else. Credentials and tokens
 * never stand in an error. Logging in and out is login.h's.
 *
 * Threads: a struct auth may be shared.
 * Source: distribution-spec authentication (token.md, oauth.md), RFC 7235.
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"
#include "registry/challenge.h"
#include "registry/credential.h"
#include "registry/http.h"
#include "registry/reference.h"

struct auth;

/* CONFIG is the folder of config.json; NULL: $DOCKER_CONFIG, else ~/.docker. Nothing is read until
 * a registry asks for credentials. */
struct auth *auth_open(struct http *h, const char *config, struct error *e);
void auth_close(struct auth *a);
struct http *auth_http(struct auth *a);
const char *auth_config(const struct auth *a);

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

/* The same with CREDENTIAL, which nobody has kept yet; URL is the registry's. ERROR_DENIED when it
 * is refused. */
int auth_try(struct auth *a, const struct challenge *c, const char *url,
             const struct credential *credential, char **value, struct error *e);
