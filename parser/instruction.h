/* One logical line to one typed instruction, in two steps, since what is between them differs: the
 * line is split, then here-documents are read where the split line may open them, then its parts
 * are given their meaning. For ONBUILD the second step is taken when it is triggered.
 */
#pragma once
#include <stdbool.h>
#include "parser/lexer.h"

struct form;                            /* what a keyword's line looks like */

/* An instruction being taken apart. */
struct reading {
	struct arena *memory;
	char escape;
	const struct form *form;
	struct instruction *to;
	const char *line;               /* the logical line with the blanks at its end */
	struct words words;             /* the arguments, where the form has words */
	bool json;                      /* ... and they stood in a JSON list */
	const struct form *trigger;     /* ONBUILD: of what follows; NULL when it is not known */
	const char *at;                 /* what E is about, in the logical line; NULL: all */
	struct syntax_error *e;         /* may be NULL: nobody reads it */
};

/* Split LINE. Returns 0 with the fields of R->to set that all instructions have, or -1 and R->e. */
int instruction_split(struct reading *r, const struct logical_line *line);

/* Whether the split line may open here-documents. */
bool instruction_takes_heredocs(const struct reading *r);

/* Fill in the rest of R->to. Returns 0, or -1 and R->e. */
int instruction_type(struct reading *r);
