/* Excerpts: the lines of a Dockerfile that a message is about, with their neighbours.
 *
 *     Dockerfile:2
 *     --------------------
 *        1 |     FROM alpine
 *        2 | >>> RUN make
 *        3 |     COPY . /src
 *     --------------------
 *
 * A single line is shown with two lines on each side, several with one. Source: BuildKit.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Lines FIRST to LAST, from 1, of the SIZE bytes of TEXT, which people know as NAME. Nothing when
 * there is no such line. */
void excerpt_print(FILE *out, const char *name, const char *text, size_t size, int first, int last);

/* The same for one LINE, with a caret below COLUMN: a byte of that line, from 1; 0: no caret. */
void excerpt_point(FILE *out, const char *name, const char *text, size_t size, int line,
                   int column);
