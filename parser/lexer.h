/* From bytes to logical lines: parser directives, comments, continuations. */
#pragma once
#include <stdbool.h>
#include "parser/dockerfile.h"
#include "parser/text.h"

struct lexer {
	const char *at, *end;
	int line;                       /* how many have been read */
	struct dockerfile *file;        /* receives the directives; has the memory */
	int mark_size;                  /* of a byte order mark in front of the first line */
	bool directives_done;
	bool is_script;                 /* it begins with "#!": escape is then a comment */
	struct words comments;          /* those that the next instruction gets */
};

struct logical_line {
	const char *text;               /* joined; no blanks in front, those at the end are there */
	size_t size;
	int first_line, last_line;
	int column;                     /* of its first character */
	const struct joint *joint;
	size_t joint_count;
	int empty_line;                 /* first blank one inside; 0: none */
	struct words comments;
};

/* Make ready to read SIZE bytes of TEXT. */
void lexer_start(struct lexer *l, struct dockerfile *file, const char *text, size_t size);

/* Read the next line that is no comment. Returns 1, 0 at the end, or -1 and E with its line, after
 * which reading may go on.
 */
int lexer_next(struct lexer *l, struct logical_line *line, struct syntax_error *e);

/* Read one physical line, such as one of a here-document, WITH_END its line end. Returns 1, 0 at
 * the end, or -1 and E when it is too long, which has been passed by.
 */
int lexer_raw(struct lexer *l, struct slice *with_end, struct syntax_error *e);

/* The line without LF and CR at its end. */
struct slice lexer_without_end(struct slice line);
