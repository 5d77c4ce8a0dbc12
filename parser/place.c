#include "parser/place.h"

#include <string.h>
#include "parser/words.h"

struct place instruction_place(const struct instruction *in, const char *at)
{
	struct place place = { in->first_line, in->column };
	size_t offset = at ? at - in->text : 0;

	place.column += offset;
	for (size_t i = 0; i < in->joint_count && in->joint[i].offset <= offset; i++) {
		place.line = in->joint[i].line;
		place.column = offset - in->joint[i].offset + 1;
	}
	return place;
}

/* The first WORD of SIZE bytes in TEXT, or the first that stands ALONE; NULL: there is none. */
static const char *find(const char *text, const char *word, size_t size, bool alone)
{
	for (const char *p = text; (p = strstr(p, word)); p++) {
		bool begins = p == text || strchr("\t\v\f\r =,'\"[", p[-1]);
		bool ends = !p[size] || strchr("\t\v\f\r ,'\"]", p[size]);

		if (!alone || (begins && ends))
			return p;
	}
	return NULL;
}

static const char *find_best(const char *text, const char *word)
{
	size_t size = strlen(word);
	const char *found = size > 0 ? find(text, word, size, true) : NULL;

	return found || size == 0 ? found : find(text, word, size, false);
}

const char *instruction_find(const struct instruction *in, const char *word, int column)
{
	size_t skip = column > 0 ? column - 1 : 0;
	const char *arguments = words_blank(in->text), *found = find_best(arguments, word);
	char part[64];
	size_t size;

	if (found || skip >= strlen(word))
		return found ? found + skip : NULL;
	size = strcspn(word + skip, ",= \t'\"\\");
	if (size >= sizeof part)
		size = sizeof part - 1;
	memcpy(part, word + skip, size);
	part[size] = '\0';
	return find_best(arguments, part);
}
