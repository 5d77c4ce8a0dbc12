#include "parser/expand.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "parser/substitute.h"
#include "parser/text.h"

enum {
	QUOTES_ARE_TEXT = 1,            /* a here-document's body */
	KEEP_QUOTES = 2,                /* they group, but stay */
	KEEP_UNSET = 4,                 /* $name stays when it has no value, or none is asked for */
	SPLIT = 8,                      /* blanks separate words */
};

/* One expansion under way. Inner words are written behind what is there already and replaced by
 * what becomes of them. Finished words of a split end in NUL.
 */
struct expander {
	const char *word, *at, *end;
	const char *under_way;          /* where the innermost unfinished part begins */
	const struct expansion *how;
	unsigned mode;
	bool keep_escapes;              /* in patterns, where they mean something later */
	int depth;
	bool given_up;                  /* E stands, whatever the callers expected to find */
	char *item;
	size_t count, capacity, limit;
	struct syntax_error *e;
};

static int expand_until(struct expander *x, char stop, bool keep_escapes);

static int fail(struct expander *x, const char *what)
{
	x->given_up = true;
	return syntax_error_set(x->e, "%s", what);
}

static int put(struct expander *x, const char *text, size_t size)
{
	if (size > x->limit - x->count)
		return fail(x, "the value is too long: it grows by more than 1 MiB");
	if (x->count + size + 1 > x->capacity) {
		size_t capacity = 2 * (x->count + size + 32);
		char *item = realloc(x->item, capacity);

		if (!item)
			return fail(x, "out of memory");
		x->item = item;
		x->capacity = capacity;
	}
	memcpy(x->item + x->count, text, size);
	x->count += size;
	x->item[x->count] = '\0';
	return 0;
}

/* Take back what has been written from START on. */
static void take_back(struct expander *x, size_t start)
{
	x->count = start;
	x->item[start] = '\0';
}

/* What has been written from START on. */
static const char *written(const struct expander *x, size_t start)
{
	return x->item + start;
}

static int end_word(struct expander *x)
{
	return x->count > 0 && x->item[x->count - 1] ? put(x, "", 1) : 0;
}

/* Turn the blanks of what has been written from START on into ends of words. */
static int split_from(struct expander *x, size_t start)
{
	size_t kept = start;

	for (size_t i = start; i < x->count;) {
		size_t blank = text_blank(x->item + i, x->item + x->count);

		if (!blank)
			x->item[kept++] = x->item[i++];
		else if (kept > 0 && x->item[kept - 1])
			x->item[kept++] = '\0';
		i += blank;
	}
	take_back(x, kept);
	return 0;
}

/* The name at X->at, perhaps none. */
static struct slice read_name(struct expander *x)
{
	static const char special[] = "@*#?-$!0";
	struct slice name = { x->at, x->at };
	uint32_t c;
	size_t n;

	if (x->at < x->end && *x->at >= '0' && *x->at <= '9') {
		while (x->at < x->end && *x->at >= '0' && *x->at <= '9')
			x->at++;
	} else if (x->at < x->end && memchr(special, *x->at, sizeof special - 1)) {
		x->at++;
	} else {
		while ((n = text_decode(x->at, x->end, &c)) > 0 && text_in_name(c))
			x->at += n;
	}
	name.end = x->at;
	return name;
}

/* Find the VALUE of NAME, NULL when it is unset. */
static int look_up(struct expander *x, struct slice name, const char **value)
{
	size_t start = x->count;

	*value = NULL;
	if (!x->how->lookup)
		return 0;
	if (put(x, name.at, name.end - name.at) < 0)
		return -1;
	*value = x->how->lookup(x->how->names, written(x, start));
	take_back(x, start);
	return 0;
}

/* What has been written from START on becomes VALUE, or nothing. */
static int put_instead(struct expander *x, size_t start, const char *value)
{
	take_back(x, start);
	return value ? put(x, value, strlen(value)) : 0;
}

/* An inner word up to STOP. Where it fails at the end of everything, STOP is what was missing. */
static int inner(struct expander *x, char stop, bool keep_escapes, const char *otherwise)
{
	int result;

	if (x->depth == EXPANSION_DEPTH_MAX)
		return fail(x, "expansions are nested too deeply");
	x->depth++;
	result = expand_until(x, stop, keep_escapes);
	x->depth--;
	if (result < 0 && !x->given_up && x->at == x->end)
		return fail(x, otherwise);
	return result;
}

