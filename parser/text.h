/* Characters of UTF-8 text, independent of any locale.
 *
 * Bytes that are not UTF-8 pass as characters of their own, above all others, so that what cannot
 * be understood is still handed on unchanged.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_NOT_UTF8 0x110000          /* plus the byte */

/* A part of a text that somebody else owns. */
struct slice {
	const char *at, *end;
};

/* The character at AT, before END, in *C. Returns its width in bytes, 0 at END. */
size_t text_decode(const char *at, const char *end, uint32_t *c);

/* The width of the blank at AT, as Unicode and Go's unicode.IsSpace see it; 0 when it is none. */
size_t text_blank(const char *at, const char *end);

/* Whether C may be in a variable's name: a letter, a digit or '_'. */
bool text_in_name(uint32_t c);

/* S without blanks at its ends. */
struct slice text_trim(struct slice s);
struct slice text_trim_left(struct slice s);

/* Compare without regard to the case of ASCII letters. */
bool text_same(const char *a, const char *b);
