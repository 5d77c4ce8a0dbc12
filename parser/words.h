/* Lists of words, and the three ways in which instructions split their text into them. */
#pragma once
#include "parser/arena.h"
#include "parser/dockerfile.h"
#include "parser/text.h"

/* Append ITEM. Returns 0, or -1 when memory ran out. */
int words_add(struct arena *a, struct words *words, const char *item);

/* Split TEXT, which is trimmed, at blanks of ASCII; quotes have no meaning. */
int words_split(struct arena *a, const char *text, struct words *words);

/* Split TEXT at blanks outside quotes and not behind an escape. Quotes and escapes stay in the
 * words, but for an escape as the very last character.
 */
int words_split_quoted(struct arena *a, const char *text, char escape, struct words *words);

/* Take the words starting "--" off the front of TEXT, quotes and escapes removed. Returns the rest,
 * a part of TEXT, or NULL when memory ran out. A lone "--" ends them and is dropped.
 */
const char *words_split_flags(struct arena *a, const char *text, char escape, struct words *flags);

/* Where in the same TEXT flag N begins, counted from 0. */
const char *words_flag(const char *text, char escape, size_t n);

/* The first blank of ASCII in TEXT, or its end; and the first that is none. */
const char *words_blank(const char *text);
const char *words_past_blanks(const char *text);
