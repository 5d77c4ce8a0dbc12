/* "Did you mean", and the value of check=. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "parser/check.h"
#include "parser/suggest.h"

static const char *const options[] = { "compile", "final", "test", "tests" };

static void the_nearest_within_two_edits_is_meant(void **state)
{
	assert_string_equal(suggestion("compiel", options, 4), "compile");
	assert_string_equal(suggestion("fnal", options, 4), "final");
	assert_string_equal(suggestion("finale", options, 4), "final");
	assert_string_equal(suggestion("testss", options, 4), "tests");
	assert_null(suggestion("cmpl", options, 4));
	assert_null(suggestion("", options, 4));
	assert_null(suggestion("compile", NULL, 0));
}

static void an_exact_match_needs_no_hint(void **state)
{
	assert_null(suggestion("test", options, 4));
}

static void very_long_words_are_nobodys_slip(void **state)
{
	char word[5000];

	memset(word, 'a', sizeof word);
	word[sizeof word - 1] = '\0';
	assert_null(suggestion(word, options, 4));
	assert_null(suggestion("aaa", (const char *const[]){ word }, 1));
}

static void the_hint_follows_the_message(void **state)
{
	struct syntax_error e;

	syntax_error_set(&e, "no stage %s", "tset");
	assert_int_equal(suggest(&e, "tset", options, 4), -1);
	assert_string_equal(e.text, "no stage tset (did you mean test?)");
	memset(e.text, 'x', sizeof e.text - 1);
	e.text[sizeof e.text - 1] = '\0';
	suggest(&e, "tset", options, 4);
	assert_int_equal(strlen(e.text), sizeof e.text - 1);
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	struct syntax_error e;

	syntax_error_set(&e, "%s", "a\033[31m\nb\177");
	assert_string_equal(e.text, "a?[31m?b?");
}

static void checks_are_skipped_and_wanted_by_name(void **state)
{
	struct syntax_error e;
	struct check check;

	assert_int_equal(check_parse("skip=A, B;error=true;experimental=C", &check, &e), 0);
	assert_true(check_skips(&check, "A"));
	assert_true(check_skips(&check, "B"));
	assert_false(check_skips(&check, "C"));
	assert_false(check_skips(&check, "AB"));
	assert_true(check_wants(&check, "C"));
	assert_false(check_wants(&check, "A"));
	assert_true(check.error);
	assert_int_equal(check_parse("skip=all;experimental=all", &check, &e), 0);
	assert_true(check_skips(&check, "X"));
	assert_true(check_wants(&check, "X"));
	assert_false(check.error);
	assert_int_equal(check_parse("", &check, &e), 0);
	assert_false(check_skips(&check, "A"));
}

static void mistakes_in_checks_are_named(void **state)
{
	struct syntax_error e;
	struct check check;

	assert_int_equal(check_parse("skipp=all", &check, &e), -1);
	assert_string_equal(e.text, "invalid check option \"skipp\"");
	assert_int_equal(check_parse("skip", &check, &e), -1);
	assert_string_equal(e.text, "invalid check option \"skip\"");
	assert_int_equal(check_parse("error=maybe", &check, &e), -1);
	assert_string_equal(e.text, "invalid value for check option error: maybe");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_within_two_edits_is_meant),
		cmocka_unit_test(an_exact_match_needs_no_hint),
		cmocka_unit_test(very_long_words_are_nobodys_slip),
		cmocka_unit_test(the_hint_follows_the_message),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(checks_are_skipped_and_wanted_by_name),
		cmocka_unit_test(mistakes_in_checks_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
