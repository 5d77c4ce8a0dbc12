/* Wildcards of COPY and ADD sources: Go's filepath.Match.
 *
 * '*' any characters but '/'; '?' one character but '/'; [a-z] [^a-z] classes; '\' takes the next
 * character as it is. The pattern must match all of the path.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "parser/syntax_error.h"

/* Returns 0, or -1 and E ("syntax error in pattern") when PATTERN is malformed. */
int pattern_check(const char *pattern, struct syntax_error *e);

/* Whether PATTERN, which pattern_check has accepted, matches PATH. Linear in their product. */
bool pattern_match(const char *pattern, const char *path);

/* The same for slices. A class reads only its own slice. */
bool pattern_match_slice(const char *pattern, size_t pattern_size, const char *text, size_t size);

/* Whether WORD has a wildcard: one of * ? [ or an escape. */
bool pattern_is_wild(const char *word);

/* The part of a pattern at AT that stands for one character: its size in bytes, and in *HIT whether
 * C may be that character. '*' is none of its business.
 */
size_t pattern_step(const char *at, const char *end, uint32_t c, bool *hit);
