#include "builder/mask.h"

#include <stdlib.h>
#include <string.h>

#define HIDDEN "***"

static int add_word(struct mask *mask, const char *text, size_t size, struct error *e)
{
	if (mask->count == mask->capacity) {
		size_t capacity = mask->capacity ? 2 * mask->capacity : 8;
		struct mask_word *grown = reallocarray(mask->word, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		mask->word = grown;
		mask->capacity = capacity;
	}
	mask->word[mask->count++] = (struct mask_word){ text, size };
	return 0;
}

int mask_add(struct mask *mask, const char *secret, size_t size, struct error *e)
{
	while (size > 0) {
		const char *end = memchr(secret, '\n', size);
		size_t whole = end ? (size_t)(end - secret) : size, line = whole;

		if (line > 0 && secret[line - 1] == '\r')
			line--;
		if (line >= MASK_MIN && add_word(mask, secret, line, e) < 0)
			return -1;
		secret += whole + (end != NULL);
		size -= whole + (end != NULL);
	}
	return 0;
}

void mask_release(struct mask *mask)
{
	free(mask->word);
	*mask = (struct mask){ 0 };
}

/* The first secret in TEXT, of several there the longest; SIZE is its place, and 0 its length, when
 * there is none. */
static size_t find(const struct mask *mask, const char *text, size_t size, size_t *length)
{
	size_t first = size;

	*length = 0;
	for (size_t i = 0; i < mask->count; i++) {
		const struct mask_word *word = &mask->word[i];
		const char *there = memmem(text, size, word->text, word->size);
		size_t at = there ? (size_t)(there - text) : size;

		if (at < first || (there && at == first && word->size > *length)) {
			first = at;
			*length = word->size;
		}
	}
	return first;
}

size_t mask_text(const struct mask *mask, char *text, size_t size)
{
	size_t from = 0, to = 0, length;

	while (from < size) {
		size_t plain = find(mask, text + from, size - from, &length);

		memmove(text + to, text + from, plain);
		to += plain;
		from += plain + length;
		if (length > 0) {
			memcpy(text + to, HIDDEN, strlen(HIDDEN));
			to += strlen(HIDDEN);
		}
	}
	return to;
}
