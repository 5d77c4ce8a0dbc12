#include "builder/plan/history.h"

#include <inttypes.h>
#include <string.h>

#include "parser/text.h"

static void put_character(FILE *f, const char *at, size_t width, uint32_t c)
{
	static const char named[] = "\a\b\f\n\r\t\v\\\"", letters[] = "abfnrtv\\\"";
	const char *name = c && c < 0x80 ? strchr(named, (int)c) : NULL;

	if (name)
		fprintf(f, "\\%c", letters[name - named]);
	else if (c >= TEXT_NOT_UTF8 || c < ' ' || c == 0x7f)
		fprintf(f, "\\x%02x", *(const unsigned char *)at);
	else if (c >= 0x80 && c < 0xa0)
		fprintf(f, "\\u%04x", (unsigned)c);
	else
		fwrite(at, 1, width, f);
}

static void quote(FILE *f, const char *text)
{
	const char *end = text + strlen(text);

	fputc('"', f);
	while (text < end) {
		uint32_t c;
		size_t width = text_decode(text, end, &c);

		put_character(f, text, width, c);
		text += width;
	}
	fputc('"', f);
}

void history_rune(FILE *f, uint32_t c)
{
	const char byte = (char)c;

	fputc('\'', f);
	if (c == '\'')
		fputs("\\'", f);
	else if (c == '"' || (c >= ' ' && c < 0x7f && c != '\\'))
		fputc((int)c, f);
	else if (c < 0x80)
		put_character(f, &byte, 1, c);
	else
		fprintf(f, c < 0x10000 ? "\\u%04x" : "\\U%08x", (unsigned)c);
	fputc('\'', f);
}

void history_quoted(FILE *f, const char *const *words, size_t count)
{
	fputc('[', f);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc(' ', f);
		quote(f, words[i]);
	}
	fputc(']', f);
}

void history_plain(FILE *f, const char *const *words, size_t count)
{
	fputc('[', f);
	for (size_t i = 0; i < count; i++)
		fprintf(f, i ? " %s" : "%s", words[i]);
	fputc(']', f);
}

/* NS in units of UNIT ns, as a decimal number without zeros at its end. */
static void put_decimal(FILE *f, uint64_t ns, uint64_t unit, const char *name)
{
	uint64_t rest = ns % unit;
	int digits = 0;

	for (uint64_t u = unit; u > 1; u /= 10)
		digits++;
	fprintf(f, "%" PRIu64, ns / unit);
	for (; rest && rest % 10 == 0; rest /= 10)
		digits--;
	if (rest)
		fprintf(f, ".%0*" PRIu64, digits, rest);
	fputs(name, f);
}

void history_duration(FILE *f, int64_t ns)
{
	uint64_t left = ns < 0 ? -(uint64_t)ns : (uint64_t)ns, minutes = left / 60000000000;

	if (ns < 0)
		fputc('-', f);
	if (left == 0) {
		fputs("0s", f);
	} else if (left < 1000) {
		fprintf(f, "%" PRIu64 "ns", left);
	} else if (left < 1000000) {
		put_decimal(f, left, 1000, "µs");
	} else if (left < 1000000000) {
		put_decimal(f, left, 1000000, "ms");
	} else {
		if (minutes >= 60)
			fprintf(f, "%" PRIu64 "h", minutes / 60);
		if (minutes > 0)
			fprintf(f, "%" PRIu64 "m", minutes % 60);
		put_decimal(f, left % 60000000000, 1000000000, "s");
	}
}
