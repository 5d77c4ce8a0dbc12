/* Endpoints: under which scheme a registry answers.
 *
 * https, without asking. Only hosts that http_may_be_plain are asked with GET /v2/ first, without
 * credentials: loopback by http and then https, those named insecure the other way round.
 */
#pragma once
#include "layers/error.h"
#include "registry/challenge.h"
#include "registry/http.h"

/* What endpoint_find would try first, where it has to try; NULL: there it is https, or memory is out.
 * The caller frees it. */
char *endpoint_guess(struct http *h, const char *host);

/* The base URL of HOST ("http://localhost:5000"), which the caller frees, or NULL and E. C receives
 * the challenge if one was met on the way, else stays. */
char *endpoint_find(struct http *h, const char *host, struct challenge *c, struct error *e);
