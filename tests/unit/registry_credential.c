#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <sys/stat.h>

#include "layers/scope.h"
#include "registry/base64.h"
#include "registry/credential.h"

#define ECR "1234.dkr.ecr.us-east-1.amazonaws.com"

/* A folder that holds config.json and, first in PATH, credential helpers. */
static char folder[] = "/tmp/cairn-credential-XXXXXX";

static void put(const char *name, const char *text, mode_t mode)
{
	auto_free char *path = NULL;
	FILE *f;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	f = fopen(path, "w");
	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	chmod(path, mode);
}

static char *get(const char *name)
{
	auto_free char *path = NULL;
	char *text = calloc(1, 4096);
	FILE *f;

	assert_true(asprintf(&path, "%s/%s", folder, name) > 0);
	f = fopen(path, "r");
	assert_non_null(f);
	assert_true(fread(text, 1, 4095, f) > 0);
	fclose(f);
	return text;
}

static int start(void **state)
{
	auto_free char *path = NULL;

	unsetenv("DOCKER_AUTH_CONFIG");
	if (!mkdtemp(folder) || asprintf(&path, "%s:%s", folder, getenv("PATH")) < 0)
		return -1;
	return setenv("PATH", path, 1);
}

static int stop(void **state)
{
	auto_free char *command = NULL;

	return asprintf(&command, "rm -rf %s", folder) < 0 ? -1 : system(command);
}

/* What is found for DOMAIN, as "user:password", "token:T", "bearer:T" or "none". */
static void found(const char *domain, const char *repository, const char *want)
{
	auto_free char *is = NULL;
	struct credential c;
	struct error e;

	if (credential_find(folder, domain, repository, &c, &e) < 0)
		fail_msg("%s: %s", domain, e.text);
	if (c.registry_token)
		assert_true(asprintf(&is, "bearer:%s", c.registry_token) > 0);
	else if (c.identity_token)
		assert_true(asprintf(&is, "token:%s", c.identity_token) > 0);
	else if (c.user)
		assert_true(asprintf(&is, "%s:%s", c.user, c.password) > 0);
	else
		is = strdup("none");
	assert_string_equal(is, want);
	credential_release(&c);
}

static void fails(const char *domain, const char *why)
{
	struct credential c;
	struct error e;

	assert_int_equal(credential_find(folder, domain, "a", &c, &e), -1);
	if (!strstr(e.text, why))
		fail_msg("\"%s\" does not say \"%s\"", e.text, why);
	assert_null(strstr(e.text, "s3cret"));
}

