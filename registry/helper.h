/* Credential helpers: docker-credential-NAME, run once for each question.
 *
 * The question goes to its standard input, the answer comes from its standard output; the protocol
 * is credential.c's. What it writes to standard error is part of a failure's text only.
 */
#pragma once
#include "layers/error.h"

/* Run docker-credential-NAME VERB. Returns its exit status (0 to 255) and *ANSWER, which the caller
 * frees, or -1 and E: it is missing, was killed, or did not end in time. */
int helper_run(const char *name, const char *verb, const char *question, char **answer,
               struct error *e);
