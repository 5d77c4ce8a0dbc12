/* Names of downloads; transfers are tested by whole builds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "builder/copy/download.h"

static const struct {
	const char *url, *name; /* NULL: refused */
} names[] = {
	{ "http://h/a/b.txt", "b.txt" },
	{ "http://h/a/b.txt?x=/y/z#f", "b.txt" },
	{ "https://h", "__unnamed__" },
	{ "https://h/", "__unnamed__" },
	{ "https://h//", "__unnamed__" },
	{ "https://h?q=/x", "__unnamed__" },
	{ "http://h/a/b/", "b" },
	{ "http://h/a/b//?x", "b" },
	{ "http://h/with%20blank", "with blank" },
	{ "http://h/a%2f..%2fb", "b" },
	{ "http://h/%2e%2e", NULL },
	{ "http://h/a/.", NULL },
	{ "http://h/a%00b", NULL },
	{ "http://h/a%0ab", NULL },
	{ "http://h/%zz", "%zz" },
};

static void the_name_is_the_last_part_of_the_path(void **state)
{
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		char *name = download_name(names[i].url, &e);

		if (names[i].name) {
			assert_non_null(name);
			assert_string_equal(name, names[i].name);
		} else {
			assert_null(name);
			assert_string_equal(e.text, "the URL ends in no name for a file");
		}
		free(name);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_name_is_the_last_part_of_the_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
