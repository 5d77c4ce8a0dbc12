/* JSON: the exec form, ["word", "word"], and {"syntax": "frontend"}. */
#pragma once
#include "parser/arena.h"
#include "parser/dockerfile.h"

/* Read TEXT as a list of strings into WORDS, decoded, in memory of A.
 *
 * Returns 1, or 0 when TEXT is not a JSON list and so is meant otherwise, or -1 and E: a list of
 * something else than strings, whose column is the first of them, or a string that cannot be passed
 * to a program.
 */
int json_words(struct arena *a, const char *text, struct words *words, struct syntax_error *e);

/* The string that the JSON object TEXT has for NAME, decoded, in memory of A; NULL when TEXT is no
 * JSON object, or NAME is not there or no string.
 */
const char *json_member(struct arena *a, const char *text, const char *name);
