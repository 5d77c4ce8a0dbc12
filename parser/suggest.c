#include "parser/suggest.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DISTANCE_MAX 2
/* Nothing we suggest is longer; stage and variable names beyond this get no hint. */
#define WORD_MAX 64

static size_t least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein's distance between A and B, neither longer than WORD_MAX. */
static size_t distance(const char *a, size_t a_size, const char *b, size_t b_size)
{
	size_t row[WORD_MAX + 1];

	for (size_t j = 0; j <= b_size; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_size; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			size_t above = row[j];

			row[j] = least(above + 1, row[j - 1] + 1,
			               diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[b_size];
}

const char *suggestion(const char *word, const char *const *options, size_t count)
{
	size_t size = strnlen(word, WORD_MAX + 1);
	size_t nearest = DISTANCE_MAX + 1;
	const char *best = NULL;

	if (size > WORD_MAX)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		size_t option_size = strnlen(options[i], WORD_MAX + 1);
		size_t d;

		if (option_size > WORD_MAX || option_size > size + DISTANCE_MAX ||
		    size > option_size + DISTANCE_MAX)
			continue;
		d = distance(word, size, options[i], option_size);
		if (d == 0)
			return NULL;
		if (d < nearest) {
			nearest = d;
			best = options[i];
		}
	}
	return best;
}

int suggest(struct syntax_error *e, const char *word, const char *const *options, size_t count)
{
	const char *best = e ? suggestion(word, options, count) : NULL;

	if (best) {
		size_t used = strlen(e->text);

		snprintf(e->text + used, sizeof e->text - used, " (did you mean %s?)", best);
	}
	return -1;
}
