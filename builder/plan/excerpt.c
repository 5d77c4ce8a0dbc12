#include "builder/plan/excerpt.h"

#include <stdbool.h>
#include <string.h>

#include "builder/safe_text.h"

#define RULE "--------------------\n"
/* Of a line of 64 KiB nobody sees more. */
#define LINE_SHOWN_MAX 1000

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
	if (size >= 3 && column > 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) { /* has no width */
		line += 3;
		size -= 3;
		column -= 3;
	}
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

static void print_line(FILE *out, const char *line, size_t size)
{
	bool cut = size > LINE_SHOWN_MAX;

	safe_text(out, line, cut ? LINE_SHOWN_MAX : size);
	fputs(cut ? "...\n" : "\n", out);
}

void excerpt_point(FILE *out, const char *name, const char *text, size_t size,
                   const struct excerpt *what)
{
	const char *end = text + size, *line;
	int last = what->last < what->first ? what->first : what->last;
	int around = last > what->first ? 1 : 2, number = 0;
	size_t length;

	if (what->first < 1 || what->first > count_lines(text, size))
		return;
	fprintf(out, "%s:%d\n" RULE, name, what->first);
	while (next_line(&text, end, &line, &length) && ++number <= last + around) {
		bool meant = number >= what->first && number <= last;

		if (number < what->first - around)
			continue;
		fprintf(out, " %3d | %s ", number, meant ? ">>>" : "   ");
		print_line(out, line, length);
		if (number == what->line && what->column > 0 && what->column <= LINE_SHOWN_MAX)
			print_caret(out, line, length, what->column);
	}
	fputs(RULE, out);
}

void excerpt_print(FILE *out, const char *name, const char *text, size_t size, int first, int last)
{
	excerpt_point(out, name, text, size, &(struct excerpt){ first, last, 0, 0 });
}
