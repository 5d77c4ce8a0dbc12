/* Here-documents: <<EOF, <<-EOF, 3<<"EOF". */
#pragma once
#include "parser/lexer.h"

/* Read WORD as the opener of a here-document into DOC, of which only the body lacks. Returns 1, 0
 * when it is no opener, or -1 and E.
 */
int heredoc_opener(struct arena *a, const char *word, struct heredoc *doc, struct syntax_error *e);

/* Read the bodies of all here-documents that LINE opens, in their order. Returns 0, or -1 and E
 * with the column in LINE of the opener: its document does not end before the file does.
 */
int heredoc_read(struct lexer *l, const char *line, struct heredocs *docs, struct syntax_error *e);
