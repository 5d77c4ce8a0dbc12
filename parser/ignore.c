#include "parser/ignore.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "parser/arena.h"
#include "parser/deep_pattern.h"
#include "parser/pattern.h"
#include "parser/text.h"

/* A rule's pattern is cut at its slashes. Parts match one part of a path each, but for "**", which
 * matches any number. Odd patterns, with "**" inside a part, are deep_pattern.h's.
 */
enum part_kind {
	PART_LITERAL,
	PART_BEGINS,                    /* "Docker*": a literal and one star */
	PART_ENDS,                      /* "*.log" */
	PART_WILD,
	PART_DEEP,
};

struct part {
	enum part_kind kind;
	const char *at;
	size_t size;
};

struct rule {
	struct ignore_rule public;
	const char *pattern;            /* clean, without '!' and the slash in front */
	struct part *part;
	size_t count;
	const struct deep_pattern *deep;        /* of an odd pattern; else NULL */
};

/* A rule without wildcards, or one part of that kind behind "**": these are looked up and not tried
 * one by one. Lists of 100,000 files to leave out are made by machines.
 */
struct literal {
	uint64_t hash;                  /* so that a miss seldom looks at the text */
	const char *text;
	size_t size;
	bool anywhere;                  /* behind "**" */
	size_t rule;                    /* the last one of this text */
};

struct ignore {
	struct rule *item;
	size_t count, capacity;
	struct literal *literal;        /* sorted */
	size_t literal_count;
	size_t *other;                  /* the rules that are not among them, in order */
	size_t other_count;
	size_t exceptions;
	const char *file;               /* NULL: the usual one */
	struct arena *memory;
};

/* --- making rules ---------------------------------------------------------------------------- */

/* Write PATTERN clean to OUT, which has room for it: no empty parts, no ".", ".." resolved where
 * there is something to go up from, no slash at the ends. Source: Go's path/filepath.Clean.
 */
static void clean(struct slice pattern, char *out)
{
	bool rooted = pattern.at < pattern.end && *pattern.at == '/';
	char *start = out, *o = out;

	for (const char *at = pattern.at, *end; at < pattern.end; at = end + 1) {
		size_t size;
		char *last;

		end = memchr(at, '/', pattern.end - at);
		if (!end)
			end = pattern.end;
		size = end - at;
		if (size == 0 || (size == 1 && *at == '.'))
			continue;
		last = memrchr(start, '/', o - start);
		last = last ? last : start;
		if (size == 2 && at[0] == '.' && at[1] == '.') {
			bool above = o == start || (o - last >= 2 && memcmp(o - 2, "..", 2) == 0 &&
			                            (o - 2 == start || o[-3] == '/'));

			if (!above) {
				o = last;
				continue;
			}
			if (rooted)
				continue;
		}
		if (o > start)
			*o++ = '/';
		memmove(o, at, size);
		o += size;
	}
	*o = '\0';
}

static bool is_wild(const char *at, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		if (strchr("*?[\\", at[i]))
			return true;
	}
	return false;
}

static enum part_kind kind_of(const char *at, size_t size)
{
	if (!is_wild(at, size))
		return PART_LITERAL;
	if (size == 2 && memcmp(at, "**", 2) == 0)
		return PART_DEEP;
	if (*at == '*' && !is_wild(at + 1, size - 1))
		return PART_ENDS;
	return at[size - 1] == '*' && !is_wild(at, size - 1) ? PART_BEGINS : PART_WILD;
}

static bool is_odd(const char *at, size_t size)
{
	const char *stars = memmem(at, size, "**", 2);

	return stars && size > 2;
}

/* Where the part at AT ends: at a slash outside classes, or END. An escaped slash is a slash. */
static const char *part_end(const char *at, const char *end)
{
	for (bool hit; at < end && *at != '/';) {
		if (at[0] == '\\' && at[1] == '/')
			return at;
		at += *at == '*' ? 1 : pattern_step(at, end, 0, &hit);
	}
	return at;
}

