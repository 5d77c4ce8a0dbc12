#include "parser/substitute.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* In patterns, beyond all characters. */
#define ANY_CHARACTER 0x200000
#define ANY_STRING 0x200001

struct characters {
	uint32_t *item;
	size_t count;
};

static size_t width(uint32_t c)
{
	return c < 0x80 || c >= TEXT_NOT_UTF8 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

static int decode(const char *text, struct characters *to, struct syntax_error *e)
{
	const char *end = text + strlen(text);

	to->count = 0;
	to->item = reallocarray(NULL, end - text + 1, sizeof *to->item);
	if (!to->item)
		return syntax_error_set(e, "out of memory");
	while (text < end)
		text += text_decode(text, end, &to->item[to->count++]);
	return 0;
}

/* Decode PATTERN and resolve its wildcards and escapes. */
static int compile(const char *pattern, struct characters *to, struct syntax_error *e)
{
	size_t n = 0;

	if (decode(pattern, to, e) < 0)
		return -1;
	for (size_t i = 0; i < to->count; i++) {
		uint32_t c = to->item[i];

		if (c == '\\') {
			c = ++i < to->count ? to->item[i] : '\0';
			if (!c || c >= 0x80 || !strchr("*?\\}/", c)) {
				free(to->item);
				return syntax_error_set(e, "invalid pattern (%.100s) in "
				                           "substitution: invalid escape", pattern);
			}
		} else if (c == '*') {
			c = ANY_STRING;
		} else if (c == '?') {
			c = ANY_CHARACTER;
		}
		to->item[n++] = c;
	}
	to->count = n;
	return 0;
}

static void reverse(struct characters *s)
{
	for (size_t i = 0, j = s->count; i + 1 < j; i++) {
		uint32_t c = s->item[i];

		s->item[i] = s->item[--j];
		s->item[j] = c;
	}
}

/* Whether the part FROM..TO of P, which has no ANY_STRING, stands in S at AT. */
static bool stands(const struct characters *p, size_t from, size_t to, const struct characters *s,
                   size_t at)
{
	if (to - from > s->count - at)
		return false;
	for (; from < to; from++, at++) {
		if (p->item[from] != s->item[at] && p->item[from] != ANY_CHARACTER)
			return false;
	}
	return true;
}

enum match { MATCH, NO_MATCH, NO_MATCH_FROM_HERE_ON };

/* Match P at AT. Between its ANY_STRINGs the parts of P are placed leftmost, which leaves most room
 * for the rest; the last one goes to the right when the LONGEST match is wanted.
 */
static enum match match_at(const struct characters *p, const struct characters *s, size_t at,
                           bool longest, size_t *end)
{
	size_t from = 0, to = 0;

	while (to < p->count && p->item[to] != ANY_STRING)
		to++;
	if (!stands(p, from, to, s, at))
		return NO_MATCH;
	at += to;
	while (to < p->count) {
		bool last;

		from = ++to;
		while (to < p->count && p->item[to] != ANY_STRING)
			to++;
		last = to == p->count;
		if (last && longest) {
			size_t right = s->count - at >= to - from ? s->count - (to - from) : at;

			while (right > at && !stands(p, from, to, s, right))
				right--;
			at = right;
		} else {
			while (at < s->count && !stands(p, from, to, s, at))
				at++;
		}
		if (!stands(p, from, to, s, at))
			return NO_MATCH_FROM_HERE_ON;
		at += to - from;
	}
	*end = at;
	return MATCH;
}

int substitute_trim(const char *pattern, const char *value, bool back, bool longest,
                    struct slice *kept, struct syntax_error *e)
{
	struct characters p, s;
	size_t end, size = strlen(value), cut = 0;

	if (compile(pattern, &p, e) < 0)
		return -1;
	if (decode(value, &s, e) < 0) {
		free(p.item);
		return -1;
	}
	if (back) {
		reverse(&p);
		reverse(&s);
	}
	if (match_at(&p, &s, 0, longest, &end) == MATCH) {
		for (size_t i = 0; i < end; i++)
			cut += width(s.item[i]);
	}
	free(p.item);
	free(s.item);
	*kept = back ? (struct slice){ value, value + size - cut }
	             : (struct slice){ value + cut, value + size };
	return 0;
}

struct output {
	char *item;
	size_t count, capacity, limit;
};

static int put(struct output *out, const char *text, size_t size, struct syntax_error *e)
{
	if (size > out->limit - out->count)
		return syntax_error_set(e, "the value is too long: it grows by more than 1 MiB");
	if (out->count + size + 1 > out->capacity) {
		size_t capacity = 2 * (out->count + size + 32);
		char *item = realloc(out->item, capacity);

		if (!item)
			return syntax_error_set(e, "out of memory");
		out->item = item;
		out->capacity = capacity;
	}
	memcpy(out->item + out->count, text, size);
	out->count += size;
	out->item[out->count] = '\0';
	return 0;
}

/* Write VALUE, whose characters are S, with matches of P replaced by WORD. An empty match directly
 * behind another does not count.
 */
static int replace(const struct characters *p, const struct characters *s, const char *value,
                   const char *word, bool all, struct output *out, struct syntax_error *e)
{
	size_t end, previous_end = SIZE_MAX;
	bool done = false;

	for (size_t at = 0;;) {
		enum match found = done ? NO_MATCH : match_at(p, s, at, true, &end);
		size_t n;

		done |= found == NO_MATCH_FROM_HERE_ON;
		if (found == MATCH && (end > at || at != previous_end)) {
			bool empty = end == at;

			if (put(out, word, strlen(word), e) < 0)
				return -1;
			for (; at < end; at++)
				value += width(s->item[at]);
			previous_end = end;
			done = !all;
			if (!empty)
				continue;
		}
		if (at == s->count)
			return put(out, "", 0, e);
		n = width(s->item[at++]);
		if (put(out, value, n, e) < 0)
			return -1;
		value += n;
	}
}

char *substitute_replace(const char *pattern, const char *value, const char *word, bool all,
                         size_t limit, size_t *size, struct syntax_error *e)
{
	struct output out = { .limit = limit };
	struct characters p, s;
	int status;

	if (compile(pattern, &p, e) < 0)
		return NULL;
	if (decode(value, &s, e) < 0) {
		free(p.item);
		return NULL;
	}
	status = replace(&p, &s, value, word, all, &out, e);
	free(p.item);
	free(s.item);
	if (status < 0) {
		free(out.item);
		return NULL;
	}
	*size = out.count;
	return out.item;
}
