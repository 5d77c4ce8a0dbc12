/* Which rule decides about which path. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parser/ignore.h"

static struct ignore *parse(const char *text)
{
	struct syntax_error e = { 0 };
	struct ignore *rules = ignore_parse(text, strlen(text), &e);

	if (!rules)
		fail_msg("%s: %s", text, e.text);
	return rules;
}

/* Check that TEXT leaves out the paths in OUT, one a word, and none of those in KEPT. */
static void check(const char *text, const char *out, const char *kept)
{
	struct ignore *rules = parse(text);
	const char *const lists[] = { kept, out };

	for (int excluded = 0; excluded < 2; excluded++) {
		char *copy = strdup(lists[excluded]), *left = copy, *path;

		while ((path = strsep(&left, " "))) {
			if (ignore_excludes(rules, path) != (excluded && *path))
				fail_msg("\"%s\" %s \"%s\"", text,
					 excluded ? "keeps" : "leaves out", path);
		}
		free(copy);
	}
	ignore_free(rules);
}

/* H285, and so are the tests up to the last rule that matches. */
static void names_are_anchored_at_the_root(void **state)
{
	check("secret.txt\nbuild", "secret.txt build build/a build/deep/b",
	      "sub/secret.txt sub/build buildx");
	check("node_modules", "node_modules node_modules/a", "a/node_modules");
	check("a/b", "a/b a/b/c", "a b a/bb a/c");
}

static void comments_start_at_the_margin_only(void **state)
{
	check("# a comment\n\n  #odd\n#kept\n", "#odd", "#kept a");
}

static void slashes_and_blanks_around_make_no_difference(void **state)
{
	check("/one\ntwo/\n./sub/three\nq/../four\nfive//f\n  six  \t\n!  /six/f \nseven/",
	      "one/f two/f sub/three/f four/f five/f six/g seven", "six/f q three");
	check("\xef\xbb\xbf" "a\r\nb\r\n", "a b", "c");
}

static void nothing_matches_the_root_or_above(void **state)
{
	check("../a\nsub/../b\nc/..\n.\n/\n..\n../../x\n/../d", "b d", "a c/d sub x");
}

static void star_and_mark_stay_in_their_part(void **state)
{
	check("*.log\n*/tmp\n?x\nsub/*/cache*\nD*\n.d*",
	      "a.log .log sub/tmp ax sub/one/cache.d/f Dockerfile .dx",
	      "sub/b.log sub/deep/tmp aax x sub/one/two/cache");
	check("*", "a .a a/b", "");
	check("日?語*", "日本語 日本語x/y", "日語 日本x");
}

static void double_stars_match_any_number_of_parts(void **state)
{
	check("**/*.o\na/**/z\nout/**\n**/node_modules",
	      "top.o d/e/f.o a/z a/b/z a/b/c/z out/x out/x/y p/node_modules/m/i.js "
	      "node_modules/i.js",
	      "d/e/f.c a/b/zz out a node_modules2/i.js z");
	check("**", "a a/b .c", "");
	check("**/**/x/**/**", "x/a a/x/b", "x a/x y");
	check("a/**/b/**/c", "a/b/c a/x/b/y/z/c a/b/b/c/d", "a/b a/c b/c");
	check("**/a/b", "a/b x/a/b a/a/b x/a/b/c", "a/x/b b");
}

static void double_stars_inside_a_part_match_as_patternmatcher_does(void **state)
{
	check("**foo", "foo xfoo a/foo a/xfoo afoo/b", "foox a/foox");
	check("foo**", "foo foox foo/a fooo/b", "xfoo a/foo");
	check("a**b", "ab a/b axx/b a/x/b ax/b/c", "axb a");
	check("**.l*g", ".log a/.log", "x.log");
	check("a/**b*", "a/b a/bc a/x/b", "a/xb a");
	check("***", "a a/b", "");
	check("\\**x", "*x *ax", "x bx");
}

