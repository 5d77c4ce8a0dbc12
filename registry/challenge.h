/* Challenges: what a registry asks for in the WWW-Authenticate headers of a 401.
 *
 * Source: RFC 9110, section 11; distribution-spec authentication, token.md.
 */
#pragma once
#include "layers/error.h"
#include "registry/http.h"

enum auth_scheme { AUTH_NONE, AUTH_BASIC, AUTH_BEARER };

struct challenge {
	enum auth_scheme scheme;
	char *realm, *service, *scope; /* AUTH_BEARER; service and scope may be NULL */
};

/* The best of R's headers: Bearer before Basic. What is not understood is AUTH_NONE. */
int challenge_read(const struct http_response *r, struct challenge *c, struct error *e);

/* One header's value, which may hold several; C keeps what it has if that is as good. */
int challenge_parse(const char *value, struct challenge *c, struct error *e);
void challenge_release(struct challenge *c);
