/* Which build checks are wanted: the value of "# check=" and of --build-arg
 * BUILDKIT_DOCKERFILE_CHECK, as in "skip=JSONArgsRecommended,StageNameCasing;error=true".
 *
 * Rules are names; which there are is not known here.
 * Source: Dockerfile reference, "Parser directives", check.
 */
#pragma once
#include <stdbool.h>
#include "parser/syntax_error.h"

struct check {
	const char *skip;               /* comma list or "all", ended by ';' or NUL; NULL: none */
	const char *experimental;       /* likewise */
	bool error;                     /* findings fail the build */
};

/* Take TEXT apart. CHECK borrows TEXT and needs no release.
 * Returns 0, or -1 and E: an unknown key, or a value of error= that is no boolean.
 */
int check_parse(const char *text, struct check *check, struct syntax_error *e);

/* Whether CHECK silences RULE. */
bool check_skips(const struct check *check, const char *rule);

/* Whether CHECK asks for the experimental RULE. */
bool check_wants(const struct check *check, const char *rule);
