/* Answers: what a registry says when it refuses.
 *
 * Its words come from outside: control characters are left out, length is bounded.
 * Source: OCI distribution-spec 1.1, "Error Codes".
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"
#include "registry/http.h"

/* Set E from R's status and words, and return -1: ERROR_DENIED for 401 and 403, ERROR_NOT_FOUND for
 * 404, ERROR_NETWORK where another attempt may help, else ERROR_INPUT. */
int answer_error(const struct http_response *r, struct error *e);

/* The same for a first request about a repository. Registries do not say whether it is missing or
 * only not for us (H161); E says both, as docker does. */
int answer_no_access(const struct http_response *r, struct error *e);

/* Is CODE ("BLOB_UNKNOWN") among the codes of R's errors? */
bool answer_has(const struct http_response *r, const char *code);

/* A web page is no registry's answer, whatever its status: a portal, a proxy, a wrong host. */
bool answer_is_page(const struct http_response *r);
int answer_page(struct error *e); /* say so, and return -1 */

/* The same where only the status counts: Quay says "OK" and "true" as text/html. */
bool answer_shows_page(const struct http_response *r);
