#include "parser/flags.h"

#include <string.h>
#include "parser/suggest.h"
#include "parser/text.h"
#include "parser/words.h"

int flag_boolean(const char *text, size_t size)
{
	static const char *const spelled[][6] = {
		{ "0", "f", "F", "FALSE", "false", "False" },
		{ "1", "t", "T", "TRUE", "true", "True" },
	};

	for (int yes = 0; yes < 2; yes++) {
		for (int i = 0; i < 6; i++) {
			const char *word = spelled[yes][i];

			if (strlen(word) == size && memcmp(word, text, size) == 0)
				return yes;
		}
	}
	return -1;
}

static void unknown(const char *name, const struct flag *known, size_t count,
                    struct syntax_error *e)
{
	const char *names[FLAGS_MAX];

	for (size_t i = 0; i < count; i++)
		names[i] = known[i].name;
	syntax_error_set(e, "unknown flag: --%s", name);
	suggest(e, name, names, count);
}

static int set(struct arena *a, const struct flag *flag, const char *text, struct flag_value *value,
               struct syntax_error *e)
{
	if (value->given && flag->kind != FLAG_LIST)
		return syntax_error_set(e, "duplicate flag specified: --%s", flag->name);
	value->given = true;
	if (text ? flag->kind == FLAG_BOOLEAN && !*text : flag->kind != FLAG_BOOLEAN)
		return syntax_error_set(e, "missing a value on flag: --%s", flag->name);
	switch (flag->kind) {
	case FLAG_BOOLEAN:
		value->yes = !text || text_same(text, "true");
		if (!value->yes && !text_same(text, "false"))
			return syntax_error_set(e, "expecting boolean value for flag --%s, not: %s",
			                        flag->name, text);
		return 0;
	case FLAG_LIST:
		return words_add(a, &value->list, text);
	default:
		value->text = text;
		return 0;
	}
}

size_t flags_read(struct arena *a, const struct words *given, const struct flag *known,
                  size_t count, struct flag_value *values, struct syntax_error *e)
{
	size_t i;

	for (i = 0; i < given->count; i++) {
		const char *name = given->item[i] + 2, *equals = strchrnul(name, '=');
		size_t size = equals - name, k = 0;

		while (k < count &&
		       (strncmp(known[k].name, name, size) != 0 || known[k].name[size]))
			k++;
		if (k == count) {
			const char *alone = arena_text(a, name, size);

			if (alone)
				unknown(alone, known, count, e);
			break;
		}
		if (set(a, &known[k], *equals ? equals + 1 : NULL, &values[k], e) < 0)
			break;
	}
	return i;
}
