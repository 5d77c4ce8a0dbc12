#include "builder/command/listing.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "builder/command/template.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"

/* As docker's: a column is at least 10 wide, and 3 blanks follow the widest cell. */
#define COLUMN_MIN 10
#define COLUMN_GAP 3
#define COLUMNS_MAX 32

static char *unescape(const char *format)
{
	char *text = strdup(format), *out = text;

	for (const char *p = format; text && *p; p++) {
		if (p[0] == '\\' && (p[1] == 't' || p[1] == 'n'))
			*out++ = *++p == 't' ? '\t' : '\n';
		else
			*out++ = *p;
	}
	if (text)
		*out = '\0';
	return text;
}

/* Characters, not bytes. */
static size_t width_of(const char *text, size_t size)
{
	size_t width = 0;

	for (size_t i = 0; i < size; i++)
		width += ((unsigned char)text[i] & 0xc0) != 0x80;
	return width;
}

/* TEXT is lines of cells with tabs after all but the last. */
static void print_aligned(const char *text, FILE *out)
{
	size_t width[COLUMNS_MAX] = { 0 }, column = 0;

	for (const char *p = text; *p;) {
		size_t size = strcspn(p, "\t\n"), w = width_of(p, size);

		if (p[size] == '\t' && column < COLUMNS_MAX && w > width[column])
			width[column] = w;
		column = p[size] == '\t' ? column + 1 : 0;
		p += size + (p[size] != '\0');
	}
	column = 0;
	for (const char *p = text; *p;) {
		size_t size = strcspn(p, "\t\n"), w = width_of(p, size), wide = COLUMN_MIN;

		fwrite(p, size, 1, out);
		if (p[size] == '\t' && column < COLUMNS_MAX) {
			if (width[column] + COLUMN_GAP > wide)
				wide = width[column] + COLUMN_GAP;
			fprintf(out, "%*s", (int)(wide - w), "");
		}
		if (p[size] == '\n')
			fputc('\n', out);
		column = p[size] == '\t' ? column + 1 : 0;
		p += size + (p[size] != '\0');
	}
}

static int print_json(const json_t *rows, FILE *out, struct error *e)
{
	json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		auto_free char *text = json_text_sorted(row, NULL);

		if (!text)
			return error_memory(e);
		fprintf(out, "%s\n", text);
	}
	return 0;
}

static int print_rows(const json_t *rows, const json_t *headings, const char *template, FILE *out,
                      struct error *e)
{
	json_t *row;
	size_t i;

	if (headings) {
		if (template_write(template, headings, out, e) < 0)
			return -1;
		fputc('\n', out);
	}
	json_array_foreach(rows, i, row) {
		if (template_write(template, row, out, e) < 0)
			return -1;
		fputc('\n', out);
	}
	return 0;
}

int listing_print(const json_t *rows, const json_t *headings, const char *format,
                  const char *usual, FILE *out, struct error *e)
{
	auto_free char *template = unescape(!format || strcmp(format, "table") == 0 ? usual : format);
	auto_free char *text = NULL;
	size_t size;
	FILE *f;
	int result;

	if (!template)
		return error_memory(e);
	if (strcmp(template, "json") == 0)
		return print_json(rows, out, e);
	if (strncmp(template, "table ", 6) != 0)
		return print_rows(rows, NULL, template, out, e);
	f = memory_stream_open(&text, &size);
	if (!f)
		return error_memory(e);
	result = print_rows(rows, headings, template + 6, f, e);
	if (fclose(f) != 0 && result == 0)
		result = error_memory(e);
	if (result == 0)
		print_aligned(text, out);
	return result;
}
