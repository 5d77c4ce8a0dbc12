/* Expansion: the value of a word, given a way to look a name up.
 *
 *     $name ${name} ${name:-word} ${name-word} ${name:+word} ${name+word} ${name:?word}
 *     ${name?word} ${name#pattern} ${name##pattern} ${name%pattern} ${name%%pattern}
 *     ${name/pattern/word} ${name//pattern/word}        and quotes '..', "..", escapes
 *
 * Inner words nest, to EXPANSION_DEPTH_MAX. What comes out of a variable is final: dollars and
 * quotes in it are not looked at again. In patterns * is any string and ? any character.
 *
 * Source: Dockerfile reference, "Environment replacement"; BuildKit, frontend/dockerfile/shell.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "parser/syntax_error.h"

/* People nest three levels; a hostile file must not choose how much stack we use. */
#define EXPANSION_DEPTH_MAX 200
/* How much longer than the word its value may be: ENV a=$a$a, forty times over, ends here. Linux
 * takes 128 KiB for one variable, but LABEL and here-documents are not bound by that.
 */
#define EXPANSION_GROWTH_MAX (1 << 20)

struct expansion {
	/* The value of NAME or NULL when it is unset; called once for each use, also where a
	 * default steps in, so it is the place to notice undefined variables. The value must stay
	 * until the expansion returns.
	 */
	const char *(*lookup)(void *names, const char *name);
	void *names;
	char escape;                    /* struct dockerfile's */
};

/* The value of WORD: variables replaced, quotes and escapes removed.
 * Returns it, yours to free, or NULL and E, whose column is the byte of WORD where the variable or
 * the quote begins that is wrong.
 */
char *expand(const char *word, const struct expansion *how, struct syntax_error *e);

/* The same for the body of a here-document of COPY or ADD: quotes are ordinary characters, and an
 * escape before any character leaves that character.
 */
char *expand_document(const char *body, const struct expansion *how, struct syntax_error *e);

/* TEXT to be shown, its variables replaced: quotes and escapes stay, and so does what has no value,
 * a whole ${name:-word} where NAME has none.
 */
char *expand_shown(const char *text, const struct expansion *how, struct syntax_error *e);

/* The same for EXPOSE: blanks outside quotes, also those that come out of a variable, separate
 * words. Returns a NULL-terminated array in one piece with its strings: free it with one free.
 * COUNT may be NULL.
 */
char **expand_words(const char *text, const struct expansion *how, size_t *count,
                    struct syntax_error *e);

/* The words of TEXT as a shell sees them, with no variable known: those stay as written. The escape
 * is a backslash; RAW leaves quotes and escapes in the words. For finding here-documents.
 */
char **expand_nothing(const char *text, bool raw, size_t *count, struct syntax_error *e);
