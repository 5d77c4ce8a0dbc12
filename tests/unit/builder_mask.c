/* Secrets in text, and what is shown instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "builder/mask.h"

static void shown_is(const struct mask *mask, const char *text, const char *expected)
{
	char *copy = strdup(text);
	size_t size = mask_text(mask, copy, strlen(copy));

	copy[size] = '\0';
	assert_string_equal(copy, expected);
	free(copy);
}

static struct mask mask_of(const char *first, const char *second)
{
	struct mask mask = { 0 };
	struct error e;

	assert_int_equal(mask_add(&mask, first, strlen(first), &e), 0);
	if (second)
		assert_int_equal(mask_add(&mask, second, strlen(second), &e), 0);
	return mask;
}

static void every_occurrence_is_hidden(void **state)
{
	struct mask mask = mask_of("hunter2hunter", NULL);

	shown_is(&mask, "hunter2hunter", "***");
	shown_is(&mask, "a hunter2hunter, hunter2hunterhunter2hunter b", "a ***, ****** b");
	shown_is(&mask, "hunter2hunte", "hunter2hunte");
	shown_is(&mask, "", "");
	mask_release(&mask);
}

static void a_secret_of_several_lines_is_hidden_line_by_line(void **state)
{
	struct mask mask = mask_of("-----BEGIN-----\r\nMIIEpAIB\nAA==\n-----END-----\n", NULL);

	assert_int_equal(mask.count, 3);
	shown_is(&mask, "key: -----BEGIN-----", "key: ***");
	shown_is(&mask, "MIIEpAIBMIIEpAIB", "******");
	shown_is(&mask, "AA==", "AA==");
	mask_release(&mask);
}

static void a_longer_secret_goes_before_a_shorter_one(void **state)
{
	struct mask mask = mask_of("password", "password-and-more");

	shown_is(&mask, "password-and-more password", "*** ***");
	mask_release(&mask);
}

static void short_secrets_are_not_looked_for(void **state)
{
	struct mask mask = mask_of("12345", "");

	assert_int_equal(mask.count, 0);
	shown_is(&mask, "12345", "12345");
	mask_release(&mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_occurrence_is_hidden),
		cmocka_unit_test(a_secret_of_several_lines_is_hidden_line_by_line),
		cmocka_unit_test(a_longer_secret_goes_before_a_shorter_one),
		cmocka_unit_test(short_secrets_are_not_looked_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
