#include "parser/json.h"

#include <string.h>
#include "parser/text.h"
#include "parser/words.h"

/* Lists in lists are an error anyway; how deep one looks to tell them from a shell command. */
#define DEPTH_MAX 100

static const char *blanks(const char *p)
{
	return p + strspn(p, " \t\r\n");
}

/* The value of the four hex digits at P, or -1. */
static int hex4(const char *p)
{
	int value = 0;

	for (int i = 0; i < 4; i++) {
		char c = p[i];
		int digit = c >= '0' && c <= '9' ? c - '0' :
		            c >= 'a' && c <= 'f' ? c - 'a' + 10 :
		            c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;

		if (digit < 0)
			return -1;
		value = value * 16 + digit;
	}
	return value;
}

static char *utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = c;
		return out;
	}
	if (c < 0x800) {
		*out++ = 0xc0 | c >> 6;
	} else {
		if (c < 0x10000) {
			*out++ = 0xe0 | c >> 12;
		} else {
			*out++ = 0xf0 | c >> 18;
			*out++ = 0x80 | (c >> 12 & 0x3f);
		}
		*out++ = 0x80 | (c >> 6 & 0x3f);
	}
	*out++ = 0x80 | (c & 0x3f);
	return out;
}

/* Decode the \uXXXX at *P, with the second half of a pair, and move *P behind it. A half alone is
 * U+FFFD, as in Go. Returns the character, or -1 when it is no such escape.
 */
static int32_t unicode_escape(const char **p)
{
	int high = hex4(*p + 2), low;

	if (high < 0)
		return -1;
	*p += 6;
	if (high < 0xd800 || high > 0xdfff)
		return high;
	if (high <= 0xdbff && (*p)[0] == '\\' && (*p)[1] == 'u') {
		low = hex4(*p + 2);
		if (low >= 0xdc00 && low <= 0xdfff) {
			*p += 6;
			return 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
		}
	}
	return 0xfffd;
}

/* The string at P, whose decoded bytes go to *OUT with a NUL behind them; *OUT may be NULL. Returns
 * what follows the string, or NULL when it is malformed. HAS_NUL is set when it has "\u0000".
 */
static const char *string(const char *p, char **out, bool *has_nul)
{
	static const char escapes[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
	char unused[4], *o = *out;

	for (p++; *p != '"';) {
		const char *known;
		int32_t c;

		if ((unsigned char)*p < ' ')
			return NULL;
		if (!*out)
			o = unused;
		if (*p != '\\') {
			*o++ = *p++;
		} else if (p[1] == 'u') {
			c = unicode_escape(&p);
			if (c < 0)
				return NULL;
			*has_nul |= c == 0;
			o = utf8(o, c);
		} else {
			known = p[1] ? strchr(escapes, p[1]) : NULL;
			if (!known)
				return NULL;
			*o++ = meant[known - escapes];
			p += 2;
		}
	}
	if (*out) {
		*o++ = '\0';
		*out = o;
	}
	return p + 1;
}

static const char *number(const char *p)
{
	static const char digits[] = "0123456789";
	size_t n;

	p += *p == '-';
	n = strspn(p, digits);
	if (n == 0 || (*p == '0' && n > 1))
		return NULL;
	p += n;
	if (*p == '.') {
		n = strspn(++p, digits);
		if (n == 0)
			return NULL;
		p += n;
	}
	if (*p == 'e' || *p == 'E') {
		p++;
		p += *p == '+' || *p == '-';
		n = strspn(p, digits);
		if (n == 0)
			return NULL;
		p += n;
	}
	return p;
}

/* Returns what follows the value at P, or NULL when it is not JSON. */
static const char *skip_value(const char *p, int depth)
{
	char open = *p, close = open == '[' ? ']' : '}', *nowhere = NULL;
	bool has_nul = false;

	if (open == '"')
		return string(p, &nowhere, &has_nul);
	if (strncmp(p, "true", 4) == 0 || strncmp(p, "null", 4) == 0)
		return p + 4;
	if (strncmp(p, "false", 5) == 0)
		return p + 5;
	if (open != '[' && open != '{')
		return number(p);
	p = blanks(p + 1);
	if (*p == close)
		return p + 1;
	for (; depth < DEPTH_MAX; p = blanks(p + 1)) {
		if (open == '{') {
			p = *p == '"' ? string(p, &nowhere, &has_nul) : NULL;
			p = p ? blanks(p) : NULL;
			if (!p || *p != ':')
				return NULL;
			p = blanks(p + 1);
		}
		p = skip_value(p, depth + 1);
		if (!p)
			return NULL;
		p = blanks(p);
		if (*p == close)
			return p + 1;
		if (*p != ',')
			return NULL;
	}
	return NULL;
}

static int not_strings(const char *text, const char *at, struct syntax_error *e)
{
	syntax_error_set(e, "when using JSON array syntax, arrays must be comprised of strings only");
	if (e)
		e->column = at - text + 1;
	return -1;
}

int json_words(struct arena *a, const char *text, struct words *words, struct syntax_error *e)
{
	struct slice trimmed = text_trim_left((struct slice){ text, text + strlen(text) });
	bool has_nul = false;
	const char *p;
	char *out;

	*words = (struct words){ 0 };
	if (*trimmed.at != '[')
		return 0;
	p = skip_value(trimmed.at, 0);
	if (!p || *blanks(p))
		return 0;
	/* It is a list, well formed: what follows need not look for other mistakes. No escape is
	 * shorter than what it stands for.
	 */
	out = arena_text(a, trimmed.at, trimmed.end - trimmed.at);
	if (!out)
		return -1;
	for (p = blanks(trimmed.at + 1); *p != ']';) {
		if (*p != '"')
			return not_strings(text, p, e);
		if (words_add(a, words, out) < 0)
			return -1;
		p = blanks(string(p, &out, &has_nul));
		if (*p == ',')
			p = blanks(p + 1);
	}
	if (has_nul)
		return syntax_error_set(e, "a JSON string has the character \\u0000, "
		                           "which no program can be given");
	return 1;
}

const char *json_member(struct arena *a, const char *text, const char *name)
{
	const char *p = blanks(text), *end = *p == '{' ? skip_value(p, 0) : NULL;
	char *key, *value, *out;
	bool has_nul = false;

	if (!end || *blanks(end))
		return NULL;
	out = arena_text(a, p, end - p);
	for (p = blanks(p + 1); out && *p == '"'; p = blanks(p)) {
		key = out;
		p = blanks(blanks(string(p, &out, &has_nul)) + 1);
		value = out;
		if (*p == '"' && strcmp(key, name) == 0)
			return string(p, &out, &has_nul) && !has_nul ? value : NULL;
		p = blanks(skip_value(p, 0));
		p += *p == ',';
		out = key;
	}
	return NULL;
}
