/* What is wrong with a text, and where.
 *
 * The parser's own error: it knows lines, not files, so whoever opened the file puts its name in
 * front. It lives on the caller's stack or in a struct dockerfile and owns nothing.
 *
 * Texts quote what was found, cut to fit and with control characters shown as '?', so that a
 * hostile file cannot speak to the terminal.
 */
#pragma once
#include <stdbool.h>

struct syntax_error {
	int line;                       /* from 1; 0 when the caller alone knows the line */
	int last_line;                  /* where it ends; 0: on the same line */
	int column;                     /* byte in that line, from 1; 0 for the whole of it */
	int column_line;                /* the line that COLUMN is in; 0: LINE */
	char text[256];                 /* for people; has no file name or line number */
	bool unset;                     /* ${name:?}: nothing is wrong but that NAME has no value */
};

/* Say what is wrong. E may be NULL. Returns -1. */
int syntax_error_set(struct syntax_error *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