static void classes_and_escapes(void **state)
{
	check("[a-c]x\n[^a-c]y\n\\*z\n[\\]]w", "ax cx dy *z ]w", "dx ay bz aw");
	check("a\\/b", "a/b", "a b");
	check("[é-ü]", "ö", "o z");
}

static void the_last_rule_that_matches_wins(void **state)
{
	check("*.md\n!README*.md\nREADME-secret.md\n!late.txt\n*.txt",
	      "other.md README-secret.md late.txt", "README.md plain");
	check("!vendor/keep.txt\nvendor\nx/*\n!x/y\nx/y/z", "vendor/keep.txt x/a x/y/z",
	      "x x/y x/y/f");
	check("*\n!wanted\n!no3*/b", "unwanted no30 no30/c no4/b", "wanted wanted/x no30/b");
	check("vendor\n!vendor/keep/me.txt", "vendor vendor/a vendor/keep vendor/keep/not",
	      "vendor/keep/me.txt");
	check("a/b\n!a\na/b/c", "a/b/c", "a a/b a/b/d");
	check("!!x\n", "", "!x");
	check("*\n!!x\n", "x", "!x");
}

static void literal_rules_keep_their_place_among_others(void **state)
{
	check("a\n!*\na\n!a/b\n", "a a/c", "b a/b");
	check("*\n!a\n*\n", "a b", "");
	check("!a\n*\n!a\n!**/b", "c", "a b a/b c/b");
	check("**/x\n!a/x\n**/x/y", "x b/x a/x/y b/x/z", "a/x a/x/z");
	check("a\na\n!a\n!a\n", "", "a a/b");
}

/* H217 */
static void a_hundred_thousand_rules_are_looked_up(void **state)
{
	clock_t start = clock();
	struct ignore *rules;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	for (int i = 0; i < 100000; i++)
		fprintf(f, "vendor/lib%d/x\n", i);
	fclose(f);
	rules = parse(text);
	for (int i = 0; i < 100000; i++) {
		char path[64];

		snprintf(path, sizeof path, "vendor/lib%d/%c/y", i, "xy"[i % 2]);
		assert_int_equal(ignore_excludes(rules, path), i % 2 == 0);
	}
	assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
	ignore_free(rules);
	free(text);
}

static void the_rule_knows_its_line(void **state)
{
	struct ignore *rules = parse("# first\n*.md\n\n ! README.md \n");
	const struct ignore_rule *rule = ignore_match(rules, "a.md");

	assert_int_equal(rule->line, 2);
	assert_string_equal(rule->text, "*.md");
	assert_false(rule->exception);
	rule = ignore_match(rules, "README.md");
	assert_int_equal(rule->line, 4);
	assert_string_equal(rule->text, "! README.md");
	assert_true(rule->exception);
	assert_null(ignore_match(rules, "b"));
	assert_null(ignore_match(rules, ""));
	assert_true(ignore_has_exceptions(rules));
	ignore_free(rules);
}

static void check_below(const char *text, const char *folder, bool may)
{
	struct ignore *rules = parse(text);

	if (ignore_may_keep_below(rules, folder) != may)
		fail_msg("\"%s\" below \"%s\"", text, folder);
	ignore_free(rules);
}

static void folders_are_walked_only_for_what_may_come_back(void **state)
{
	check_below("vendor\n!vendor/keep/me.txt", "vendor", true);
	check_below("vendor\n!vendor/keep/me.txt", "vendor/keep", true);
	check_below("vendor\n!vendor/keep/me.txt", "vendor/other", false);
	check_below("*\n!src", "node_modules", false);
	check_below("*\n!src/**/*.c", "src", true);
	check_below("*\n!src/**/*.c", "src/deep/er", true);
	check_below("*\n!src/**/*.c", "lib", false);
	check_below("*\n!**/*.c", "lib", true);
	check_below("!vendor/keep\nvendor", "vendor", false);
	check_below("*\n!*/b", "no3", true);
	check_below("*\n!*/b", "no3/c", false);
	check_below("*\n!a**b", "ax", true);
	check_below("*\n!a**b", "bx", false);
	check_below("*", "a", false);
}