/* H062, H181 */
static void keys_are_matched_as_docker_does(void **state)
{
	static const struct {
		const char *key, *domain;
		int matches;
	} cases[] = {
		{ "https://index.docker.io/v1/", "docker.io", 1 },
		{ "index.docker.io", "docker.io", 1 },
		{ "docker.io", "docker.io", 1 },
		{ "https://index.docker.io/v1/", "registry-1.docker.io", 1 },
		{ "r.io", "r.io", 1 },
		{ "https://r.io", "r.io", 1 },
		{ "http://r.io/", "r.io", 1 },
		{ "https://r.io/v2/", "r.io", 1 },
		{ "r.io:443", "r.io", 1 },
		{ "R.io", "r.io", 1 },
		{ "r.io:5000", "r.io:5000", 1 },
		{ "r.io/team", "r.io", 1 },
		{ "r.io:5000", "r.io", 0 },
		{ "r.io", "r.io:5000", 0 },
		{ "r.io.evil.com", "r.io", 0 },
		{ "evil.com/r.io", "r.io", 0 },
		{ "xr.io", "r.io", 0 },
		{ "docker.io.evil.com", "docker.io", 0 },
		{ "docker.io", "docker.io.evil.com", 0 },
		{ "https://index.docker.io/v1/", "index.docker.io.evil.com", 0 },
		{ ECR, ECR, 1 },
		{ ECR, "1234.DKR.ECR.US-EAST-1.amazonaws.com", 1 },
		{ ECR, ECR ".evil.com", 0 },
		{ ECR, "x" ECR, 0 },
		{ ECR, "amazonaws.com", 0 },
		{ "amazonaws.com", ECR, 0 },
		{ "evil.com/" ECR, ECR, 0 },
		{ "https://" ECR "@evil.com", ECR, 0 },
		{ "https://evil.com@" ECR, ECR, 0 },
		{ "https://evil.com/?" ECR, ECR, 0 },
		{ "r.io.", "r.io", 0 },
		{ "r.io:443.evil.com", "r.io", 0 },
		{ "", "r.io", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[200];

		snprintf(text, sizeof text, "{\"auths\":{\"%s\":{\"auth\":\"dTpwOnc=\"}}}", cases[i].key);
		put("config.json", text, 0600);
		found(cases[i].domain, "team/x", cases[i].matches ? "u:p:w" : "none");
	}
}

/* H181 */
static void the_most_specific_key_counts(void **state)
{
	put("config.json",
	    "{\"auths\":{\"r.io\":{\"auth\":\"aG9zdDp4\"},\"r.io/team\":{\"auth\":\"dGVhbTp4\"},"
	    "\"r.io/team/app\":{\"auth\":\"YXBwOng=\"}}}", 0600);
	found("r.io", "team/app", "app:x");
	found("r.io", "team/other", "team:x");
	found("r.io", "teamwork", "host:x");
}

/* H182 */
static void entries_have_many_forms(void **state)
{
	static const struct {
		const char *entry, *want; /* NULL: refused */
	} cases[] = {
		{ "{\"auth\":\"dTpw\"}", "u:p" },
		{ "{\"auth\":\"dTpw\\n\"}", "u:p" },
		{ "{\"auth\":\"dTpwdw\"}", "u:pw" },
		{ "{\"auth\":\"dTpwAAA=\"}", "u:p" },
		{ "{\"auth\":\"dTo=\"}", "u:" },
		{ "{\"username\":\"u\",\"password\":\"p\"}", "u:p" },
		{ "{\"auth\":\"\",\"username\":\"u\",\"password\":\"p\"}", "u:p" },
		{ "{\"auth\":\"dTpw\",\"identitytoken\":\"idt\"}", "token:idt" },
		{ "{\"registrytoken\":\"rt\"}", "bearer:rt" },
		{ "{}", "none" },
		{ "{\"auth\":\"!!\"}", NULL },
		{ "{\"auth\":\"dQ==\"}", NULL },
		{ "{\"auth\":\"OnA=\"}", NULL },
		{ "{\"auth\":\"dTpwAHc=\"}", NULL },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[200];

		snprintf(text, sizeof text, "{\"auths\":{\"r.io\":%s}}", cases[i].entry);
		put("config.json", text, 0600);
		if (cases[i].want)
			found("r.io", "a", cases[i].want);
		else
			fails("r.io", "credentials for r.io: \"auth\"");
	}
}

static void no_file_is_no_credentials_and_a_broken_one_an_error(void **state)
{
	struct credential c;
	struct error e;

	assert_int_equal(credential_find("/nonexistent/cairn", "r.io", "a", &c, &e), 0);
	assert_null(c.user);
	put("config.json", "{\"auths\":", 0600);
	fails("r.io", "config.json: line 1");
	put("config.json", "[]", 0600);
	fails("r.io", "no JSON object");
	put("config.json", "", 0600);
	found("r.io", "a", "none");
}

/* H160, H184 */
static void helpers_answer_for_their_hosts(void **state)
{
	put("docker-credential-good", "#!/bin/sh\nread -r url\n[ \"$1\" = get ] || exit 9\n"
	    "echo noise >&2\nprintf '{\"ServerURL\":\"%s\",\"Username\":\"u\",\"Secret\":\"%s\"}' "
	    "\"$url\" \"$url\"\n", 0755);
	put("docker-credential-idt", "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"t\"}'\n",
	    0755);
	put("docker-credential-empty",
	    "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n", 0755);
	put("docker-credential-locked", "#!/bin/sh\necho 'keychain is locked'\nexit 1\n", 0755);
	put("docker-credential-loud", "#!/bin/sh\necho 'no display' >&2\nexit 1\n", 0755);
	put("docker-credential-junk", "#!/bin/sh\necho s3cret\n", 0755);
	put("docker-credential-dead", "#!/bin/sh\nkill -9 $$\n", 0755);
	put("config.json",
	    "{\"credsStore\":\"good\",\"auths\":{\"e.io\":{\"auth\":\"dTpw\"},\"m.io\":"
	    "{\"auth\":\"dTpw\"}},\"credHelpers\":{\"i.io\":\"idt\",\"e.io\":\"empty\","
	    "\"l.io\":\"locked\",\"o.io\":\"loud\",\"j.io\":\"junk\",\"m.io\":\"missing\","
	    "\"p.io\":\"../good\",\"d.io\":\"dead\",\"f.io\":\"\"}}", 0600);
	found("r.io", "a", "u:r.io");
	found("docker.io", "a", "u:https://index.docker.io/v1/");
	found("i.io", "a", "token:t");
	found("e.io", "a", "none");
	found("f.io", "a", "none");
	fails("l.io", "credentials for l.io: credential helper docker-credential-locked: keychain is");
	fails("o.io", "docker-credential-loud: no display");
	fails("j.io", "its answer has no Username and Secret");
	fails("m.io", "run the credential helper docker-credential-missing: No such file");
	fails("p.io", "no name of a credential helper");
	fails("d.io", "killed by signal 9");
}

/* H061. */
static void a_helper_that_breaks_is_one_clear_error(void **state)
{
	static const struct {
		const char *script, *said;
	} broken[] = {
		{ "kill -SEGV $$", "docker-credential-broken: killed by signal 11" },
		{ "exit 0", "its answer has no Username and Secret" },
		{ "exit 1", "docker-credential-broken: it failed without a word" },
		{ "echo '{\"Username\":'", "its answer has no Username and Secret" },
		{ "echo '{\"Username\":1,\"Secret\":[]}'", "its answer has no Username and Secret" },
		{ "head -c 1000000000 /dev/zero", "docker-credential-broken: its answer is too long" },
		{ "yes >&2 || exit 3", "docker-credential-broken: y" },
		{ "printf '{\"Username\":\"u\",\"Secret\":\"'; head -c 200000 /dev/zero | tr '\\0' s; "
		  "echo '\"}'",
		  "docker-credential-broken: its answer is too long" },
	};
	auto_free char *text = NULL;

	put("config.json", "{\"credHelpers\":{\"b.io\":\"broken\"}}", 0600);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		assert_true(asprintf(&text, "#!/bin/sh\n%s\n", broken[i].script) > 0);
		put("docker-credential-broken", text, 0755);
		fails("b.io", broken[i].said);
		free(take_pointer(&text));
	}
}

