/* Sessions: the inside of struct registry, for the files that make its requests.
 *
 * A session knows where the registry answers and what it asked for, and adds to each request the
 * authorization that it wants.
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"
#include "registry/auth.h"
#include "registry/http.h"
#include "registry/registry.h"

struct auth *session_auth(const struct registry *r);

/* "BASE/v2/REPOSITORY/" and what FMT says; the caller frees it. NULL and E when the registry does
 * not answer. */
char *session_url(struct registry *r, struct error *e, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The registry's requests go to where it probably answers, which nobody has asked. False: that is known,
 * or nothing is probable. session_forget: it was wrong. */
bool session_guess(struct registry *r);
void session_forget(struct registry *r);

/* http_send with authorization. A 401, and a 403 to a password, is answered once with a fresh one
 * if there is one; a 401 that comes from another host, after a redirect, with a token for nobody
 * (H152). What is refused even so is R's. */
int session_send(struct registry *r, const struct http_request *q, struct http_response *a,
                 struct error *e);

/* Tokens asked for from now on also allow to read REPOSITORY, unless the token server gives none
 * for that. */
int session_borrow(struct registry *r, const char *repository, struct error *e);

/* Put "domain/repository:tag" or "domain/repository@digest" in front of E. Returns -1. */
int session_about(const struct registry *r, const char *which, struct error *e);
