/* Excerpts: the lines of a Dockerfile that a message is about, with their neighbours.
 *
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM alpine
 *        2 | >>> RUN make
 *        3 |     COPY . /src
 *     --------------------
 *
 * A single line is shown with two lines on each side, several with one. Where the place in the line
 * is known, a caret stands below it. Source: BuildKit, but for the caret.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Lines FIRST to LAST, from 1, of the SIZE bytes of TEXT, which people know as NAME. Nothing when
 * there is no such line. */
void excerpt_print(FILE *out, const char *name, const char *text, size_t size, int first, int last);

/* The same with a caret below COLUMN, a byte of LINE, from 1; 0: no caret. */
struct excerpt {
	int first, last;
	int line, column;
};
void excerpt_point(FILE *out, const char *name, const char *text, size_t size,
                   const struct excerpt *what);