/* ${name-word} and its kind: OPERATOR is one of - + ?, NULL_IS_UNSET when a colon precedes it. */
static int choose(struct expander *x, struct slice name, char operator, bool null_is_unset)
{
	size_t start = x->count;
	const char *value;
	bool set;

	if (inner(x, '}', false, "syntax error: missing '}'") < 0)
		return -1;
	if (look_up(x, name, &value) < 0)
		return -1;
	set = value && !(null_is_unset && !*value);
	if (operator == '?' && !set) {
		const char *message = x->count > start ? written(x, start) :
		                      value ? "is not allowed to be empty" :
		                      "is not allowed to be unset";

		x->given_up = true;
		syntax_error_set(x->e, "%.*s: %s", (int)(name.end - name.at), name.at, message);
		if (x->e)
			x->e->unset = true;
		return -1;
	}
	if (set == (operator == '+'))
		return 0;
	return put_instead(x, start, set ? value : NULL);
}

/* ${name#pattern} and its kind: END is '#' or '%'. */
static int trim(struct expander *x, struct slice name, char end)
{
	size_t start = x->count;
	const char *value, *pattern;
	struct slice kept;
	bool longest;

	if (inner(x, '}', true, "syntax error: missing '}'") < 0 || look_up(x, name, &value) < 0)
		return -1;
	pattern = written(x, start);
	longest = *pattern == end;
	if (substitute_trim(pattern + longest, value ? value : "", end == '%', longest, &kept,
	                    x->e) < 0) {
		x->given_up = true;
		return -1;
	}
	take_back(x, start);
	return put(x, kept.at, kept.end - kept.at);
}

/* ${name/pattern/word} and ${name//pattern/word}. */
static int replace(struct expander *x, struct slice name)
{
	size_t start = x->count, middle, size;
	const char *value;
	char *result;
	bool all = x->at < x->end && *x->at == '/';
	int status;

	x->at += all;
	if (inner(x, '/', true, "syntax error: missing '/' in ${}") < 0 || put(x, "", 1) < 0)
		return -1;
	middle = x->count;
	if (inner(x, '}', true, "syntax error: missing '}'") < 0 || look_up(x, name, &value) < 0)
		return -1;
	result = substitute_replace(written(x, start), value ? value : "", written(x, middle), all,
	                            x->limit - start, &size, x->e);
	if (!result) {
		x->given_up = true;
		return -1;
	}
	take_back(x, start);
	status = put(x, result, size);
	free(result);
	return status;
}

static int unsupported(struct expander *x, const char *start)
{
	x->given_up = true;
	return syntax_error_set(x->e, "unsupported modifier (%.*s) in substitution",
	                        (int)(x->at - start), start);
}

/* What follows the name in ${NAME...}. */
static int modifier(struct expander *x, struct slice name)
{
	const char *start = x->at;
	bool colon = *x->at == ':';
	const char *value;
	uint32_t c;

	x->at += colon;
	if (x->at == x->end)
		return fail(x, "syntax error: missing '}'");
	x->at += text_decode(x->at, x->end, &c);
	switch (c) {
	case '-': case '+': case '?':
		return choose(x, name, c, colon);
	case '}':
		if (colon)
			return unsupported(x, start);
		return look_up(x, name, &value) < 0 ? -1 : put_instead(x, x->count, value);
	case '#': case '%':
		return colon ? unsupported(x, start) : trim(x, name, c);
	case '/':
		return colon ? unsupported(x, start) : replace(x, name);
	default:
		return unsupported(x, start);
	}
}

/* ${...} whose name has no value, where such stay as they are: only its end must be found. */
static int keep_braces(struct expander *x, const char *start)
{
	size_t operators = strspn(x->at, ":");
	char first;

	x->at += operators;
	first = x->at < x->end ? *x->at++ : '\0';
	if (first == '}' && !operators)
		return put(x, start, x->at - start);
	if (first == '\0')
		return fail(x, "syntax error: missing '}'");
	if (operators > 1 || !strchr(operators ? "-+?" : "-+?#%/", first))
		return unsupported(x, x->at - 1 - operators);
	if (put(x, start, x->at - start) < 0)
		return -1;
	if (first == '/') {
		if (x->at < x->end && *x->at == '/' && put(x, x->at++, 1) < 0)
			return -1;
		if (inner(x, '/', true, "syntax error: missing '/' in ${}") < 0 ||
		    put(x, "/", 1) < 0)
			return -1;
	}
	if (inner(x, '}', strchr("#%/", first), "syntax error: missing '}'") < 0)
		return -1;
	return put(x, "}", 1);
}

