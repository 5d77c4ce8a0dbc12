/* Addresses of repositories, taken apart; what git could misunderstand is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include "builder/copy/git.h"

static const struct {
	const char *text;
	const char *remote, *ref, *subdir, *checksum; /* "": none */
} places[] = {
	{ "https://h/x.git", "https://h/x.git", "", "", "" },
	{ "https://h/x.git#main", "https://h/x.git", "main", "", "" },
	{ "https://h/x.git#main:a/b", "https://h/x.git", "main", "a/b", "" },
	{ "https://h/x.git#:a", "https://h/x.git", "", "a", "" },
	{ "git@h:x/y#v1", "git@h:x/y", "v1", "", "" },
	{ "ssh://git@h/x?tag=v1&subdir=d", "ssh://git@h/x", "refs/tags/v1", "d", "" },
	{ "git://h/x.git?branch=b&commit=0a1f", "git://h/x.git", "refs/heads/b", "", "0a1f" },
};

static const struct {
	const char *text, *error;
} refused[] = {
	{ "https://h/x.git#--upload-pack=x", "git ref \"--upload-pack=x\" begins with a dash" },
	{ "https://h/x.git#a b", "git ref \"a b\" is not allowed" },
	{ "https://h/x.git#main:../..", "git subdir \"../..\" is not allowed" },
	{ "https://h/x.git#:a/.git", "git subdir \"a/.git\" is not allowed" },
	{ "ssh://-oProxyCommand=x/y", "\"ssh://-oProxyCommand=x/y\" names no host" },
	{ "ssh://a@-oProxyCommand=x/y", "\"ssh://a@-oProxyCommand=x/y\" names no host" },
	{ "https://h/x.git?ref=a#b", "two values for the ref of a git repository" },
	{ "https://h/x.git?tag=a&branch=b", "two values for the ref of a git repository" },
	{ "https://h/x.git?commit=main", "git checksum \"main\" is no commit" },
	{ "https://h/x.git?commit=0a1f&fetch-by-commit=true", "fetch-by-commit needs all digits of a commit" },
	{ "https://h/x.git?what=1", "unexpected query \"what\" of a git repository" },
};

static void same(const char *got, const char *expected)
{
	assert_string_equal(got ? got : "", expected);
}

static void fragments_and_queries_say_what_is_wanted(void **state)
{
	struct git_place p;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
		assert_true(git_is_place(places[i].text));
		assert_int_equal(git_place_parse(places[i].text, &p, &e), 0);
		same(p.remote, places[i].remote);
		same(p.ref, places[i].ref);
		same(p.subdir, places[i].subdir);
		same(p.checksum, places[i].checksum);
		git_place_release(&p);
	}
}

static void options_and_ways_out_are_refused(void **state)
{
	struct git_place p;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
		assert_int_equal(git_place_parse(refused[i].text, &p, &e), -1);
		assert_string_equal(e.text, refused[i].error);
		git_place_release(&p);
	}
}

static void other_things_are_no_repositories(void **state)
{
	(void)state;
	assert_false(git_is_place("https://h/x.tar.gz"));
	assert_false(git_is_place("ext::sh -c x"));
	assert_false(git_is_place("file:///x.git"));
	assert_false(git_is_place("./a@b:c"));
	assert_false(git_is_place("folder"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fragments_and_queries_say_what_is_wanted),
		cmocka_unit_test(options_and_ways_out_are_refused),
		cmocka_unit_test(other_things_are_no_repositories),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
