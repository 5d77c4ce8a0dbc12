#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "layers/json.h"
#include "layers/scope.h"

static void refused(const char *text, size_t size, const char *why)
{
	struct error e;

	assert_null(json_parse(text, size, "it", &e));
	assert_int_equal(e.kind, ERROR_INPUT);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
}

static void what_only_lenient_parsers_take_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{ "{\"a\":1,\"a\":2}", "duplicate" },
		{ "{} x", "end of file expected" },
		{ "\xef\xbb\xbf{}", "expected near" },
		{ "[NaN]", "invalid token" },
		{ "[1] // no", "end of file expected" },
		{ "[\"\\ud800\"]", "invalid Unicode" },
		{ "[\"\\u0000\"]", "\\u0000" },
		{ "[9223372036854775808]", "too big integer" },
		{ "[\"\xff\"]", "unable to decode byte 0xff" },
		{ "[1", "']' expected" },
		{ "", "'[' or '{' expected" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		refused(cases[i].text, strlen(cases[i].text), cases[i].why);
}

static void deep_nesting_is_refused_before_the_parser_recurses(void **state)
{
	static char bomb[1000000], fine[128];

	memset(bomb, '[', sizeof bomb);
	refused(bomb, sizeof bomb, "it: nested more than 64 deep");

	memset(fine, '[', 64);
	memset(fine + 64, ']', 64);
	struct error e;
	json_t *json = json_parse(fine, sizeof fine, "it", &e);

	assert_non_null(json);
	json_decref(json);
}

static void brackets_in_strings_do_not_nest(void **state)
{
	char text[256] = "[\"\\\"";
	struct error e;
	json_t *json;

	memset(text + 4, '[', 200);
	strcpy(text + 204, "\"]");
	json = json_parse(text, strlen(text), "it", &e);
	assert_non_null(json);
	json_decref(json);
}

static void text_keeps_the_order_or_sorts(void **state)
{
	struct error e;
	json_t *json = json_parse("{\"b\":1,\"a\":[true,null]}", 23, "it", &e);
	size_t size;
	auto_free char *kept = json_text(json, &size);
	auto_free char *sorted = json_text_sorted(json, NULL);

	assert_string_equal(kept, "{\"b\":1,\"a\":[true,null]}");
	assert_int_equal(size, 23);
	assert_string_equal(sorted, "{\"a\":[true,null],\"b\":1}");
	json_decref(json);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_only_lenient_parsers_take_is_refused),
		cmocka_unit_test(deep_nesting_is_refused_before_the_parser_recurses),
		cmocka_unit_test(brackets_in_strings_do_not_nest),
		cmocka_unit_test(text_keeps_the_order_or_sorts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