static int cut(struct arena *memory, struct rule *rule, bool *odd)
{
	const char *end = rule->pattern + strlen(rule->pattern);
	size_t most = 1;

	for (const char *p = rule->pattern; p < end; p++)
		most += *p == '/';
	rule->part = arena_array(memory, most, sizeof *rule->part);
	if (!rule->part)
		return -1;
	for (const char *at = rule->pattern; at < end;) {
		struct part *part = &rule->part[rule->count++];

		part->at = at;
		at = part_end(at, end);
		part->size = at - part->at;
		part->kind = kind_of(part->at, part->size);
		*odd |= is_odd(part->at, part->size);
		at += at < end ? 1 + (*at == '\\') : 0;
	}
	return 0;
}

static struct rule *append(struct ignore *rules)
{
	if (rules->count == rules->capacity) {
		size_t capacity = rules->capacity ? 2 * rules->capacity : 16;
		struct rule *item = reallocarray(rules->item, capacity, sizeof *item);

		if (!item)
			return NULL;
		rules->item = item;
		rules->capacity = capacity;
	}
	return memset(&rules->item[rules->count++], 0, sizeof(struct rule));
}

static int add(struct ignore *rules, struct slice text, int line, struct syntax_error *e)
{
	struct rule *rule = append(rules);
	char *pattern = arena_text(rules->memory, text.at, text.end - text.at);
	bool odd = false;

	if (!rule || !pattern)
		return syntax_error_set(e, "out of memory");
	rule->public.text = arena_text(rules->memory, text.at, text.end - text.at);
	rule->public.line = line;
	rule->public.exception = *text.at == '!';
	rules->exceptions += rule->public.exception;
	text.at += rule->public.exception;
	text = text_trim_left(text);
	if (text.at == text.end)
		return syntax_error_set(e, "illegal exclusion pattern: \"!\"");
	clean(text, pattern);
	rule->pattern = pattern;
	if (pattern_check(pattern, e) < 0)
		return -1;
	if (!rule->public.text || cut(rules->memory, rule, &odd) < 0)
		return syntax_error_set(e, "out of memory");
	if (!odd)
		return 0;
	if (strlen(pattern) > DEEP_PATTERN_MAX)
		return syntax_error_set(e, "pattern is longer than %d bytes", DEEP_PATTERN_MAX);
	rule->deep = deep_pattern_new(rules->memory, pattern);
	return rule->deep ? 0 : syntax_error_set(e, "out of memory");
}

#define HASH_START 0xcbf29ce484222325   /* FNV-1a */

static uint64_t hash_byte(uint64_t hash, char c)
{
	return (hash ^ (unsigned char)c) * 0x100000001b3;
}

/* The order of literals. Texts made to have one hash cost no more than others. */
static int compare(const void *left, const void *right)
{
	const struct literal *a = left, *b = right;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	if (a->anywhere != b->anywhere)
		return a->anywhere ? 1 : -1;
	if (a->size != b->size)
		return a->size < b->size ? -1 : 1;
	return memcmp(a->text, b->text, a->size);
}

static int compare_with_rule(const void *left, const void *right)
{
	const struct literal *a = left, *b = right;
	int order = compare(a, b);

	return order ? order : a->rule < b->rule ? -1 : a->rule > b->rule;
}

static bool is_literal(const struct rule *rule, struct literal *literal)
{
	bool anywhere = rule->count == 2 && rule->part[0].kind == PART_DEEP;

	if (!rule->count || strchr(rule->pattern, '\\'))
		return false;
	for (size_t i = anywhere; i < rule->count; i++) {
		if (rule->part[i].kind != PART_LITERAL)
			return false;
	}
	literal->anywhere = anywhere;
	literal->text = rule->part[anywhere].at;
	literal->size = strlen(literal->text);
	literal->hash = HASH_START;
	for (size_t i = 0; i < literal->size; i++)
		literal->hash = hash_byte(literal->hash, literal->text[i]);
	return true;
}

/* Sort out the literal rules once all are there. Frees RULES when memory runs out. */
static struct ignore *finish(struct ignore *rules, struct syntax_error *e)
{
	size_t kept = 0;

