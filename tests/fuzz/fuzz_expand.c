/* Any word, any value: the input is the escape and the mode, the word, and the value of each name
 * that begins with a letter, separated by NUL.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "parser/expand.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *names, const char *name)
{
	return *name >= 'A' ? names : NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct expansion how = { .lookup = lookup };
	struct syntax_error e = { 0 };
	char *copy, *value = NULL, **words;
	size_t count = 0, word_size;

	if (size < 1)
		return 0;
	copy = calloc(1, size + 2);
	memcpy(copy, data + 1, size - 1);
	word_size = strlen(copy);
	how.names = copy + word_size + 1;
	how.escape = data[0] & 1 ? '`' : '\\';
	if (data[0] & 2) {
		words = data[0] & 4 ? expand_words(copy, &how, &count, &e)
		                    : expand_nothing(copy, data[0] & 8, &count, &e);
		for (size_t i = 0; words && i < count; i++) {
			if (!*words[i])
				abort();
		}
		if (words && words[count])
			abort();
		free(words);
	} else {
		value = data[0] & 4 ? expand(copy, &how, &e) : expand_document(copy, &how, &e);
		if (value && strlen(value) > 2 * word_size + EXPANSION_GROWTH_MAX)
			abort();
		if (!value && !*e.text)
			abort();
		free(value);
	}
	free(copy);
	return 0;
}
