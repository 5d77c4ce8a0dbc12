#include "parser/text.h"

#include <string.h>
#include <strings.h>

size_t text_decode(const char *at, const char *end, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)at;
	size_t width;
	uint32_t value;

	if (at == end)
		return 0;
	*c = p[0];
	if (p[0] < 0x80)
		return 1;
	*c = TEXT_NOT_UTF8 + p[0];
	width = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	if (p[0] < 0xc2 || p[0] > 0xf4 || (size_t)(end - at) < width)
		return 1;
	value = p[0] & (0xff >> (width + 1));
	for (size_t i = 1; i < width; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 1;
		value = value << 6 | (p[i] & 0x3f);
	}
	if (value < least[width] || value > 0x10ffff || (value >= 0xd800 && value <= 0xdfff))
		return 1;
	*c = value;
	return width;
}

size_t text_blank(const char *at, const char *end)
{
	uint32_t c;
	size_t width;

	if (at == end)
		return 0;
	if ((unsigned char)*at < 0x80)
		return *at == ' ' || (*at >= '\t' && *at <= '\r');
	width = text_decode(at, end, &c);
	switch (c) {
	case 0x85: case 0xa0: case 0x1680: case 0x2028: case 0x2029: case 0x202f: case 0x205f:
	case 0x3000:
		return width;
	default:
		return c >= 0x2000 && c <= 0x200a ? width : 0;
	}
}

/* Beyond ASCII: what is no letter, by blocks. The few letters among symbols and the few symbols
 * among letters do not matter to anybody's Dockerfile, and Unicode's own table has 700 rows.
 */
static const struct {
	uint32_t first, last;
} no_letters[] = {
	{ 0x80, 0xa9 },         { 0xab, 0xb4 },         { 0xb6, 0xb9 }, /* Latin-1 */
	{ 0xbb, 0xbf },         { 0xd7, 0xd7 },         { 0xf7, 0xf7 },
	{ 0x2c2, 0x2c5 },       { 0x2d2, 0x2df },       { 0x300, 0x36f },   /* accents */
	{ 0x2000, 0x2070 },     { 0x2074, 0x207e },     { 0x2080, 0x208f }, /* general */
	{ 0x20a0, 0x2101 },     { 0x2190, 0x2bff },                         /* signs */
	{ 0x2e00, 0x2fff },     { 0x3000, 0x3004 },     { 0x3007, 0x3030 }, /* CJK */
	{ 0xd800, 0xf8ff },     { 0xfe00, 0xfe6f },     { 0xff00, 0xff0f }, /* private */
	{ 0xff1a, 0xff20 },     { 0xff3b, 0xff40 },     { 0xff5b, 0xff65 }, /* wide */
	{ 0xffe0, 0xffff },     { 0x1f000, 0x1fbef },   { 0xe0000, UINT32_MAX },
};

bool text_in_name(uint32_t c)
{
	if (c < 0x80)
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		       c == '_';
	for (size_t i = 0; i < sizeof no_letters / sizeof *no_letters; i++) {
		if (c >= no_letters[i].first && c <= no_letters[i].last)
			return false;
	}
	return true;
}

struct slice text_trim_left(struct slice s)
{
	for (size_t n; (n = text_blank(s.at, s.end)) > 0; s.at += n)
		;
	return s;
}

struct slice text_trim(struct slice s)
{
	s = text_trim_left(s);
	while (s.end > s.at) {
		const char *last = s.end - 1;

		while (last > s.at && s.end - last < 4 && (*last & 0xc0) == 0x80)
			last--;
		if (text_blank(last, s.end) != (size_t)(s.end - last))
			break;
		s.end = last;
	}
	return s;
}

bool text_same(const char *a, const char *b)
{
	return strcasecmp(a, b) == 0;
}
