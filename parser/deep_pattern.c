#include "parser/deep_pattern.h"

#include <stdint.h>
#include <string.h>
#include "parser/pattern.h"
#include "parser/text.h"

/* A place in the pattern is the item in front of which one stands; behind the last is one more. */
enum item_kind {
	ITEM_CHARACTER,
	ITEM_CLASS,             /* [a-z], and '?' */
	ITEM_STAR,              /* any string without a slash */
	ITEM_STRING,            /* "**", any string */
	ITEM_FOLDERS,           /* "**" or "**" and a slash: nothing, or what the next item says */
	ITEM_FOLDERS_INSIDE,    /* any string that ends in a slash; always behind ITEM_FOLDERS */
};

struct item {
	enum item_kind kind;
	uint32_t c;             /* ITEM_CHARACTER */
	const char *at;         /* ITEM_CLASS */
};

struct deep_pattern {
	const char *end;        /* of the text */
	size_t count;
	struct item *item;
};

/* How "**" at AT of PATTERN, which goes on at REST, is meant: as any string, or as folders. */
static bool is_any_string(const char *pattern, const char *at, const char *rest)
{
	return !*rest || (at == pattern && !rest[strcspn(rest, "*?[]\\")]);
}

const struct deep_pattern *deep_pattern_new(struct arena *a, const char *pattern)
{
	struct deep_pattern *deep = arena_array(a, 1, sizeof *deep);
	const char *next;
	bool unused;

	if (!deep)
		return NULL;
	deep->end = pattern + strlen(pattern);
	deep->item = arena_array(a, deep->end - pattern + 1, sizeof *deep->item);
	if (!deep->item)
		return NULL;
	for (const char *p = pattern; p < deep->end; p = next) {
		struct item *item = &deep->item[deep->count++];

		if (p[0] == '*' && p[1] == '*') {
			next = p + 2 + (p[2] == '/');
			item->kind = ITEM_STRING;
			if (!is_any_string(pattern, p, next)) {
				item->kind = ITEM_FOLDERS;
				deep->item[deep->count++].kind = ITEM_FOLDERS_INSIDE;
			}
		} else if (*p == '*') {
			next = p + 1;
			item->kind = ITEM_STAR;
		} else {
			next = p + pattern_step(p, deep->end, 0, &unused);
			item->kind = *p == '?' || *p == '[' ? ITEM_CLASS : ITEM_CHARACTER;
			item->at = p;
			text_decode(p + (*p == '\\' && p + 1 < deep->end), deep->end, &item->c);
		}
	}
	return deep;
}

/* Whether ITEM, which stands for one character, may be C. */
static bool takes(const struct deep_pattern *deep, const struct item *item, uint32_t c)
{
	bool hit = c == item->c;

	if (item->kind == ITEM_CLASS)
		pattern_step(item->at, deep->end, c, &hit);
	return hit;
}

/* One character C on: from the places in NOW to those in THEN, with those that are reached from
 * there on no character. No way leads back, so that one pass finds all.
 */
static void advance(const struct deep_pattern *deep, const bool *now, bool *then, uint32_t c)
{
	for (size_t i = 0; i < deep->count; i++) {
		const struct item *item = &deep->item[i];

		if (!now[i] && !then[i])
			continue;
		switch (item->kind) {
		case ITEM_CHARACTER:
		case ITEM_CLASS:
			then[i + 1] |= now[i] && takes(deep, item, c);
			break;
		case ITEM_STAR:
			then[i] |= now[i] && c != '/';
			then[i + 1] |= then[i];
			break;
		case ITEM_STRING:
			then[i + 1] = then[i] = true;
			break;
		case ITEM_FOLDERS:
			then[i + 1] |= then[i];
			then[i + 2] |= then[i];
			break;
		case ITEM_FOLDERS_INSIDE:
			then[i] = true;
			then[i + 1] |= now[i] && c == '/';
			break;
		}
	}
}

enum answer deep_pattern_ask(const struct deep_pattern *deep, const char *path)
{
	bool places[2][DEEP_PATTERN_MAX + 2] = { 0 }, *now = places[0], *then = places[1];
	size_t count = deep->count + 1, width = 1;
	const char *end = path + strlen(path);

	now[0] = true;
	advance(deep, then, now, 0);
	for (const char *at = path; width > 0; at += width) {
		bool *old = now;
		uint32_t c = '/';

		width = text_decode(at, end, &c);
		if (c == '/' && at > path && now[count - 1])
			return YES;
		memset(then, 0, count);
		advance(deep, now, then, c);
		now = then;
		then = old;
	}
	return memchr(now, true, count) ? BELOW : NO;
}