	if (!rules->count)
		return rules;
	rules->literal = arena_array(rules->memory, rules->count, sizeof *rules->literal);
	rules->other = arena_array(rules->memory, rules->count, sizeof *rules->other);
	if (!rules->literal || !rules->other) {
		syntax_error_set(e, "out of memory");
		ignore_free(rules);
		return NULL;
	}
	for (size_t i = 0; i < rules->count; i++) {
		struct literal *next = &rules->literal[rules->literal_count];

		next->rule = i;
		if (is_literal(&rules->item[i], next))
			rules->literal_count++;
		else
			rules->other[rules->other_count++] = i;
	}
	qsort(rules->literal, rules->literal_count, sizeof *rules->literal, compare_with_rule);
	for (size_t i = 0; i < rules->literal_count; i++) {
		if (kept > 0 && compare(&rules->literal[kept - 1], &rules->literal[i]) == 0)
			kept--;
		rules->literal[kept++] = rules->literal[i];
	}
	rules->literal_count = kept;
	return rules;
}

static struct ignore *new_rules(struct syntax_error *e)
{
	struct ignore *rules = calloc(1, sizeof *rules);

	if (rules)
		rules->memory = arena_new();
	if (rules && rules->memory)
		return rules;
	free(rules);
	syntax_error_set(e, "out of memory");
	return NULL;
}

struct ignore *ignore_parse(const char *text, size_t size, struct syntax_error *e)
{
	struct ignore *rules = new_rules(e);
	const char *end = text + size;
	int line = 1;

	if (!rules)
		return NULL;
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	for (const char *next; text < end; text = next, line++) {
		struct slice all = { text, memchr(text, '\n', end - text) };
		struct slice pattern;
		int status = 0;

		if (!all.end)
			all.end = end;
		next = all.end < end ? all.end + 1 : end;
		pattern = text_trim(all);
		if (memchr(all.at, '\0', all.end - all.at))
			status = syntax_error_set(e, "a NUL byte: this is not a text file");
		else if (*all.at != '#' && pattern.at < pattern.end)
			status = add(rules, pattern, line, e);
		if (status < 0) {
			if (e)
				e->line = line;
			ignore_free(rules);
			return NULL;
		}
	}
	return finish(rules, e);
}

struct ignore *ignore_from_patterns(const char *const *patterns, size_t count,
                                    struct syntax_error *e)
{
	struct ignore *rules = new_rules(e);

	for (size_t i = 0; rules && i < count; i++) {
		struct slice all = { patterns[i], patterns[i] + strlen(patterns[i]) };
		struct slice pattern = text_trim(all);
		bool rooted = patterns[i][strspn(patterns[i], "! \t")] == '/';

		if (pattern.at < pattern.end && !rooted && add(rules, pattern, 0, e) < 0) {
			ignore_free(rules);
			return NULL;
		}
	}
	return rules ? finish(rules, e) : NULL;
}

void ignore_free(struct ignore *rules)
{
	if (!rules)
		return;
	arena_free(rules->memory);
	free(rules->item);
	free(rules);
}

bool ignore_set_file(struct ignore *rules, const char *name)
{
	rules->file = arena_text(rules->memory, name, strlen(name));
	return rules->file;
}

const char *ignore_file(const struct ignore *rules)
{
	return rules->file ? rules->file : ".dockerignore";
}

/* --- matching -------------------------------------------------------------------------------- */

static bool part_matches(const struct part *part, const char *at, size_t size)
{
	size_t literal = part->size - 1;        /* without its star */

	switch (part->kind) {
	case PART_LITERAL:
		return size == part->size && memcmp(at, part->at, size) == 0;
	case PART_BEGINS:
		return size >= literal && memcmp(at, part->at, literal) == 0;
	case PART_ENDS:
		return size >= literal && memcmp(at + size - literal, part->at + 1, literal) == 0;
	default:
		return pattern_match_slice(part->at, part->size, at, size);
	}
}