static void mistakes_name_their_line(void **state)
{
	struct syntax_error e;

	assert_null(ignore_parse("a\n!\n", 4, &e));
	assert_string_equal(e.text, "illegal exclusion pattern: \"!\"");
	assert_int_equal(e.line, 2);
	assert_null(ignore_parse("a\n\nb[\n", 6, &e));
	assert_string_equal(e.text, "syntax error in pattern \"b[\"");
	assert_int_equal(e.line, 3);
	assert_null(ignore_parse("a\0b", 3, &e));
	assert_string_equal(e.text, "a NUL byte: this is not a text file");
	assert_int_equal(e.line, 1);
}

static void patterns_of_a_flag_are_rules_too(void **state)
{
	const char *const patterns[] = { "*.txt", "!keep.txt" };
	struct syntax_error e;
	struct ignore *rules = ignore_from_patterns(patterns, 2, &e);

	assert_true(ignore_excludes(rules, "a.txt"));
	assert_false(ignore_excludes(rules, "keep.txt"));
	assert_int_equal(ignore_match(rules, "a.txt")->line, 0);
	ignore_free(rules);
	rules = ignore_from_patterns((const char *const[]){ "/a", "b", "! /b" }, 3, &e);
	assert_false(ignore_excludes(rules, "a"));
	assert_true(ignore_excludes(rules, "b"));
	ignore_free(rules);
	assert_null(ignore_from_patterns((const char *const[]){ "[" }, 1, &e));
}

static void no_rules_match_nothing(void **state)
{
	struct ignore *rules = parse("");

	assert_null(ignore_match(rules, "a"));
	assert_false(ignore_may_keep_below(rules, "a"));
	assert_false(ignore_has_exceptions(rules));
	ignore_free(rules);
}

/* Where a matcher that backtracks would take longer than the universe has been there (H217). */
static void hostile_patterns_take_no_time(void **state)
{
	static const char *const patterns[] = {
		"**/**/**/**/**/**/**/**/**/**/*a*b*c*d*e*f",
		"**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/a/**/b",
		"*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
		"**a**a**a**a**a**a**a**a**a**a**a**a**b*",
	};
	char path[4001];
	clock_t start = clock();

	for (size_t i = 0; i + 1 < sizeof path; i++)
		path[i] = i % 2 && i % 100 < 60 ? '/' : 'a';
	path[sizeof path - 1] = '\0';
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		struct ignore *rules = parse(patterns[i]);

		assert_false(ignore_excludes(rules, path));
		ignore_free(rules);
	}
	assert_true(clock() - start < CLOCKS_PER_SEC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_anchored_at_the_root),
		cmocka_unit_test(comments_start_at_the_margin_only),
		cmocka_unit_test(slashes_and_blanks_around_make_no_difference),
		cmocka_unit_test(nothing_matches_the_root_or_above),
		cmocka_unit_test(star_and_mark_stay_in_their_part),
		cmocka_unit_test(double_stars_match_any_number_of_parts),
		cmocka_unit_test(double_stars_inside_a_part_match_as_patternmatcher_does),
		cmocka_unit_test(classes_and_escapes),
		cmocka_unit_test(the_last_rule_that_matches_wins),
		cmocka_unit_test(literal_rules_keep_their_place_among_others),
		cmocka_unit_test(a_hundred_thousand_rules_are_looked_up),
		cmocka_unit_test(the_rule_knows_its_line),
		cmocka_unit_test(folders_are_walked_only_for_what_may_come_back),
		cmocka_unit_test(mistakes_name_their_line),
		cmocka_unit_test(patterns_of_a_flag_are_rules_too),
		cmocka_unit_test(no_rules_match_nothing),
		cmocka_unit_test(hostile_patterns_take_no_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
