/* --chmod: a mode in octal, or changes to one in letters.
 *
 * Octal is 0 to 7777 and replaces the mode. Letters are chmod(1)'s with a umask of 0: clauses like
 * "u=rwX,go-w" one after the other, each upon what the one before it made of the file's own mode.
 *
 * Source: Dockerfile reference, "COPY --chmod"; POSIX chmod.
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"

struct copy_mode {
	bool given;
	bool octal;
	unsigned bits;     /* octal */
	const char *text;  /* letters, lent */
};

/* TEXT may be NULL: no --chmod. ERROR_INPUT in BuildKit's words. */
int copy_mode_parse(const char *text, struct copy_mode *m, struct error *e);

/* What becomes of MODE. */
unsigned copy_mode_apply(const struct copy_mode *m, unsigned mode, bool is_dir);
