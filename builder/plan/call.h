/* --check and --call: what a Dockerfile is like, told instead of built.
 *
 *     check     the findings of the build checks, each with its lines, and what is wrong with the
 *               file, if anything is
 *     outline   the build args, secrets and ssh agents that the target takes
 *     targets   the stages that can be built
 *     subrequests.describe    which of these there are
 *
 * As text for people or as JSON, in the form that docker buildx has.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "builder/plan/plan.h"

struct call {
	const char *what;               /* one of these names */
	bool json;
	const char *name;               /* of the Dockerfile, for people */
	const char *text;               /* its SIZE bytes */
	size_t size;
	const struct dockerfile *file;
	const struct plan *plan;        /* NULL: there is none; most need none */
	const struct mistakes *mistakes; /* what is wrong with FILE by itself or as a plan */
};

/* Print what CALL asks for. Returns the status to exit with: 0, or 1 when there are findings or a
 * mistake that the report tells of. -1 and E when there is nothing to report on. */
int call_print(const struct call *call, FILE *out, struct error *e);

