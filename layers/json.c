#include "layers/json.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Deeper than any image document; a parser that recurses must not be led on. */
#define DEPTH_MAX 64

static atomic_bool memory_was_out;

static void *allocate(size_t size)
{
	void *memory = malloc(size);

	if (!memory)
		atomic_store(&memory_was_out, true);
	return memory;
}

__attribute__((constructor)) static void watch_memory(void)
{
	json_set_alloc_funcs(allocate, free);
}

/* jansson recurses, so the nesting is counted before it sees the text. */
static bool too_deep(const char *text, size_t size)
{
	bool in_string = false;
	int depth = 0;

	for (size_t i = 0; i < size; i++) {
		char c = text[i];

		if (in_string) {
			if (c == '\\')
				i++;
			else if (c == '"')
				in_string = false;
		} else if (c == '"') {
			in_string = true;
		} else if ((c == '[' || c == '{') && ++depth > DEPTH_MAX) {
			return true;
		} else if (c == ']' || c == '}') {
			depth--;
		}
	}
	return false;
}

json_t *json_parse(const void *text, size_t size, const char *what, struct error *e)
{
	json_error_t wrong;
	json_t *json;

	if (too_deep(text, size)) {
		error_set(e, ERROR_INPUT, "%s: nested more than %d deep", what, DEPTH_MAX);
		return NULL;
	}
	json = json_loadb(text, size, JSON_REJECT_DUPLICATES, &wrong);
	if (atomic_load(&memory_was_out)) {
		json_decref(json);
		error_memory(e);
		return NULL;
	}
	if (!json)
		error_set(e, ERROR_INPUT, "%s: line %d, column %d: %s", what, wrong.line, wrong.column,
		          wrong.text);
	return json;
}

static char *text_of(const json_t *json, size_t flags, size_t *size)
{
	char *text = json_dumps(json, JSON_ENCODE_ANY | flags);

	if (atomic_load(&memory_was_out)) {
		free(text);
		return NULL;
	}
	if (text && size)
		*size = strlen(text);
	return text;
}

char *json_text(const json_t *json, size_t *size)
{
	return text_of(json, JSON_COMPACT, size);
}

char *json_text_sorted(const json_t *json, size_t *size)
{
	return text_of(json, JSON_COMPACT | JSON_SORT_KEYS, size);
}

char *json_text_indented(const json_t *json, size_t blanks, size_t *size)
{
	return text_of(json, JSON_INDENT(blanks), size);
}
