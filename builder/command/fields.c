#include "builder/command/fields.h"

#include <stdlib.h>
#include <string.h>

/* Take one field off *AT, unquoted in place; *AT is behind its comma afterwards, or NULL when it was
 * the last one. */
static char *take_field(char **at, struct error *e)
{
	char *from = *at, *to = *at, *field = *at;

	if (*from != '"') {
		char *comma = strchr(from, ',');

		if (comma)
			*comma = '\0';
		*at = comma ? comma + 1 : NULL;
		if (strchr(field, '"')) {
			error_set(e, ERROR_INPUT, "bare \" in a field that is not quoted");
			return NULL;
		}
		return field;
	}
	for (from++; *from && (from[0] != '"' || from[1] == '"'); from++) {
		from += *from == '"';
		*to++ = *from;
	}
	if (*from != '"' || (from[1] != ',' && from[1] != '\0')) {
		error_set(e, ERROR_INPUT, *from ? "text after a closing \"" : "missing closing \"");
		return NULL;
	}
	*at = from[1] == ',' ? from + 2 : NULL;
	*to = '\0';
	return field;
}

int fields_parse(const char *text, struct fields *f, struct error *e)
{
	size_t most = 1;
	char *at;

	for (const char *c = text; *c; c++)
		most += *c == ',';
	*f = (struct fields){ .memory = strdup(text), .item = calloc(most, sizeof *f->item) };
	if (!f->memory || !f->item)
		return error_memory(e);
	for (at = f->memory; at;) {
		char *field = take_field(&at, e);
		char *equals;

		if (!field)
			return -1;
		equals = strchr(field, '=');
		if (equals)
			*equals = '\0';
		f->item[f->count++] = (struct field){ field, equals ? equals + 1 : NULL };
	}
	return 0;
}

void fields_release(struct fields *f)
{
	free(f->item);
	free(f->memory);
	*f = (struct fields){ 0 };
}

const char *fields_value(const struct fields *f, const char *key)
{
	for (size_t i = f->count; i-- > 0;)
		if (strcmp(f->item[i].key, key) == 0)
			return f->item[i].value;
	return NULL;
}
