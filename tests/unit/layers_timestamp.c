#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "layers/timestamp.h"

static void times_of_any_zone_and_fraction_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
	} cases[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2024-05-01T12:00:00.123456789Z", 1714564800 },
		{ "2024-05-01T14:00:00+02:00", 1714564800 },
		{ "2024-02-29t23:59:60z", 1709251200 },
		{ "0001-01-01T00:00:00Z", -62135596800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t seconds;

		assert_true(timestamp_parse(cases[i].text, &seconds));
		assert_int_equal(seconds, cases[i].seconds);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const cases[] = {
		"", "now", "1714564800", "2024-05-01", "2024-05-01T12:00:00", "2024-05-01 12:00:00Z",
		"2024-13-01T00:00:00Z", "2023-02-29T00:00:00Z", "2024-05-01T24:00:00Z",
		"2024-05-01T12:00:00.Z", "2024-05-01T12:00:00Zx", "2024-05-01T12:00:00+0200",
		"2024-05-01T12:00:00CET", "-024-05-01T12:00:00Z",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int64_t seconds;

		if (timestamp_parse(cases[i], &seconds))
			fail_msg("%s was taken", cases[i]);
	}
}

static void a_time_is_written_as_it_was_read(void **state)
{
	char text[TIMESTAMP_TEXT];

	assert_string_equal(timestamp_format(1714564800, text), "2024-05-01T12:00:00Z");
	assert_string_equal(timestamp_format(-62135596800, text), "0001-01-01T00:00:00Z");
	assert_string_equal(timestamp_format(INT64_MAX, text), "9999-12-31T23:59:59Z");
	assert_string_equal(timestamp_format(INT64_MIN, text), "0000-01-01T00:00:00Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(times_of_any_zone_and_fraction_are_read),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(a_time_is_written_as_it_was_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
