#include "parser/check.h"

#include <string.h>
#include "parser/flags.h"
#include "parser/text.h"

static bool is(struct slice s, const char *word)
{
	size_t size = strlen(word);

	return (size_t)(s.end - s.at) == size && memcmp(s.at, word, size) == 0;
}

static int option(struct slice key, struct slice value, struct check *check, struct syntax_error *e)
{
	int yes;

	if (is(key, "skip")) {
		check->skip = value.at;
	} else if (is(key, "experimental")) {
		check->experimental = value.at;
	} else if (is(key, "error")) {
		yes = flag_boolean(value.at, value.end - value.at);
		if (yes < 0)
			return syntax_error_set(e, "invalid value for check option error: %.*s",
			                        (int)(value.end - value.at), value.at);
		check->error = yes;
	} else {
		return syntax_error_set(e, "invalid check option \"%.*s\"",
		                        (int)(key.end - key.at), key.at);
	}
	return 0;
}

int check_parse(const char *text, struct check *check, struct syntax_error *e)
{
	*check = (struct check){ 0 };
	for (const char *at = text;; at++) {
		struct slice whole = { at, strchrnul(at, ';') };
		const char *equals = memchr(at, '=', whole.end - at);
		struct slice key = { at, equals ? equals : whole.end };
		struct slice value = { equals ? equals + 1 : whole.end, whole.end };

		key = text_trim(key);
		value = text_trim(value);
		at = whole.end;
		if (!equals && (key.at < key.end || *at))
			return syntax_error_set(e, "invalid check option \"%.*s\"",
			                        (int)(key.end - key.at), key.at);
		if (equals && option(key, value, check, e) < 0)
			return -1;
		if (!*at)
			return 0;
	}
}

/* Whether the comma list LIST, which ends at ';' or NUL, names RULE or is "all". */
static bool names(const char *list, const char *rule)
{
	if (!list)
		return false;
	for (const char *at = list;; at++) {
		struct slice name = { at, at + strcspn(at, ",;") };

		at = name.end;
		name = text_trim(name);
		if (is(name, rule) || is(name, "all"))
			return true;
		if (*at != ',')
			return false;
	}
}

bool check_skips(const struct check *check, const char *rule)
{
	return names(check->skip, rule);
}

bool check_wants(const struct check *check, const char *rule)
{
	return names(check->experimental, rule);
}
