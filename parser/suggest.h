/* "Did you mean": the option nearest to a word that was not understood. */
#pragma once
#include <stddef.h>
#include "parser/syntax_error.h"

/* The first of the COUNT OPTIONS within two edits (Levenshtein) and nearest to WORD, or NULL, also
 * when WORD is one of them: then the mistake is another.
 */
const char *suggestion(const char *word, const char *const *options, size_t count);

/* Add " (did you mean X?)" to the text of E when there is a suggestion. Returns -1. */
int suggest(struct syntax_error *e, const char *word, const char *const *options, size_t count);
