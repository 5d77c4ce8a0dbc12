#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/scope.h"
#include "registry/reference.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* H062, H180 */
static void names_become_canonical_as_docker_does(void **state)
{
	static const struct {
		const char *text, *canonical, *familiar, *host;
	} cases[] = {
		{ "alpine", "docker.io/library/alpine", "alpine", "registry-1.docker.io" },
		{ "library/alpine", "docker.io/library/alpine", "alpine", "registry-1.docker.io" },
		{ "docker.io/alpine", "docker.io/library/alpine", "alpine", "registry-1.docker.io" },
		{ "index.docker.io/alpine:3", "docker.io/library/alpine:3", "alpine:3",
		  "registry-1.docker.io" },
		{ "a/b", "docker.io/a/b", "a/b", "registry-1.docker.io" },
		{ "a/b/c", "docker.io/a/b/c", "a/b/c", "registry-1.docker.io" },
		{ "localhost/x", "localhost/x", "localhost/x", "localhost" },
		{ "a.b/c", "a.b/c", "a.b/c", "a.b" },
		{ "host:5000/x:t", "host:5000/x:t", "host:5000/x:t", "host:5000" },
		{ "HOST/x", "HOST/x", "HOST/x", "HOST" },
		{ "[::1]:5000/a", "[::1]:5000/a", "[::1]:5000/a", "[::1]:5000" },
		{ "[fe80::1]/a", "[fe80::1]/a", "[fe80::1]/a", "[fe80::1]" },
		{ "a__b/c-_d", NULL, NULL, NULL },
		{ "a__b/c--d.e_f", "docker.io/a__b/c--d.e_f", "a__b/c--d.e_f", "registry-1.docker.io" },
		{ "n:T_1.x-y@sha256:" HEX, "docker.io/library/n:T_1.x-y@sha256:" HEX,
		  "n:T_1.x-y@sha256:" HEX, "registry-1.docker.io" },
		{ "r.io/n@sha256:" HEX, "r.io/n@sha256:" HEX, "r.io/n@sha256:" HEX, "r.io" },
		{ "x.evil.com/docker.io/a", "x.evil.com/docker.io/a", "x.evil.com/docker.io/a",
		  "x.evil.com" },
		{ "docker.io.evil.com/a", "docker.io.evil.com/a", "docker.io.evil.com/a",
		  "docker.io.evil.com" },
		{ "index.docker.io.evil/a", "index.docker.io.evil/a", "index.docker.io.evil/a",
		  "index.docker.io.evil" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;
		struct error e;
		int result = reference_parse(cases[i].text, &r, &e);

		if (!cases[i].canonical) {
			assert_int_equal(result, -1);
			continue;
		}
		if (result < 0)
			fail_msg("%s: %s", cases[i].text, e.text);
		auto_free char *canonical = reference_format(&r), *familiar = reference_familiar(&r);

		assert_string_equal(canonical, cases[i].canonical);
		assert_string_equal(familiar, cases[i].familiar);
		assert_string_equal(reference_host(&r), cases[i].host);
	}
}

/* H062, H185, H190 */
static void what_the_grammar_does_not_know_is_refused_in_dockers_words(void **state)
{
	static const char bad[] = "invalid reference format";
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "", bad }, { "/a", bad }, { "a/", bad }, { "a//b", bad }, { "-a", bad }, { "a..b", bad },
		{ "a_-b", bad }, { "a:", bad }, { "a:-t", bad }, { "a:.t", bad }, { "a:t:u", bad },
		{ "a b", bad }, { "a\nb", bad }, { "host\nusername=x/a", bad }, { "@sha256:" HEX, bad },
		{ "[::1/a", bad }, { "[fe80::1%25eth0]/a", bad }, { "[]/a", bad }, { "h:x/a", bad },
		{ "h:/a", bad }, { "-h.io/a", bad }, { "h..io/a", bad }, { "a.io/..", bad },
		{ "a.io/../b", bad }, { "\xc3\xa4.io/a", bad }, { "docker.io./a", bad }, { "u@docker.io/a", bad },
		{ "u:p@docker.io/a", bad }, { "docker.io%2f.evil.com/a", bad }, { "docker.io\\.evil.com/a", bad },
		{ "Alpine", "invalid reference format: repository name (library/Alpine) must be lowercase" },
		{ "r.io/A/b", "invalid reference format: repository name (A/b) must be lowercase" },
		{ "a@sha256:12", "invalid reference format: \"sha256:12\" is not a digest "
		                 "(sha256: and 64 hex digits)" },
		{ "a@md5:" HEX, "invalid reference format: \"md5:" HEX "\" is not a digest "
		                "(sha256: and 64 hex digits)" },
		{ HEX, "invalid repository name (" HEX "), cannot specify 64-byte hexadecimal strings" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;
		struct error e;

		if (reference_parse(cases[i].text, &r, &e) == 0)
			fail_msg("\"%s\" was taken", cases[i].text);
		assert_string_equal(e.text, cases[i].error);
		assert_int_equal(e.kind, ERROR_INPUT);
	}
}

/* H190 */
static void names_and_tags_have_their_greatest_length(void **state)
{
	char tag[2 + 129 + 1] = "n:", name[300];
	struct reference r;
	struct error e;

	memset(tag + 2, 't', 128);
	assert_int_equal(reference_parse(tag, &r, &e), 0);
	memset(tag + 2, 't', 129);
	assert_int_equal(reference_parse(tag, &r, &e), -1);
	assert_string_equal(e.text, "invalid reference format");

	memset(name, 'n', sizeof name);
	memcpy(name, "r.io/", 5);
	name[5 + 255] = '\0';
	assert_int_equal(reference_parse(name, &r, &e), 0);
	name[5 + 255] = 'n';
	name[5 + 256] = '\0';
	assert_int_equal(reference_parse(name, &r, &e), -1);
	assert_string_equal(e.text, "repository name must not be more than 255 characters");
}

static void latest_is_meant_only_where_nothing_is_said(void **state)
{
	static const struct {
		const char *text, *tag;
	} cases[] = { { "a", "latest" }, { "a:1", "1" }, { "a@sha256:" HEX, "" } };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct reference r;
		struct error e;

		assert_int_equal(reference_parse(cases[i].text, &r, &e), 0);
		reference_default_tag(&r);
		assert_string_equal(r.tag, cases[i].tag);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_become_canonical_as_docker_does),
		cmocka_unit_test(what_the_grammar_does_not_know_is_refused_in_dockers_words),
		cmocka_unit_test(names_and_tags_have_their_greatest_length),
		cmocka_unit_test(latest_is_meant_only_where_nothing_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
