/* Where in a file the parts of an instruction stand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "parser/place.h"

static const char text[] =
	"FROM scratch\n"
	"  COPY --chown=\"a b\" one one.txt \\\n"
	"# a comment\n"
	"\t\\\n"
	"  'two words' /one\n";

/* The place of byte COLUMN of WORD in the COPY, as "line:column"; "" when it is not there. */
static const char *place_of(const char *word, int column)
{
	static char result[32];
	struct dockerfile *d = dockerfile_parse(text, strlen(text));
	const struct instruction *in = &d->instruction[1];
	const char *at = instruction_find(in, word, column);
	struct place place = instruction_place(in, at);

	assert_int_equal(d->error_count, 0);
	*result = '\0';
	if (at)
		snprintf(result, sizeof result, "%d:%d", place.line, place.column);
	dockerfile_free(d);
	return result;
}

static void words_are_found_where_they_stand_alone(void **state)
{
	assert_string_equal(place_of("one", 0), "2:22");
	assert_string_equal(place_of("one.txt", 0), "2:26");
	assert_string_equal(place_of(".txt", 0), "2:29");
	assert_string_equal(place_of("/one", 0), "5:15");
	assert_string_equal(place_of("two", 0), "5:4");
}

static void a_column_is_within_the_word(void **state)
{
	assert_string_equal(place_of("one.txt", 1), "2:26");
	assert_string_equal(place_of("one.txt", 4), "2:29");
	assert_string_equal(place_of("/one", 2), "5:16");
}

static void what_lost_its_quotes_is_looked_for_in_part(void **state)
{
	assert_string_equal(place_of("--chown=a b", 0), "2:8");
	assert_string_equal(place_of("x,/one", 3), "5:15");
}

static void the_keyword_is_no_argument(void **state)
{
	struct dockerfile *d = dockerfile_parse(text, strlen(text));
	struct place place = instruction_place(&d->instruction[1], NULL);

	assert_string_equal(place_of("COPY", 0), "");
	assert_string_equal(place_of("", 0), "");
	assert_int_equal(place.line, 2);
	assert_int_equal(place.column, 3);
	dockerfile_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_are_found_where_they_stand_alone),
		cmocka_unit_test(a_column_is_within_the_word),
		cmocka_unit_test(what_lost_its_quotes_is_looked_for_in_part),
		cmocka_unit_test(the_keyword_is_no_argument),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
