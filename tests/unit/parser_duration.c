/* Durations, there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "parser/duration.h"

/* What comes of TEXT, formatted again, or the error. */
static void duration_is(const char *text, const char *expected)
{
	struct syntax_error e = { 0 };
	char told[DURATION_TEXT];
	int64_t ns;

	if (duration_parse(text, &ns, &e) < 0)
		assert_string_equal(e.text, expected);
	else
		assert_string_equal(duration_format(ns, told), expected);
}

static void durations_are_those_of_go(void **state)
{
	duration_is("0", "0s");
	duration_is("90s", "1m30s");
	duration_is("1.5h", "1h30m0s");
	duration_is("1h2m3.25s", "1h2m3.25s");
	duration_is("500ms", "500ms");
	duration_is(".5s", "500ms");
	duration_is("+2s", "2s");
	duration_is("-1m1s", "-1m1s");
	duration_is("1500us", "1ms");
	duration_is("10ns", "0s");
	duration_is("2562047h47m16.854s", "2562047h47m16.854s");
}

static void what_is_none_is_told(void **state)
{
	duration_is("", "time: invalid duration \"\"");
	duration_is("-", "time: invalid duration \"-\"");
	duration_is("5", "time: missing unit in duration \"5\"");
	duration_is("5 s", "time: unknown unit \" s\" in duration \"5 s\"");
	duration_is("1d", "time: unknown unit \"d\" in duration \"1d\"");
	duration_is("1m,5s", "time: unknown unit \"m,\" in duration \"1m,5s\"");
	duration_is("s", "time: invalid duration \"s\"");
	duration_is(".s", "time: invalid duration \".s\"");
	duration_is("9999999999h", "time: invalid duration \"9999999999h\"");
	duration_is("1e3s", "time: unknown unit \"e\" in duration \"1e3s\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_those_of_go),
		cmocka_unit_test(what_is_none_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
