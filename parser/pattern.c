#include "parser/pattern.h"

#include <stdint.h>
#include <string.h>
#include "parser/text.h"

/* The character at *P within a class, resolved, and *P moved behind it. Returns false when there is
 * none: the pattern is malformed.
 */
static bool class_character(const char **p, const char *end, uint32_t *c)
{
	if (*p == end || **p == '-' || **p == ']')
		return false;
	if (**p == '\\' && ++*p == end)
		return false;
	*p += text_decode(*p, end, c);
	return *p < end;
}

/* Read the class at *P, move *P behind it, and tell in *HIT whether C is in it. Returns false when
 * the class is malformed; so is a range that ends before it begins: it was meant to hold something.
 */
static bool class_read(const char **p, const char *end, uint32_t c, bool *hit)
{
	bool negated = *p + 1 < end && (*p)[1] == '^', in = false;
	uint32_t low, high;

	*p += 1 + negated;
	for (bool first = true; first || *p == end || **p != ']'; first = false) {
		if (!class_character(p, end, &low))
			return false;
		high = low;
		if (**p == '-') {
			++*p;
			if (!class_character(p, end, &high) || high < low)
				return false;
		}
		in |= low <= c && c <= high;
	}
	++*p;
	*hit = in != negated;
	return true;
}

int pattern_check(const char *pattern, struct syntax_error *e)
{
	const char *p = pattern, *end = pattern + strlen(pattern);
	bool unused, good = true;

	while (good && p < end) {
		if (*p == '[') {
			good = class_read(&p, end, 0, &unused);
		} else if (*p == '\\' && p + 1 == end) {
			good = false;
		} else {
			p += 1 + (*p == '\\');
		}
	}
	if (good)
		return 0;
	return syntax_error_set(e, "syntax error in pattern \"%.200s\"", pattern);
}

size_t pattern_step(const char *at, const char *end, uint32_t c, bool *hit)
{
	const char *p = at;
	uint32_t own;

	switch (*p) {
	case '?':
		*hit = c != '/';
		return 1;
	case '[':
		if (!class_read(&p, end, c, hit))
			*hit = false;
		return p - at;
	case '\\':
		p += p + 1 < end;
		break;
	}
	p += text_decode(p, end, &own);
	*hit = own == c;
	return p - at;
}

bool pattern_match_slice(const char *pattern, size_t pattern_size, const char *text, size_t size)
{
	const char *p = pattern, *p_end = pattern + pattern_size;
	const char *t = text, *t_end = text + size;
	const char *after_star = NULL, *star_text = NULL;
	uint32_t c;

	while (t < t_end) {
		size_t width = text_decode(t, t_end, &c);

		if (p < p_end && *p == '*') {
			after_star = ++p;
			star_text = t;
			continue;
		}
		if (p < p_end) {
			bool hit;
			size_t step = pattern_step(p, p_end, c, &hit);

			if (hit) {
				p += step;
				t += width;
				continue;
			}
		}
		/* The last star takes one character more. Earlier ones need not be asked: what
		 * stands between two stars fits leftmost or nowhere, and no star passes a slash.
		 */
		if (!after_star || *star_text == '/')
			return false;
		star_text += text_decode(star_text, t_end, &c);
		t = star_text;
		p = after_star;
	}
	while (p < p_end && *p == '*')
		p++;
	return p == p_end;
}

bool pattern_match(const char *pattern, const char *path)
{
	return pattern_match_slice(pattern, strlen(pattern), path, strlen(path));
}

bool pattern_is_wild(const char *word)
{
	return word[strcspn(word, "*?[\\")] != '\0';
}