static void the_environment_can_hold_a_config(void **state)
{
	put("config.json", "{\"auths\":{\"r.io\":{\"auth\":\"dTpw\"}}}", 0600);
	setenv("DOCKER_AUTH_CONFIG", "{\"auths\":{\"e.io\":{\"auth\":\"ZTplZQ==\"}}}", 1);
	found("e.io", "a", "e:ee");
	found("r.io", "a", "u:p");
	unsetenv("DOCKER_AUTH_CONFIG");
	found("e.io", "a", "none");
}

static void keeping_leaves_the_rest_of_the_file_alone(void **state)
{
	auto_free char *path = NULL;
	struct stat st;
	struct error e;

	put("config.json",
	    "{\"proxies\":{\"x\":1},\"auths\":{\"a.io\":{\"auth\":\"dTpw\",\"email\":\"e\"}}}", 0644);
	assert_int_equal(credential_keep(folder, "docker.io", "me", "pass:word", &e), 0);
	auto_free char *text = get("config.json");

	assert_non_null(strstr(text, "\"proxies\""));
	assert_non_null(strstr(text, "\"email\""));
	assert_non_null(strstr(text, "\"https://index.docker.io/v1/\""));
	found("docker.io", "a", "me:pass:word");
	found("a.io", "a", "u:p");
	assert_true(asprintf(&path, "%s/config.json", folder) > 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);

	assert_int_equal(credential_forget(folder, "docker.io", &e), 0);
	found("docker.io", "a", "none");
	found("a.io", "a", "u:p");
	assert_int_equal(credential_forget(folder, "docker.io", &e), -1);
	assert_string_equal(e.text, "not logged in to docker.io");
}

