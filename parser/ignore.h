/* .dockerignore: which paths are left out.
 *
 * Rules are read in order and the last one that matches a path, or a folder above it, decides; one
 * that begins with '!' takes the path back in. A pattern is matched against the whole path from the
 * root of the context: '*' and '?' stay within one part of the path, "**" is any number of parts,
 * [a-z] is a class and '\' takes the next character as it is. Nothing matches the root itself.
 * COPY --exclude and --parents use the same patterns.
 *
 * Time: a look-up costs what a rule's text and the path cost together, times their parts, whatever
 * the pattern: nothing backtracks.
 *
 * Paths are relative to the root, clean (no "./", no "//", no slash at the end) and end in NUL.
 * Threads: rules do not change once made and may be shared.
 * Source: Dockerfile reference, ".dockerignore file"; moby/patternmatcher.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "parser/syntax_error.h"

struct ignore;                          /* opaque: the rules */

struct ignore_rule {
	const char *text;               /* the pattern as written, trimmed, with its '!' */
	int line;                       /* where it is written; 0 when it came from a flag */
	bool exception;                 /* it begins with '!' */
};

/* Read a .dockerignore of SIZE bytes. Returns the rules, perhaps none, or NULL and E with its line.
 * Free with ignore_free.
 */
struct ignore *ignore_parse(const char *text, size_t size, struct syntax_error *e);

/* Make rules of PATTERNS, as of COPY --exclude: one that begins with a slash matches nothing, for
 * what it is held against does not. Returns NULL and E when one is malformed.
 */
struct ignore *ignore_from_patterns(const char *const *patterns, size_t count,
                                    struct syntax_error *e);

void ignore_free(struct ignore *rules);

/* The name of the file that they are from, for messages: ".dockerignore" until another is set, which
 * is copied. False: memory is out.
 */
bool ignore_set_file(struct ignore *rules, const char *name);
const char *ignore_file(const struct ignore *rules);

/* The rule that decides about PATH, or NULL when none matches. PATH is left out when there is one
 * and it is no exception.
 */
const struct ignore_rule *ignore_match(const struct ignore *rules, const char *path);

/* Whether PATH is left out: the question that ignore_match is mostly asked for. */
static inline bool ignore_excludes(const struct ignore *rules, const char *path)
{
	const struct ignore_rule *rule = ignore_match(rules, path);

	return rule && !rule->exception;
}

/* Whether something below FOLDER, which is left out, may be taken back in: walk it only then. May
 * say yes when no such path exists, never no when one does.
 */
bool ignore_may_keep_below(const struct ignore *rules, const char *folder);

/* Whether any rule is an exception. */
bool ignore_has_exceptions(const struct ignore *rules);
