#include "builder/safe_text.h"

#include <stdlib.h>
#include <string.h>

/* How many bytes of a well-formed UTF-8 character, that is no control character, stand at S; 0 when
 * there is none. RFC 3629, section 4. */
static size_t character(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, length;
	} forms[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, /* from U+00A0 on: C1 controls are before */
		{ 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return s[0] == '\t' || (s[0] >= ' ' && s[0] != 0x7f);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
			continue;
		if (size < forms[i].length || s[1] < forms[i].second_low ||
		    s[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* The length of the SGR sequence at S ("\e[1;31m"), or 0. */
static size_t colour_sequence(const unsigned char *s, size_t size)
{
	size_t i = 2;

	if (size < 3 || s[0] != 0x1b || s[1] != '[')
		return 0;
	while (i < size && i < 32 && (s[i] == ';' || (s[i] >= '0' && s[i] <= '9')))
		i++;
	return i < size && s[i] == 'm' ? i + 1 : 0;
}

void safe_text(FILE *out, const char *bytes, size_t size)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t plain = 0, i = 0;

	while (i < size) {
		size_t n = character(s + i, size - i);

		if (n) {
			i += n;
			continue;
		}
		fwrite_unlocked(s + plain, 1, i - plain, out);
		n = colour_sequence(s + i, size - i);
		if (!n && s[i] == '\n')
			fputs_unlocked("\\n", out);
		else if (!n)
			fprintf(out, "\\x%02x", s[i]);
		i += n ? n : 1;
		plain = i;
	}
	fwrite_unlocked(s + plain, 1, size - plain, out);
}

char *safe_copy(const char *text)
{
	char *copy = NULL;
	size_t size;
	FILE *f = open_memstream(&copy, &size);

	if (!f)
		return NULL;
	safe_text(f, text, strlen(text));
	if (fclose(f) != 0) {
		free(copy);
		return NULL;
	}
	return copy;
}
