/* The patterns within ${name#pattern}, ${name%pattern} and ${name/pattern/word}.
 *
 * '*' is any string, '?' any character, '\' before * ? \ } / makes them ordinary; there are no
 * classes. Source: BuildKit, frontend/dockerfile/shell.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "parser/syntax_error.h"
#include "parser/text.h"

/* Take the shortest match, or the LONGEST, of PATTERN off the front of VALUE or off its BACK. KEPT
 * is the part of VALUE that stays. Returns 0, or -1 and E.
 */
int substitute_trim(const char *pattern, const char *value, bool back, bool longest,
                    struct slice *kept, struct syntax_error *e);

/* VALUE with the first match of PATTERN, or ALL, replaced by WORD. Returns it with its SIZE, at
 * most LIMIT, yours to free, or NULL and E.
 */
char *substitute_replace(const char *pattern, const char *value, const char *word, bool all,
                         size_t limit, size_t *size, struct syntax_error *e);
