#include "parser/deep_pattern.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include "parser/pattern.h"
#include "parser/text.h"

/* The pattern as an automaton: a place is the item in front of which one stands, and behind the
 * last is one more. Sets of places are bits, so that sixty-four ways are gone at once.
 */
enum item_kind {
	ITEM_ONE,               /* a character, '?' or a class */
	ITEM_STAR,              /* any string without a slash */
	ITEM_STRING,            /* "**", any string */
	ITEM_FOLDERS,           /* "**" or "**" and a slash: nothing, or what the next item says */
	ITEM_INSIDE,            /* any string that ends in a slash; always behind ITEM_FOLDERS */
	ITEM_KINDS
};

#define SET_MAX (DEEP_PATTERN_MAX / 64 + 1)
#define ASCII 128

struct item {
	enum item_kind kind;
	const char *at;         /* ITEM_ONE: in the text */
};

struct deep_pattern {
	const char *end;                /* of the text */
	struct item *item;
	size_t count;
	size_t words;                   /* of a set */
	uint64_t *of_kind[ITEM_KINDS];  /* the items of each kind */
	uint64_t *take;                 /* those that stand for a character, a set for each ASCII */
};

static void put(uint64_t *set, size_t place)
{
	set[place / 64] |= UINT64_C(1) << place % 64;
}

/* --- making ---------------------------------------------------------------------------------- */

/* How "**" at AT of PATTERN, which goes on at REST, is meant: as any string, or as folders. */
static bool is_any_string(const char *pattern, const char *at, const char *rest)
{
	return !*rest || (at == pattern && !rest[strcspn(rest, "*?[]\\")]);
}

static void add(struct deep_pattern *deep, enum item_kind kind, const char *at)
{
	deep->item[deep->count++] = (struct item){ kind, at };
}

/* "**" behind "**" says nothing new, or takes over. After this no item that may be nothing stands
 * behind a star, nor folders behind folders: advance counts on it.
 */
static void add_stars(struct deep_pattern *deep, bool any_string)
{
	bool behind = deep->count > 0 && deep->item[deep->count - 1].kind == ITEM_INSIDE;

	if (any_string) {
		deep->count -= behind ? 2 : 0;
		add(deep, ITEM_STRING, NULL);
	} else if (!behind) {
		add(deep, ITEM_FOLDERS, NULL);
		add(deep, ITEM_INSIDE, NULL);
	}
}

static void read_items(struct deep_pattern *deep, const char *pattern)
{
	const char *next;
	bool unused;

	for (const char *p = pattern; p < deep->end; p = next) {
		if (p[0] == '*' && p[1] == '*') {
			next = p + 2 + (p[2] == '/');
			add_stars(deep, is_any_string(pattern, p, next));
		} else if (*p == '*') {
			next = p + 1;
			add(deep, ITEM_STAR, p);
		} else {
			next = p + pattern_step(p, deep->end, 0, &unused);
			add(deep, ITEM_ONE, p);
		}
	}
}

/* The items that stand for C into TAKE, an empty set. */
static void find_takers(const struct deep_pattern *deep, uint32_t c, uint64_t *take)
{
	for (size_t i = 0; i < deep->count; i++) {
		bool hit = false;

		if (deep->item[i].kind == ITEM_ONE)
			pattern_step(deep->item[i].at, deep->end, c, &hit);
		if (hit)
			put(take, i);
	}
}

const struct deep_pattern *deep_pattern_new(struct arena *a, const char *pattern)
{
	struct deep_pattern *deep = arena_array(a, 1, sizeof *deep);
	uint64_t *sets;

	if (!deep)
		return NULL;
	deep->end = pattern + strlen(pattern);
	deep->item = arena_array(a, deep->end - pattern + 1, sizeof *deep->item);
	if (!deep->item)
		return NULL;
	read_items(deep, pattern);
	deep->words = deep->count / 64 + 1;
	sets = arena_array(a, (ITEM_KINDS + ASCII) * deep->words, sizeof *sets);
	if (!sets)
		return NULL;
	for (size_t kind = 0; kind < ITEM_KINDS; kind++, sets += deep->words)
		deep->of_kind[kind] = sets;
	deep->take = sets;
	for (size_t i = 0; i < deep->count; i++)
		put(deep->of_kind[deep->item[i].kind], i);
	for (uint32_t c = 0; c < ASCII; c++)
		find_takers(deep, c, deep->take + c * deep->words);
	return deep;
}

/* --- matching -------------------------------------------------------------------------------- */

/* One character on, which the items in TAKE stand for: from the places in NOW to those in THEN,
 * with those that are reached from there on no character. FIRST is 1 to begin with the first place.
 */
static void advance(const struct deep_pattern *deep, const uint64_t *now, uint64_t *then,
                    const uint64_t *take, bool slash, uint64_t first)
{
	const uint64_t *star = deep->of_kind[ITEM_STAR], *string = deep->of_kind[ITEM_STRING];
	const uint64_t *folders = deep->of_kind[ITEM_FOLDERS], *inside = deep->of_kind[ITEM_INSIDE];
	uint64_t carry = first;

	for (size_t i = 0; i < deep->words; i++) {
		uint64_t go = now[i] & (take[i] | (slash ? inside[i] : 0));
		uint64_t stay = now[i] & (string[i] | inside[i] | (slash ? 0 : star[i]));
		uint64_t here = stay | go << 1 | carry;
		uint64_t entered = here & folders[i], passed;

		here |= entered << 1 | entered << 2;
		passed = here & (star[i] | string[i]);
		then[i] = here | passed << 1;
		carry = (go | entered | passed) >> 63 | entered >> 62;
	}
}

static bool has_any(const uint64_t *set, size_t words)
{
	for (size_t i = 0; i < words; i++) {
		if (set[i])
			return true;
	}
	return false;
}

enum answer deep_pattern_ask(const struct deep_pattern *deep, const char *path)
{
	uint64_t sets[3][SET_MAX] = { 0 }, *now = sets[0], *then = sets[1], *wide = sets[2];
	const uint64_t last = UINT64_C(1) << deep->count % 64;
	const char *end = path + strlen(path);
	uint32_t wide_is = 0;           /* the character that WIDE was found for */
	size_t width = 1;

	advance(deep, then, now, wide, false, 1);
	for (const char *at = path; width > 0; at += width) {
		uint64_t *old = now;
		uint32_t c = '/';

		width = text_decode(at, end, &c);
		if (c == '/' && at > path && now[deep->words - 1] & last)
			return YES;
		if (c >= ASCII && c != wide_is) {
			memset(wide, 0, sizeof sets[2]);
			find_takers(deep, c, wide);
			wide_is = c;
		}
		advance(deep, now, then, c < ASCII ? deep->take + c * deep->words : wide, c == '/',
		        0);
		now = then;
		then = old;
	}
	return has_any(now, deep->words) ? BELOW : NO;
}
