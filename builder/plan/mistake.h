/* Mistakes: what is wrong with a Dockerfile, each with its place.
 *
 * Independent ones come together, so that a file with three needs one run and not three; what would
 * only follow from another is not among them. They are kept by line, one for each instruction.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

#include "layers/error.h"
#include "parser/dockerfile.h"

/* As many as the parser reports; whoever made more reads no further. */
#define MISTAKES_MAX DOCKERFILE_ERRORS_MAX

struct mistake {
	int first_line, last_line; /* of the instruction; 0: it is about no line */
	int line, column;          /* the byte it is about, from 1; column 0: all of it */
	struct error error;
};

struct mistakes {
	struct mistake item[MISTAKES_MAX];
	size_t count, unreported;
};

void mistakes_add(struct mistakes *m, const struct mistake *mistake);

/* What the parser found in FILE, in the words that people know. */
void mistakes_add_syntax(struct mistakes *m, const struct dockerfile *file);

/* All of them as one error, whose first line is the first mistake. There is one. Returns -1. */
int mistakes_error(const struct mistakes *m, struct error *e);

/* Each with its lines, of the SIZE bytes of TEXT, which people know as NAME. */
void mistakes_print(const struct mistakes *m, FILE *out, const char *name, const char *text,
                    size_t size);
