/* Text for terminals and logs, compared to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "builder/safe_text.h"

static void assert_shown(const char *text, const char *shown)
{
	char *copy = safe_copy(text);

	assert_string_equal(copy, shown);
	free(copy);
}

static void control_characters_are_written_out(void **state)
{
	assert_shown("a\tb\033]0;title\007c\r", "a\tb\\x1b]0;title\\x07c\\x0d");
	assert_shown("two\nlines", "two\\nlines");
	assert_shown("\033[1;31mred\033[0m", "red");
	assert_shown("caf\303\251 \302\233 \377", "caf\303\251 \\xc2\\x9b \\xff");
}

static void passwords_in_addresses_are_not_shown(void **state)
{
	assert_shown("GET https://user:secret@host/x: 404", "GET https://user:xxxxx@host/x: 404");
	assert_shown("http://token@host", "http://xxxxx@host");
	assert_shown("a https://u:p@q@host?x#y http://u:r@h", "a https://u:xxxxx@host?x#y http://u:xxxxx@h");
	assert_shown("https://u:@host", "https://u:xxxxx@host");
	assert_shown("HTTPS://token@h HtTp://t@h", "HTTPS://xxxxx@h HtTp://xxxxx@h");
	assert_shown("ssh://git:secret@host/x", "ssh://git:xxxxx@host/x");
}

static void what_is_no_password_is(void **state)
{
	static const char *const texts[] = {
		"ssh://git@host/x.git", "git@host:x.git", "https://host/user:name@2", "https://host:80/a@b",
		"mail a:b@c", "://", "https://", "x://a b@c", "a:b@c://d", "",
	};

	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
		assert_shown(texts[i], texts[i]);
}

static void masking_leaves_all_other_bytes_alone(void **state)
{
	char *masked = mask_passwords("ADD\t\001 https://u:p\001@h/ \377");

	assert_string_equal(masked, "ADD\t\001 https://u:p\001@h/ \377");
	free(masked);
	masked = mask_passwords("ADD\t\001 https://u:p@h/ \377");
	assert_string_equal(masked, "ADD\t\001 https://u:xxxxx@h/ \377");
	free(masked);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(control_characters_are_written_out),
		cmocka_unit_test(passwords_in_addresses_are_not_shown),
		cmocka_unit_test(what_is_no_password_is),
		cmocka_unit_test(masking_leaves_all_other_bytes_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