static void a_link_to_the_file_stays_one(void **state)
{
	auto_free char *link = NULL;
	struct stat st;
	struct error e;

	assert_true(asprintf(&link, "%s/config.json", folder) > 0);
	put("dotfile", "{}", 0600);
	unlink(link);
	assert_int_equal(symlink("dotfile", link), 0);
	assert_int_equal(credential_keep(folder, "r.io", "u", "p", &e), 0);
	assert_int_equal(lstat(link, &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	auto_free char *text = get("dotfile");

	assert_non_null(strstr(text, "r.io"));
	unlink(link);
}

static void a_helper_keeps_and_forgets(void **state)
{
	put("docker-credential-box", "#!/bin/sh\ncd \"$(dirname \"$0\")\" || exit 1\n"
	    "case $1 in store) cat >box ;; erase) cat >erased; rm box ;; esac\n", 0755);
	put("config.json", "{\"credsStore\":\"box\"}", 0600);
	struct error e;

	assert_int_equal(credential_keep(folder, "r.io", "u", "s3cret", &e), 0);
	auto_free char *box = get("box"), *text = get("config.json");

	assert_string_equal(box, "{\"ServerURL\":\"r.io\",\"Username\":\"u\",\"Secret\":\"s3cret\"}");
	assert_null(strstr(text, "s3cret"));
	assert_int_equal(credential_forget(folder, "r.io", &e), 0);
	auto_free char *erased = get("erased");

	assert_string_equal(erased, "r.io");
}

static void base64_goes_there_and_back(void **state)
{
	static const char *const pairs[][2] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" },
		                                { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
		                                { "\xff\xfe\xfd", "//79" } };

	for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
		size_t size, length = strlen(pairs[i][0]);
		auto_free char *text = base64_encode(pairs[i][0], length);
		auto_free char *back = base64_decode(text, &size);

		assert_string_equal(text, pairs[i][1]);
		assert_int_equal(size, length);
		assert_memory_equal(back, pairs[i][0], length + 1);
	}
	size_t size;

	assert_null(base64_decode("Zg==Zg==", &size));
	assert_null(base64_decode("Z", &size));
	assert_null(base64_decode("Zm9v-", &size));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_are_matched_as_docker_does),
		cmocka_unit_test(the_most_specific_key_counts),
		cmocka_unit_test(entries_have_many_forms),
		cmocka_unit_test(no_file_is_no_credentials_and_a_broken_one_an_error),
		cmocka_unit_test(helpers_answer_for_their_hosts),
		cmocka_unit_test(a_helper_that_breaks_is_one_clear_error),
		cmocka_unit_test(the_environment_can_hold_a_config),
		cmocka_unit_test(keeping_leaves_the_rest_of_the_file_alone),
		cmocka_unit_test(a_link_to_the_file_stays_one),
		cmocka_unit_test(a_helper_keeps_and_forgets),
		cmocka_unit_test(base64_goes_there_and_back),
	};

	return cmocka_run_group_tests(tests, start, stop);
}