/* Match the parts FROM..TO of RULE, none of them deep, with the parts of the path at *REST, and
 * move *REST to the first part left, NULL when there is none.
 */
static enum answer segment(const struct rule *rule, size_t from, size_t to, const char **rest)
{
	for (; from < to; from++) {
		const char *at = *rest, *end;

		if (!at)
			return BELOW;
		end = strchrnul(at, '/');
		if (!part_matches(&rule->part[from], at, end - at))
			return NO;
		*rest = *end ? end + 1 : NULL;
	}
	return YES;
}

static size_t next_deep(const struct rule *rule, size_t from)
{
	while (from < rule->count && rule->part[from].kind != PART_DEEP)
		from++;
	return from;
}

/* What stands between two "**" is placed leftmost, which leaves most room for what follows. */
static enum answer ask_parts(const struct rule *rule, const char *path)
{
	const char *rest = path;
	size_t to = next_deep(rule, 0);
	enum answer answer = rule->count ? segment(rule, 0, to, &rest) : NO;

	if (answer != YES)
		return answer;
	while (to < rule->count) {
		size_t from = to;
		const char *at;

		while (from < rule->count && rule->part[from].kind == PART_DEEP)
			from++;
		if (from == rule->count)
			return rest ? YES : BELOW;
		to = next_deep(rule, from);
		for (;; rest = strchr(rest, '/') + 1) {
			at = rest;
			answer = segment(rule, from, to, &at);
			if (answer == YES)
				break;
			if (!rest || !strchr(rest, '/'))
				return BELOW;
		}
		rest = at;
	}
	return YES;
}

static enum answer ask(const struct rule *rule, const char *path)
{
	return rule->deep ? deep_pattern_ask(rule->deep, path) : ask_parts(rule, path);
}

/* The number, from 1, of the last rule that has the literal KEY; 0: none. */
static size_t find(const struct ignore *rules, struct literal key)
{
	const struct literal *found = bsearch(&key, rules->literal, rules->literal_count,
	                                      sizeof key, compare);

	return found ? found->rule + 1 : 0;
}

/* The number of the last literal rule that PATH or a folder above it matches. */
static size_t find_all(const struct ignore *rules, const char *path)
{
	struct literal whole = { .hash = HASH_START, .text = path };
	struct literal part = { .hash = HASH_START, .text = path, .anywhere = true };
	size_t last = 0;

	for (const char *at = path;; at++) {
		if (!*at || *at == '/') {
			size_t rule;

			whole.size = at - path;
			part.size = at - part.text;
			rule = find(rules, whole);
			last = rule > last ? rule : last;
			rule = find(rules, part);
			last = rule > last ? rule : last;
			if (!*at)
				return last;
			part.text = at + 1;
			part.hash = HASH_START;
		} else {
			part.hash = hash_byte(part.hash, *at);
		}
		whole.hash = hash_byte(whole.hash, *at);
	}
}

static const struct rule *decide(const struct ignore *rules, const char *path)
{
	size_t last = *path && rules->literal_count ? find_all(rules, path) : 0;
	size_t i = *path ? rules->other_count : 0;

	for (; i > 0 && rules->other[i - 1] >= last; i--) {
		if (ask(&rules->item[rules->other[i - 1]], path) == YES)
			return &rules->item[rules->other[i - 1]];
	}
	return last ? &rules->item[last - 1] : NULL;
}

const struct ignore_rule *ignore_match(const struct ignore *rules, const char *path)
{
	const struct rule *rule = decide(rules, path);

	return rule ? &rule->public : NULL;
}

bool ignore_may_keep_below(const struct ignore *rules, const char *folder)
{
	const struct rule *decided = decide(rules, folder);
	const struct rule *rule = decided ? decided + 1 : rules->item;

	for (; rule < rules->item + rules->count; rule++) {
		if (rule->public.exception && ask(rule, folder) != NO)
			return true;
	}
	return false;
}

bool ignore_has_exceptions(const struct ignore *rules)
{
	return rules->exceptions > 0;
}
