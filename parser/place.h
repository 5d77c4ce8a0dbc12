/* Where in its file a part of an instruction stands, so that a message can point at it.
 *
 * An instruction keeps its logical line, in which continued lines are joined, and where the joints
 * are. What is not there as it was typed, because quotes were removed or variables replaced, is
 * looked for as far as it goes.
 */
#pragma once
#include "parser/dockerfile.h"

struct place {
	int line, column;               /* from 1; the column is a byte of the line */
};

/* The place of AT, a byte of IN->text; NULL: of the keyword. */
struct place instruction_place(const struct instruction *in, const char *at);

/* The byte of IN->text behind the keyword where WORD stands, or NULL. One that stands alone, as a
 * word or the value of a flag, is preferred. COLUMN, from 1, asks for a byte within WORD, as errors
 * about words have it; 0 is its beginning.
 */
const char *instruction_find(const struct instruction *in, const char *word, int column);
