#include "builder/plan/excerpt.h"

#include <stdbool.h>
#include <string.h>

#include "builder/safe_text.h"

#define RULE "--------------------\n"

/* Cut the next line off TEXT; false behind the last. What follows the last line end is a line too,
 * perhaps an empty one. */
static bool next_line(const char **text, const char *end, const char **line, size_t *size)
{
	const char *stop;

	if (!*text)
		return false;
	stop = memchr(*text, '\n', (size_t)(end - *text));
	*line = *text;
	*size = (size_t)((stop ? stop : end) - *text);
	*text = stop ? stop + 1 : NULL;
	if (*size > 0 && (*line)[*size - 1] == '\r')
		--*size;
	return true;
}

/* Below the byte COLUMN of LINE; tabs stay tabs, so that it stands there at any tab width. */
static void print_caret(FILE *out, const char *line, size_t size, int column)
{
	fputs("     |     ", out);
	for (size_t i = 0; i + 1 < (size_t)column && i < size; i++)
		if (line[i] == '\t')
			fputc('\t', out);
		else if (((unsigned char)line[i] & 0xc0) != 0x80)
			fputc(' ', out);
	fputs("^\n", out);
}

static int count_lines(const char *text, size_t size)
{
	int count = 1;

	for (const char *at = text; (at = memchr(at, '\n', (size_t)(text + size - at))); at++)
		count++;
	return count;
}

static void print(FILE *out, const char *name, const char *text, size_t size, int first, int last,
                  int column)
{
	const char *end = text + size, *line;
	int around = last > first ? 1 : 2, number = 0;
	size_t length;

	if (first < 1 || first > count_lines(text, size))
		return;
	fprintf(out, "%s:%d\n" RULE, name, first);
	while (next_line(&text, end, &line, &length) && ++number <= last + around) {
		bool meant = number >= first && number <= last;

		if (number < first - around)
			continue;
		fprintf(out, " %3d | %s ", number, meant ? ">>>" : "   ");
		safe_text(out, line, length);
		fputc('\n', out);
		if (meant && column > 0)
			print_caret(out, line, length, column);
	}
	fputs(RULE, out);
}

void excerpt_print(FILE *out, const char *name, const char *text, size_t size, int first, int last)
{
	print(out, name, text, size, first, last < first ? first : last, 0);
}

void excerpt_point(FILE *out, const char *name, const char *text, size_t size, int line,
                   int column)
{
	print(out, name, text, size, line, line, column);
}
