/* The wildcards of COPY, as Go's filepath.Match has them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "parser/pattern.h"

static void wildcards_match_as_in_go(void **state)
{
	static const struct {
		const char *pattern, *path;
		bool match;
	} rows[] = {
		{"abc", "abc", true},
		{"*", "abc", true},
		{"*c", "abc", true},
		{"a*", "a", true},
		{"a*", "abc", true},
		{"a*", "ab/c", false},
		{"a*/b", "abc/b", true},
		{"a*/b", "a/c/b", false},
		{"*", ".hidden", true},
		{"a*b*c*d*e*/f", "axbxcxdxe/f", true},
		{"a*b*c*d*e*/f", "axbxcxdxexxx/f", true},
		{"a*b*c*d*e*/f", "axbxcxdxe/xxx/f", false},
		{"a*b?c*x", "abxbbxdbxebxczzx", true},
		{"a*b?c*x", "abxbbxdbxebxczzy", false},
		{"ab[c]", "abc", true},
		{"ab[b-d]", "abc", true},
		{"ab[e-g]", "abc", false},
		{"ab[^c]", "abc", false},
		{"ab[^e-g]", "abc", true},
		{"a\\*b", "a*b", true},
		{"a\\*b", "ab", false},
		{"a?b", "a☺b", true},
		{"a[^a]b", "a☺b", true},
		{"a???b", "a☺b", false},
		{"[a-ζ]*", "α", true},
		{"*[a-ζ]", "A", false},
		{"a?b", "a/b", false},
		{"a*b", "a/b", false},
		{"[\\]a]", "]", true},
		{"[\\-]", "-", true},
		{"[x\\-]", "z", false},
		{"[\\-x]", "x", true},
		{"*x", "xxx", true},
		{"", "", true},
		{"", "a", false},
		{"**", "abc", true},
		{"a**b", "acb", true},
		{"?", "\xff", true},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(pattern_check(rows[i].pattern, NULL), 0);
		if (pattern_match(rows[i].pattern, rows[i].path) != rows[i].match)
			fail_msg("%s on %s", rows[i].pattern, rows[i].path);
	}
}

static void malformed_patterns_are_refused(void **state)
{
	static const char *const patterns[] = {
		"[]a]", "[-]", "[x-]", "[-x]", "[a-b-c]", "[",       "[^", "[^bc",
		"a[",   "a\\", "[\\",  "[a",   "a/b[",    "[a-b-d]", "*[", "[b-a]",
	};
	struct syntax_error e;

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		if (pattern_check(patterns[i], &e) == 0)
			fail_msg("%s is accepted", patterns[i]);
	}
	assert_int_equal(pattern_check("[", &e), -1);
	assert_string_equal(e.text, "syntax error in pattern \"[\"");
}

static void only_wildcards_and_escapes_are_wild(void **state)
{
	assert_true(pattern_is_wild("a*"));
	assert_true(pattern_is_wild("a?"));
	assert_true(pattern_is_wild("[a]"));
	assert_true(pattern_is_wild("a\\b"));
	assert_false(pattern_is_wild("a]b-c^"));
	assert_false(pattern_is_wild(""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wildcards_match_as_in_go),
		cmocka_unit_test(malformed_patterns_are_refused),
		cmocka_unit_test(only_wildcards_and_escapes_are_wild),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