static int braces(struct expander *x)
{
	const char *start = x->at - 1, *value = NULL;
	struct slice name;

	x->at++;
	if (x->at == x->end)
		return fail(x, "syntax error: missing '}'");
	if (strchr("{}:", *x->at))
		return fail(x, "syntax error: bad substitution");
	name = read_name(x);
	if (x->at == x->end)
		return fail(x, "syntax error: missing '}'");
	if (x->mode & KEEP_UNSET && look_up(x, name, &value) < 0)
		return -1;
	return x->mode & KEEP_UNSET && !value ? keep_braces(x, start) : modifier(x, name);
}

static int dollar(struct expander *x)
{
	const char *start = x->at++, *before = x->under_way, *value;
	struct slice name;

	if (x->at < x->end && *x->at == '{') {
		x->under_way = start;
		if (braces(x) < 0)
			return -1;
		x->under_way = before;
		return 0;
	}
	name = read_name(x);
	if (name.at == name.end)
		return put(x, start, x->at - start);
	if (look_up(x, name, &value) < 0)
		return -1;
	if (!value && x->mode & KEEP_UNSET)
		return put(x, start, x->at - start);
	return put_instead(x, x->count, value);
}

static int single_quotes(struct expander *x)
{
	bool keep = x->mode & KEEP_QUOTES;
	const char *start = x->at + 1, *close = memchr(start, '\'', x->end - start);

	if (!close) {
		x->under_way = x->at;
		x->at = x->end;
		return syntax_error_set(x->e, "unexpected end of statement while looking for "
		                              "matching single-quote");
	}
	x->at = close + 1;
	return put(x, start - keep, close - start + 2 * keep);
}

/* Whether C is what it is wherever it stands. */
static bool is_plain(const struct expander *x, char c, char stop)
{
	return c != '$' && c != '\'' && c != '"' && c != '<' && c != x->how->escape && c != stop;
}

/* Characters up to the next that may be something else, the first whatever it is. */
static int ordinary(struct expander *x, bool splits, char stop)
{
	size_t blank = splits ? text_blank(x->at, x->end) : 0;
	const char *start = x->at;

	if (blank) {
		x->at += blank;
		return end_word(x);
	}
	for (x->at++; !splits && x->at < x->end && is_plain(x, *x->at, stop);)
		x->at++;
	return put(x, start, x->at - start);
}

static int double_quotes(struct expander *x)
{
	bool keep = x->mode & KEEP_QUOTES;
	const char *start = x->at;

	if (put(x, x->at++, keep) < 0)
		return -1;
	for (; x->at < x->end && *x->at != '"';) {
		if (*x->at == '$') {
			if (dollar(x) < 0)
				return -1;
			continue;
		}
		if (*x->at == x->how->escape) {
			bool last = x->at + 1 == x->end;
			bool acts = !last && (x->at[1] == '"' || x->at[1] == '$' ||
			                      x->at[1] == x->how->escape);

			if (acts && x->keep_escapes && put(x, x->at, 1) < 0)
				return -1;
			x->at += acts || last;
			if (last)
				continue;
		}
		if (ordinary(x, false, '"') < 0)
			return -1;
	}
	if (x->at == x->end) {
		x->under_way = start;
		return syntax_error_set(x->e, "unexpected end of statement while looking for "
		                              "matching double-quote");
	}
	return put(x, x->at++, keep);
}

/* "<<" keeps the blanks behind it, so that "<< EOF" is one word. */
static int less_than(struct expander *x)
{
	const char *start = x->at++;

	if (x->at < x->end && *x->at == '<') {
		x->at++;
		x->at += strspn(x->at, "\t\r ");
	}
	return put(x, start, x->at - start);
}

static int escape(struct expander *x)
{
	if (x->keep_escapes && put(x, x->at, 1) < 0)
		return -1;
	x->at++;
	return x->at < x->end ? put(x, x->at++, 1) : 0;
}

