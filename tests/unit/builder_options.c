#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/command/options.h"
#include "layers/scope.h"

static const struct option_row rows[] = {
	{ "all", 'a', NULL, "Show all images" },
	{ "quiet", 'q', NULL, "Show ids only" },
	{ "tag", 't', "name", "Name of the image" },
	{ "build-arg", 0, "name=value", "Set a variable" },
	{ "compress", 0, NULL, NULL },
	{ NULL },
};
static const struct usage usage = { "thing", "[OPTIONS] PATH", "Do the thing", rows, 1, 2 };

/* Parse the words of LINE after the command's name. */
static int parse(char *line, struct options *o, struct error *e)
{
	static char *words[32];
	int count = 1;

	words[0] = (char *)"thing";
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	return options_parse(&usage, count, words, o, e);
}

static void every_spelling_of_a_value_is_understood(void **state)
{
	static const char *const lines[] = { "--tag x .", "--tag=x .", "-t x .", "-tx .", "-t=x .",
		                                 ". -t x", "-qt x .", "-t y --tag x .", "-t x -- ." };

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		auto_free char *line = strdup(lines[i]);
		struct options o;
		struct error e;

		if (parse(line, &o, &e) < 0)
			fail_msg("%s: %s", lines[i], e.text);
		assert_string_equal(options_value(&o, "tag"), "x");
		assert_int_equal(o.argument_count, 1);
		assert_string_equal(o.arguments[0], ".");
		options_release(&o);
	}
}

static void switches_combine_and_take_a_truth(void **state)
{
	static const struct {
		const char *line;
		bool all, quiet;
	} cases[] = {
		{ ".", true, false },
		{ "-aq .", true, true },
		{ "--all=false --quiet=1 .", false, true },
		{ "-a=F -q=t .", false, true },
		{ "--quiet --quiet=false -- .", true, false },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_free char *line = strdup(cases[i].line);
		struct options o;
		struct error e;

		assert_int_equal(parse(line, &o, &e), 0);
		assert_int_equal(options_switch(&o, "all", true), cases[i].all);
		assert_int_equal(options_switch(&o, "quiet", false), cases[i].quiet);
		options_release(&o);
	}
}

static void repeated_values_come_in_order(void **state)
{
	char line[] = "--build-arg A=1 . --build-arg=B --build-arg C= -";
	struct options o;
	struct error e;
	size_t at = 0;

	assert_int_equal(parse(line, &o, &e), 0);
	assert_string_equal(options_next(&o, "build-arg", &at), "A=1");
	assert_string_equal(options_next(&o, "build-arg", &at), "B");
	assert_string_equal(options_next(&o, "build-arg", &at), "C=");
	assert_null(options_next(&o, "build-arg", &at));
	assert_string_equal(o.arguments[1], "-");
	options_release(&o);
}

static void what_is_not_understood_is_said(void **state)
{
	static const struct {
		const char *line, *text;
	} cases[] = {
		{ "--tga x .", "unknown flag: --tga (did you mean --tag?)" },
		{ "--frobnicate=1 .", "unknown flag: --frobnicate" },
		{ "-ax .", "unknown shorthand flag: 'x' in -ax" },
		{ ". --tag", "flag needs an argument: --tag" },
		{ ". -qt", "flag needs an argument: 't' in -qt" },
		{ "--all=maybe .", "invalid argument \"maybe\" for \"--all\": it is true or false" },
		{ "-q", "cairn thing needs at least 1 argument" },
		{ "a b c", "cairn thing takes at most 2 arguments, not 3" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_free char *line = strdup(cases[i].line);
		struct options o;
		struct error e;

		assert_int_equal(parse(line, &o, &e), -1);
		assert_string_equal(e.text, cases[i].text);
		assert_int_equal(e.kind, ERROR_INPUT);
		options_release(&o);
	}
}

static void help_is_made_from_the_rows(void **state)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	char line[] = "--help --nonsense";
	struct options o;
	struct error e;

	assert_int_equal(parse(line, &o, &e), 0);
	assert_true(o.help);
	options_release(&o);
	options_help(&usage, f);
	fclose(f);
	assert_string_equal(text, "Usage:  cairn thing [OPTIONS] PATH\n"
	                          "\n"
	                          "Do the thing\n"
	                          "\n"
	                          "Options:\n"
	                          "  -a, --all                   Show all images\n"
	                          "  -q, --quiet                 Show ids only\n"
	                          "  -t, --tag name              Name of the image\n"
	                          "      --build-arg name=value  Set a variable\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_spelling_of_a_value_is_understood),
		cmocka_unit_test(switches_combine_and_take_a_truth),
		cmocka_unit_test(repeated_values_come_in_order),
		cmocka_unit_test(what_is_not_understood_is_said),
		cmocka_unit_test(help_is_made_from_the_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
