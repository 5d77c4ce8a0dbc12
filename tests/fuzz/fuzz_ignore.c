/* Any rules, any path, separated by NUL: the answer is that of a matcher that is simple and slow,
 * and a folder with something to keep below it is never passed by (H217).
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "parser/ignore.h"
#include "parser/pattern.h"
#include "parser/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the slow matcher may still do before the input is given up as too hard for it. */
static long steps;

static bool has_wildcards(const char *p)
{
	return p[strcspn(p, "*?[]\\")] != '\0';
}

/* Whether all of P matches T..END, tried one way after the other. START is the whole pattern. */
static bool slow_match(const char *start, const char *p, const char *t, const char *end)
{
	size_t step, width;
	uint32_t c;
	bool hit;

	if (--steps < 0)
		return false;
	if (!*p)
		return t == end;
	if (p[0] == '*' && p[1] == '*') {
		const char *rest = p + 2 + (p[2] == '/');
		bool any = !*rest || (p == start && p[2] != '/' && !has_wildcards(rest));

		for (const char *at = t; at <= end; at++) {
			if ((any || at == t || at[-1] == '/') && slow_match(start, rest, at, end))
				return true;
		}
		return false;
	}
	if (*p == '*') {
		for (const char *at = t; at <= end; at++) {
			if (slow_match(start, p + 1, at, end))
				return true;
			if (at < end && *at == '/')
				return false;
		}
		return false;
	}
	width = text_decode(t, end, &c);
	if (!width)
		return false;
	step = pattern_step(p, p + strlen(p), c, &hit);
	return hit && slow_match(start, p + step, t + width, end);
}

/* The pattern of RULE cleaned, or NULL where that is not simple. */
static const char *simple_pattern(const struct ignore_rule *rule)
{
	const char *p = rule->text + rule->exception;

	if (!*p || *p == '/' || *p == ' ' || p[strlen(p) - 1] == '/' || strstr(p, "//") ||
	    strstr(p, "./") || strstr(p, "/.") || strcmp(p, ".") == 0 || strcmp(p, "..") == 0 ||
	    strchr(p, '[') || strchr(p, '\\') || p[strlen(p) - 1] == '.')
		return NULL;
	for (; *p; p++) {
		if ((unsigned char)*p >= 0x80)
			return NULL;
	}
	return rule->text + rule->exception;
}

/* Compare what one rule alone says of PATH with the slow matcher. */
static void compare(const char *line, const char *path)
{
	struct ignore *rules = ignore_parse(line, strlen(line), NULL);
	const struct ignore_rule *rule = rules ? ignore_match(rules, path) : NULL;
	struct ignore_rule written = { .text = line, .exception = *line == '!' };
	const char *pattern = simple_pattern(&written);
	bool slow = false;

	steps = 20000;
	for (const char *end = path; rules && pattern && !slow; end++) {
		end = strchrnul(end, '/');
		slow = slow_match(pattern, pattern, path, end);
		if (!*end)
			break;
	}
	if (rules && pattern && steps > 0 && slow != (rule != NULL))
		abort();
	ignore_free(rules);
}

/* Compare the rule that decides about PATH with the last line of TEXT that alone matches it. */
static void compare_lines(const struct ignore *rules, const char *text, const char *path)
{
	const struct ignore_rule *decided = ignore_match(rules, path);
	int line = 1, last = 0;

	for (const char *at = text, *end;; at = end + 1, line++) {
		struct ignore *alone;

		end = strchrnul(at, '\n');
		alone = ignore_parse(at, end - at, NULL);
		if (!alone)
			abort();
		if (ignore_match(alone, path))
			last = line;
		ignore_free(alone);
		if (!*end)
			break;
	}
	if (last != (decided ? decided->line : 0))
		abort();
}

static bool is_clean(const char *path)
{
	size_t size = strlen(path);

	return size > 0 && size < 1000 && *path != '/' && path[size - 1] != '/' &&
	       !strstr(path, "//");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = calloc(1, size + 2), *path;
	struct syntax_error e;
	struct ignore *rules;

	memcpy(text, data, size);
	path = text + strlen(text) + 1;
	rules = ignore_parse(text, strlen(text), &e);
	if (rules && is_clean(path)) {
		bool kept = !ignore_excludes(rules, path);

		for (char *slash = path; (slash = strchr(slash, '/')); slash++) {
			*slash = '\0';
			if (kept && ignore_excludes(rules, path) &&
			    !ignore_may_keep_below(rules, path))
				abort();
			*slash = '/';
		}
		if (!strstr(text, "\xef\xbb\xbf"))
			compare_lines(rules, text, path);
		if (!strpbrk(text, "\n\r\t \v\f#") && strncmp(text, "\xef\xbb\xbf", 3) != 0)
			compare(text, path);
	}
	ignore_free(rules);
	free(text);
	return 0;
}