/* One element of a word: a quoted part, a variable, an escaped character or a plain one. */
static int element(struct expander *x, bool splits, char stop)
{
	if (*x->at == x->how->escape)
		return escape(x);
	if (*x->at == '<')
		return less_than(x);
	if (*x->at == '\'' && !(x->mode & QUOTES_ARE_TEXT))
		return single_quotes(x);
	if (*x->at == '"' && !(x->mode & QUOTES_ARE_TEXT))
		return double_quotes(x);
	return ordinary(x, splits, stop);
}

static int expand_until(struct expander *x, char stop, bool keep_escapes)
{
	bool splits = x->mode & SPLIT && !x->depth, before = x->keep_escapes;
	int result = 0;

	x->keep_escapes = keep_escapes;
	while (result == 0 && x->at < x->end && !(stop && *x->at == stop)) {
		size_t start = x->count;

		if (*x->at != '$')
			result = element(x, splits, stop);
		else if ((result = dollar(x)) == 0 && splits)
			result = split_from(x, start);
	}
	x->keep_escapes = before;
	if (result < 0 || !stop)
		return result;
	if (x->at == x->end)
		return syntax_error_set(x->e, "unexpected end of statement while looking for "
		                              "matching %c", stop);
	x->at++;
	return 0;
}

/* Put the word in front of the cause, cut so that both fit. */
static void explain(struct expander *x)
{
	struct syntax_error cause;

	if (!x->e)
		return;
	cause = *x->e;
	syntax_error_set(x->e, "failed to process \"%.100s%s\": %.130s", x->word,
	                 x->end - x->word > 100 ? "..." : "", cause.text);
	x->e->column = x->under_way - x->word + 1;
	x->e->unset = cause.unset;
}

/* Expand WORD into a string with its SIZE. */
static char *run(const char *word, const struct expansion *how, unsigned mode, bool keep_escapes,
                 size_t *size, struct syntax_error *e)
{
	size_t length = strlen(word);
	struct expander x = {
		.word = word, .at = word, .end = word + length, .under_way = word, .how = how,
		.mode = mode,
		.limit = 2 * length + EXPANSION_GROWTH_MAX, .e = e,
	};

	if (put(&x, "", 0) < 0 || expand_until(&x, '\0', keep_escapes) < 0) {
		explain(&x);
		free(x.item);
		return NULL;
	}
	*size = x.count;
	return x.item;
}

char *expand(const char *word, const struct expansion *how, struct syntax_error *e)
{
	size_t size;

	return run(word, how, 0, false, &size, e);
}

char *expand_document(const char *body, const struct expansion *how, struct syntax_error *e)
{
	size_t size;

	return run(body, how, QUOTES_ARE_TEXT, false, &size, e);
}

char *expand_shown(const char *text, const struct expansion *how, struct syntax_error *e)
{
	size_t size;

	return run(text, how, KEEP_UNSET | KEEP_QUOTES, true, &size, e);
}

/* Make an array, with its strings behind it, of the words in TEXT, which NULs separate. */
static char **array_of(const char *text, size_t size, size_t *count, struct syntax_error *e)
{
	size_t n = 0;
	char **array, *strings;

	for (size_t i = 0; i < size; i++)
		n += text[i] && (i + 1 == size || !text[i + 1]);
	array = malloc((n + 1) * sizeof *array + size + 1);
	if (!array) {
		syntax_error_set(e, "out of memory");
		return NULL;
	}
	strings = (char *)(array + n + 1);
	memcpy(strings, text, size);
	strings[size] = '\0';
	for (size_t i = 0; i < n; i++, strings += strlen(strings) + 1)
		array[i] = strings;
	array[n] = NULL;
	if (count)
		*count = n;
	return array;
}

static char **run_words(const char *text, const struct expansion *how, unsigned mode,
                        bool keep_escapes, size_t *count, struct syntax_error *e)
{
	size_t size;
	char *words = run(text, how, mode | SPLIT, keep_escapes, &size, e), **array;

	if (!words)
		return NULL;
	array = array_of(words, size, count, e);
	free(words);
	return array;
}

char **expand_words(const char *text, const struct expansion *how, size_t *count,
                    struct syntax_error *e)
{
	return run_words(text, how, 0, false, count, e);
}

char **expand_nothing(const char *text, bool raw, size_t *count, struct syntax_error *e)
{
	static const struct expansion shell = { .escape = '\\' };

	return run_words(text, &shell, KEEP_UNSET | (raw ? KEEP_QUOTES : 0), raw, count, e);
}
