#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/scope.h"
#include "registry/url.h"

static void hosts_that_two_readers_see_differently_are_refused(void **state)
{
	static const char *const cases[] = {
		"ftp://a/",         "file:///etc/passwd",   "gopher://a/",     "//a/",
		"http:/a",          "https://",             "https:///p",      "https://u@a/",
		"https://u:p@a/",   "https://a%2f@evil/",   "https://a%2fb/",  "https://a\\b/",
		"https://a b/",     "https://a/\r\nX: y",   "https://a/\x7f",  "https://a:0/",
		"https://a:65536/", "https://a:+80/",       "https://a:80x/",  "https://[::1/",
		"https://[::1]x/",  "https://[fe80::1%25e]/", "https://a,b/",
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e;
		struct url u;

		if (url_parse(cases[i], &u, &e) == 0)
			fail_msg("%s was taken, host %s", cases[i], u.host);
	}
}

static void errors_do_not_repeat_a_query_or_a_password(void **state)
{
	static const char *const cases[] = { "ftp://a/?X-Amz-Signature=secret", "https://u:secret@a/" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e;
		struct url u;

		assert_int_equal(url_parse(cases[i], &u, &e), -1);
		assert_null(strstr(e.text, "secret"));
	}
}

static void parts_are_found_and_ports_implied(void **state)
{
	struct error e;
	struct url a, b;
	char text[URL_ORIGIN];

	assert_int_equal(url_parse("HTTPS://Example.COM/p?q", &a, &e), 0);
	assert_int_equal(url_parse("https://example.com:443", &b, &e), 0);
	assert_string_equal(a.host, "example.com");
	assert_string_equal(a.target, "/p?q");
	assert_true(url_same_origin(&a, &b));
	assert_int_equal(url_parse("http://[::1]:5000/", &a, &e), 0);
	assert_string_equal(a.host, "::1");
	assert_string_equal(url_origin(&a, text), "http://[::1]:5000");
	assert_false(url_same_origin(&a, &b));
}

static void locations_are_resolved_as_rfc_3986_says(void **state)
{
	static const char base[] = "http://a/b/c/d;p?q";
	static const struct {
		const char *reference, *result;
	} cases[] = {
		{ "http://z/x", "http://z/x" }, { "g", "http://a/b/c/g" }, { "./g", "http://a/b/c/g" },
		{ "g/", "http://a/b/c/g/" },    { "/g", "http://a/g" },    { "//g", "http://g" },
		{ "?y", "http://a/b/c/d;p?y" }, { "g?y", "http://a/b/c/g?y" },
		{ "#s", "http://a/b/c/d;p?q" }, { "g#s", "http://a/b/c/g" },
		{ ";x", "http://a/b/c/;x" },    { "", "http://a/b/c/d;p?q" },
		{ ".", "http://a/b/c/" },       { "./", "http://a/b/c/" }, { "..", "http://a/b/" },
		{ "../g", "http://a/b/g" },     { "../..", "http://a/" },  { "../../g", "http://a/g" },
		{ "../../../g", "http://a/g" }, { "/./g", "http://a/g" },  { "/../g", "http://a/g" },
		{ "g.", "http://a/b/c/g." },    { "..g", "http://a/b/c/..g" },
		{ "./g/.", "http://a/b/c/g/" }, { "g/../h", "http://a/b/c/h" },
		/* What a registry put into its query comes back as it was (H154). */
		{ "/u?_state=a%2Fb%3D%3d", "http://a/u?_state=a%2Fb%3D%3d" },
		{ "/u?next=/../x", "http://a/u?next=/../x" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e;
		auto_free char *result = url_resolve(base, cases[i].reference, &e);

		if (!result)
			fail_msg("%s: %s", cases[i].reference, e.text);
		assert_string_equal(result, cases[i].result);
	}
}

/* H155, H189 */
static void addresses_are_known_for_what_they_reach(void **state)
{
	static const struct {
		const char *host;
		enum url_reach reach;
	} cases[] = {
		{ "example.com", URL_PUBLIC },    { "8.8.8.8", URL_PUBLIC },
		{ "x.local", URL_PUBLIC },        { "notlocalhost", URL_PUBLIC },
		{ "localhost", URL_LOOPBACK },    { "x.localhost", URL_LOOPBACK },
		{ "localhost.", URL_LOOPBACK },   { "127.8.9.1", URL_LOOPBACK },
		{ "0.0.0.0", URL_LOOPBACK },      { "::", URL_LOOPBACK },
		{ "::1", URL_LOOPBACK },          { "2130706433", URL_LOOPBACK },
		{ "0x7f.1", URL_LOOPBACK },       { "::ffff:127.0.0.1", URL_LOOPBACK },
		{ "10.0.0.1", URL_PRIVATE },      { "172.31.0.1", URL_PRIVATE },
		{ "172.32.0.1", URL_PUBLIC },     { "192.168.1.1", URL_PRIVATE },
		{ "fd00::1", URL_PRIVATE },       { "169.254.169.254", URL_LINK_LOCAL },
		{ "fe80::1", URL_LINK_LOCAL },    { "::ffff:169.254.169.254", URL_LINK_LOCAL },
		{ "2001:db8::1", URL_PUBLIC },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (url_reach(cases[i].host) != cases[i].reach)
			fail_msg("%s: %d", cases[i].host, url_reach(cases[i].host));
}

static void escaping_leaves_only_unreserved_characters(void **state)
{
	auto_free char *text = url_escape("aZ9-._~ /:&=%\xc3");

	assert_string_equal(text, "aZ9-._~%20%2F%3A%26%3D%25%C3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hosts_that_two_readers_see_differently_are_refused),
		cmocka_unit_test(errors_do_not_repeat_a_query_or_a_password),
		cmocka_unit_test(parts_are_found_and_ports_implied),
		cmocka_unit_test(locations_are_resolved_as_rfc_3986_says),
		cmocka_unit_test(addresses_are_known_for_what_they_reach),
		cmocka_unit_test(escaping_leaves_only_unreserved_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
