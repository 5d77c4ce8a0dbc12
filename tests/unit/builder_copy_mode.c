/* --chmod in octal and in letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "builder/copy/copy_mode.h"

static const struct {
	const char *text;
	unsigned before;
	bool is_dir;
	unsigned after;
} modes[] = {
	{ NULL, 0640, false, 0640 },
	{ "", 0640, false, 0640 },
	{ "0", 0640, false, 0 },
	{ "7777", 0640, true, 07777 },
	{ "u=rwX,go=rX", 0640, false, 0644 },
	{ "u=rwX,go=rX", 0710, false, 0755 },
	{ "u=rwX,go=rX", 0700, true, 0755 },
	{ "+x", 0640, false, 0751 },
	{ "g=u", 0640, false, 0660 },
	{ "a-w,u+s", 0710, false, 04510 },
	{ "g+s,+t", 0700, true, 03700 },
	{ "u=rw,g=r,o=", 0710, false, 0640 },
	{ "go-rwx", 0777, false, 0700 },
	{ "=r", 07777, false, 0444 },
	{ "u+w-x", 0555, false, 0655 & ~0100 },
	{ "o=g,g=u", 0640, false, 0664 },
};

static void modes_become_what_chmod_would_make_of_them(void **state)
{
	struct copy_mode m;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
		assert_int_equal(copy_mode_parse(modes[i].text, &m, &e), 0);
		assert_int_equal(copy_mode_apply(&m, modes[i].before, modes[i].is_dir),
		                 modes[i].after);
	}
}

static void what_is_no_mode_is_refused(void **state)
{
	static const char *const wrong[] = {
		"64a",  "8",   "10644", "77777777777777777777777777", "rw", "u", "u=rw,",
		",u=r", "u=q", "-1 ",
	};
	struct copy_mode m;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(copy_mode_parse(wrong[i], &m, &e), -1);
	assert_int_equal(copy_mode_parse("64a", &m, &e), -1);
	assert_string_equal(e.text, "invalid chmod parameter: '64a'. it should be octal string and "
	                    "between 0 and 07777, or changes such as u=rwX,go=rX");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes_become_what_chmod_would_make_of_them),
		cmocka_unit_test(what_is_no_mode_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
