#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "registry/challenge.h"
#include "registry/realm.h"

/* H158 */
static void challenges_are_read_however_they_are_written(void **state)
{
	static const struct {
		const char *value;
		enum auth_scheme scheme;
		const char *realm, *service, *scope;
	} cases[] = {
		{ "Bearer realm=\"https://a/t\",service=\"s\",scope=\"repository:x:pull,push\"",
		  AUTH_BEARER, "https://a/t", "s", "repository:x:pull,push" },
		{ "bearer Realm = \"https://a/t\" , SCOPE=\"a b\"", AUTH_BEARER, "https://a/t", NULL, "a b" },
		{ "Bearer realm=https://a/t,service=s", AUTH_BEARER, "https://a/t", "s", NULL },
		{ "Basic realm=\"x, Bearer realm=y\"", AUTH_BASIC, "x, Bearer realm=y", NULL, NULL },
		{ "Basic realm=\"b\", Bearer realm=\"https://a/t\"", AUTH_BEARER, "https://a/t", NULL, NULL },
		{ "Bearer realm=\"https://a/t\", Basic realm=\"b\"", AUTH_BEARER, "https://a/t", NULL, NULL },
		{ "Negotiate, Basic realm=b", AUTH_BASIC, "b", NULL, NULL },
		{ "Negotiate abc==, Basic realm=b", AUTH_BASIC, "b", NULL, NULL },
		{ "Basic", AUTH_BASIC, NULL, NULL, NULL },
		{ "Bearer realm=\"q\\\"uote\\\\\"", AUTH_BEARER, "q\"uote\\", NULL, NULL },
		{ "Bearer realm=\"https://a/t?x=1\"", AUTH_BEARER, "https://a/t?x=1", NULL, NULL },
		{ "Bearer realm=\"one\",realm=\"two\"", AUTH_BEARER, "one", NULL, NULL },
		{ "Bearer service=\"s\"", AUTH_NONE, NULL, NULL, NULL },
		{ "Bearer realm=\"unterminated", AUTH_BEARER, "unterminated", NULL, NULL },
		{ "Digest realm=\"x\"", AUTH_NONE, NULL, NULL, NULL },
		{ "", AUTH_NONE, NULL, NULL, NULL },
		{ "\x01\x02", AUTH_NONE, NULL, NULL, NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct challenge c = { 0 };
		struct error e;
		const char *is[3], *want[3] = { cases[i].realm, cases[i].service, cases[i].scope };

		assert_int_equal(challenge_parse(cases[i].value, &c, &e), 0);
		if (c.scheme != cases[i].scheme)
			fail_msg("%s: scheme %d", cases[i].value, c.scheme);
		is[0] = c.realm;
		is[1] = c.service;
		is[2] = c.scope;
		for (size_t k = 0; k < 3; k++)
			if (!is[k] != !want[k] || (is[k] && strcmp(is[k], want[k]) != 0))
				fail_msg("%s: \"%s\"", cases[i].value, is[k] ? is[k] : "nothing");
		challenge_release(&c);
	}
}

/* H062 */
static void credentials_stay_with_their_owner(void **state)
{
	static const struct {
		const char *host, *realm;
		int trusted;
	} cases[] = {
		{ "registry-1.docker.io", "auth.docker.io", 1 },
		{ "registry.gitlab.com", "gitlab.com", 1 },
		{ "ghcr.io", "ghcr.io", 1 },
		{ "quay.io", "QUAY.IO", 1 },
		{ "registry.corp.example.com", "sso.example.com", 1 },
		{ "registry.example.co.uk", "auth.example.co.uk", 1 },
		{ "nvcr.io", "authn.nvidia.com", 1 },
		{ "rg.fr-par.scw.cloud", "api.scaleway.com", 1 },
		{ "127.0.0.1", "127.0.0.1", 1 },
		{ "10.0.0.5", "10.0.0.5", 1 },
		{ "ghcr.io", "evil.com", 0 },
		{ "ghcr.io", "ghcr.io.evil.com", 0 },
		{ "ghcr.io", "evilghcr.io", 0 },
		{ "auth.docker.io.evil.com", "auth.docker.io", 0 },
		{ "a.co.uk", "b.co.uk", 0 },
		{ "mine.azurecr.io", "theirs.azurecr.io", 0 },
		{ "1.dkr.ecr.us-east-1.amazonaws.com", "evil.s3.amazonaws.com", 0 },
		{ "mine.run.app", "theirs.run.app", 0 },
		{ "127.0.0.1", "127.0.0.2", 0 },
		{ "localhost", "127.0.0.1", 0 },
		{ "1.2.3.4", "9.9.3.4", 0 },
		{ "registry", "auth", 0 },
		{ "x.scw.cloud.evil.com", "api.scaleway.com", 0 },
		{ "mine.azurecr.io", "mine.azurecr.io.evil.com", 0 },
		{ "mine.azurecr.io.evil.com", "mine.azurecr.io", 0 },
		{ "nvcr.io.evil.com", "authn.nvidia.com", 0 },
		{ "ghcr.io", "ghcr.io.", 0 },
		{ "ghcr.io", "io", 0 },
	};

	unsetenv("CAIRN_TOKEN_HOSTS");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		if (realm_is_trusted(cases[i].host, cases[i].realm) != cases[i].trusted)
			fail_msg("%s -> %s", cases[i].host, cases[i].realm);
	setenv("CAIRN_TOKEN_HOSTS", "a.example, sso.example", 1);
	assert_true(realm_is_trusted("ghcr.io", "sso.example"));
	assert_false(realm_is_trusted("ghcr.io", "o.example"));
	unsetenv("CAIRN_TOKEN_HOSTS");
}

/* H153, H314 */
static void token_servers_are_checked_before_they_are_asked(void **state)
{
	static const struct {
		const char *from, *realm;
		bool credentials;
		const char *error; /* NULL: may be asked */
	} cases[] = {
		{ "https://r.io/", "https://other.io/token", false, NULL },
		{ "https://r.io/", "https://other.io/token", true, "a stranger" },
		{ "https://r.io/", "http://r.io/token", false, "not encrypted" },
		{ "https://r.io/", "http://127.0.0.1/token", false, "not encrypted" },
		{ "https://r.io/", "https://127.0.0.1/token", false, "an internal address" },
		{ "https://r.io/", "https://169.254.169.254/latest", false, "an internal address" },
		{ "https://r.io/", "https://[::]/", false, "an internal address" },
		{ "http://127.0.0.1:5000/", "http://169.254.169.254/", false, "not encrypted" },
		{ "http://127.0.0.1:5000/", "http://127.0.0.1:5001/token", true, NULL },
		{ "http://127.0.0.1:5000/", "http://127.0.0.2/token", true, "a stranger" },
		{ "https://10.0.0.5/", "https://10.0.0.5:8443/token", true, NULL },
		{ "https://r.io/", "file:///etc/passwd", false, "only http and https" },
		{ "https://r.io/", "https://u@r.io/", false, "user and password" },
	};
	struct error e;
	struct http_settings settings = { 0 };
	struct http *h = http_open(&settings, &e);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int result = realm_check(h, cases[i].from, cases[i].realm, cases[i].credentials, &e);

		if (result != (cases[i].error ? -1 : 0))
			fail_msg("%s -> %s: %d", cases[i].from, cases[i].realm, result);
		if (cases[i].error && !strstr(e.text, cases[i].error))
			fail_msg("%s -> %s: %s", cases[i].from, cases[i].realm, e.text);
	}
	http_close(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(challenges_are_read_however_they_are_written),
		cmocka_unit_test(credentials_stay_with_their_owner),
		cmocka_unit_test(token_servers_are_checked_before_they_are_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
