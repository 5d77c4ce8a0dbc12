/* Patterns with "**" inside a part of a path, as in "a**b" or "**.log".
 *
 * Those of ignore.h in which "**" is a part of its own are matched part by part there; these odd
 * ones are matched character by character, all ways at once.
 *
 * Time: pattern times path, so the pattern's length has a ceiling.
 */
#pragma once
#include "parser/arena.h"

#define DEEP_PATTERN_MAX 1024

struct deep_pattern;

/* What a pattern says of a path: that it matches the path or a folder above, that it does not, or
 * that it may match something below.
 */
enum answer { NO, YES, BELOW };

/* PATTERN, which pattern_check has accepted and which is not longer than DEEP_PATTERN_MAX, made
 * ready in memory of A; it is borrowed. NULL when memory ran out.
 */
const struct deep_pattern *deep_pattern_new(struct arena *a, const char *pattern);

enum answer deep_pattern_ask(const struct deep_pattern *pattern, const char *path);
