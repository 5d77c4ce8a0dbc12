/* The flags of build, and the values that have a grammar of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "builder/command/build_flags.h"
#include "builder/command/fields.h"
#include "builder/command/flag_values.h"

/* "a=b;c" for what FIELDS made of TEXT, or its error. */
static void fields_are(const char *text, const char *expected)
{
	struct fields f;
	struct error e = { 0 };
	char is[4096] = "";

	if (fields_parse(text, &f, &e) < 0)
		snprintf(is, sizeof is, "%s", e.text);
	for (size_t i = 0; i < f.count && !e.kind; i++)
		snprintf(is + strlen(is), sizeof is - strlen(is), "%s%s%s%s", i ? ";" : "",
		         f.item[i].key, f.item[i].value ? "=" : "",
		         f.item[i].value ? f.item[i].value : "");
	fields_release(&f);
	assert_string_equal(is, expected);
}

static void fields_are_csv(void **state)
{
	(void)state;
	fields_are("a=b,c", "a=b;c");
	fields_are("\"a=b,c\",d=", "a=b,c;d=");
	fields_are("\"a=say \"\"hi\"\"\"", "a=say \"hi\"");
	fields_are("", "");
	fields_are("a,", "a;");
	fields_are("a=b\"c", "bare \" in a field that is not quoted");
	fields_are("\"a", "missing closing \"");
	fields_are("\"a\"b", "text after a closing \"");
	fields_are("\"a\"\"", "missing closing \"");
}

static void the_last_field_of_a_name_counts(void **state)
{
	struct fields f;
	struct error e;

	(void)state;
	assert_int_equal(fields_parse("a=1,b=2,a=3", &f, &e), 0);
	assert_string_equal(fields_value(&f, "a"), "3");
	assert_null(fields_value(&f, "c"));
	fields_release(&f);
}

/* H301 */
static void sizes_are_powers_of_1024(void **state)
{
	static const struct {
		const char *text;
		int64_t size;
	} good[] = {
		{ "0", 0 }, { "2097152", 2097152 }, { "64m", 64 << 20 }, { "64MB", 64 << 20 },
		{ "64MiB", 64 << 20 }, { "1.5g", 3 << 29 }, { "1 kb", 1024 }, { "7b", 7 },
		{ "1e3", 1000 }, { "1e3k", 1000 << 10 }, { "7 ", 7 }, { "0x1p4", 16 },
		{ "2147483648", 1LL << 31 }, { "4294967296", 1LL << 32 }, { "8191p", 8191LL << 50 },
	};
	static const char *const bad[] = { "", "m", "-1", "1x", "1mm", "1 m b", "99999999999p", "0b0",
		                             "0x10", "1ki", "1  k", "1bb", "inf", "nan", " 1", "1,2", "1+1",
		                             "64m;", "64m\n", "1e400", "8192p", "9223372036854775808",
		                             "18446744073709551616" };
	struct error e;
	int64_t size;

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
		assert_int_equal(size_value(good[i].text, &size, &e), 0);
		assert_int_equal(size, good[i].size);
	}
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(size_value(bad[i], &size, &e), -1);
}

static void limits_have_a_soft_and_a_hard_side(void **state)
{
	struct build_ulimit limit;
	struct error e;

	(void)state;
	assert_int_equal(ulimit_value("nofile=1024:2048", &limit, &e), 0);
	assert_int_equal(limit.resource, RLIMIT_NOFILE);
	assert_int_equal(limit.soft, 1024);
	assert_int_equal(limit.hard, 2048);
	assert_int_equal(ulimit_value("core=-1", &limit, &e), 0);
	assert_true(limit.soft == RLIM_INFINITY && limit.hard == RLIM_INFINITY);
	assert_int_equal(ulimit_value("nofile", &limit, &e), -1);
	assert_string_equal(e.text, "invalid ulimit argument: nofile");
	assert_int_equal(ulimit_value("file=1", &limit, &e), -1);
	assert_string_equal(e.text, "invalid ulimit type: file");
	assert_int_equal(ulimit_value("nofile=1:x", &limit, &e), -1);
	assert_int_equal(ulimit_value("nofile=", &limit, &e), -1);
}

static void hosts_have_an_address(void **state)
{
	struct error e;

	(void)state;
	assert_int_equal(host_value("db:192.0.2.1", &e), 0);
	assert_int_equal(host_value("db=192.0.2.1", &e), 0);
	assert_int_equal(host_value("six:2001:db8::6", &e), 0);
	assert_int_equal(host_value("six=[2001:db8::6]", &e), 0);
	assert_int_equal(host_value("db", &e), -1);
	assert_string_equal(e.text, "bad format for add-host: \"db\"");
	assert_int_equal(host_value(":1.2.3.4", &e), -1);
	assert_int_equal(host_value("db:1.2.3", &e), -1);
	assert_string_equal(e.text, "invalid IP address in add-host: \"1.2.3\"");
}

static void secrets_come_from_the_environment_or_a_file(void **state)
{
	struct build_secret secret;
	struct error e;

	(void)state;
	setenv("FLAGS_TOKEN", "value", 1);
	assert_int_equal(secret_value("id=t,env=FLAGS_TOKEN", &secret, &e), 0);
	assert_string_equal(secret.id, "t");
	assert_int_equal(secret.size, 5);
	assert_memory_equal(secret.value, "value", 5);
	free(secret.value);
	free((char *)secret.id);
	assert_int_equal(secret_value("id=FLAGS_TOKEN", &secret, &e), 0);
	assert_memory_equal(secret.value, "value", 5);
	free(secret.value);
	free((char *)secret.id);
	assert_int_equal(secret_value("id=t,type=env,src=FLAGS_NONE", &secret, &e), -1);
	assert_string_equal(e.text, "--secret: environment variable FLAGS_NONE is not set");
	free((char *)secret.id);
}

static int read_flags(struct build_flags *flags, struct error *e, int argc, char **argv)
{
	memset(e, 0, sizeof *e);
	return build_flags_read(argc, argv, flags, e);
}

#define READ(flags, e, ...) \
	read_flags(flags, e, (int)(sizeof (char *[]){ __VA_ARGS__ } / sizeof(char *)), \
	           (char *[]){ __VA_ARGS__, NULL })

static void arguments_are_values_or_the_environment(void **state)
{
	struct build_flags f;
	struct error e;

	(void)state;
	setenv("FLAGS_SET", "1=2", 1);
	assert_int_equal(READ(&f, &e, "build", "--build-arg", "A=b=c", "--build-arg=FLAGS_SET",
	                      "--build-arg", "FLAGS_UNSET", "--label", "l", "."), 0);
	assert_int_equal(f.plan.arg_count, 2);
	assert_string_equal(f.plan.arg[0].name, "A");
	assert_string_equal(f.plan.arg[0].value, "b=c");
	assert_string_equal(f.plan.arg[1].name, "FLAGS_SET");
	assert_string_equal(f.plan.arg[1].value, "1=2");
	assert_string_equal(f.plan.label[0], "l=");
	assert_string_equal(f.context, ".");
	build_flags_release(&f);
}

static void the_epoch_of_the_environment_is_an_argument(void **state)
{
	struct build_flags f;
	struct error e;

	(void)state;
	setenv("SOURCE_DATE_EPOCH", "123", 1);
	assert_int_equal(READ(&f, &e, "build", "."), 0);
	assert_int_equal(f.plan.arg_count, 1);
	assert_string_equal(f.plan.arg[0].name, "SOURCE_DATE_EPOCH");
	assert_string_equal(f.plan.arg[0].value, "123");
	build_flags_release(&f);
	assert_int_equal(READ(&f, &e, "build", "--build-arg", "SOURCE_DATE_EPOCH=5", "."), 0);
	assert_int_equal(f.plan.arg_count, 1);
	assert_string_equal(f.plan.arg[0].value, "5");
	build_flags_release(&f);
	unsetenv("SOURCE_DATE_EPOCH");
}

static void network_host_needs_no_second_word(void **state)
{
	struct build_flags f;
	struct error e;

	(void)state;
	assert_int_equal(READ(&f, &e, "build", "--network=host", "."), 0);
	assert_string_equal(f.plan.network, "host");
	assert_true(f.plan.allow_network_host);
	build_flags_release(&f);
	assert_int_equal(READ(&f, &e, "build", "--network=default", "."), 0);
	assert_null(f.plan.network);
	assert_false(f.plan.allow_network_host);
	build_flags_release(&f);
}

static void filters_may_be_joined_by_commas(void **state)
{
	struct build_flags f;
	struct error e;

	(void)state;
	assert_int_equal(READ(&f, &e, "build", "--no-cache-filter", "a,b", "--no-cache-filter=c", "."),
	                 0);
	assert_int_equal(f.plan.no_cache_filter_count, 3);
	assert_string_equal(f.plan.no_cache_filter[1], "b");
	build_flags_release(&f);
}

static void check_is_a_call(void **state)
{
	struct build_flags f;
	struct error e;

	(void)state;
	assert_int_equal(READ(&f, &e, "build", "--check", "."), 0);
	assert_string_equal(f.call, "check");
	assert_true(f.plan.checks_only);
	build_flags_release(&f);
	assert_int_equal(READ(&f, &e, "build", "--call=outline,format=json", "."), 0);
	assert_string_equal(f.call, "outline");
	assert_true(f.call_json);
	build_flags_release(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_csv),
		cmocka_unit_test(the_last_field_of_a_name_counts),
		cmocka_unit_test(sizes_are_powers_of_1024),
		cmocka_unit_test(limits_have_a_soft_and_a_hard_side),
		cmocka_unit_test(hosts_have_an_address),
		cmocka_unit_test(secrets_come_from_the_environment_or_a_file),
		cmocka_unit_test(arguments_are_values_or_the_environment),
		cmocka_unit_test(the_epoch_of_the_environment_is_an_argument),
		cmocka_unit_test(network_host_needs_no_second_word),
		cmocka_unit_test(filters_may_be_joined_by_commas),
		cmocka_unit_test(check_is_a_call),
	};

	setenv("DOCKER_CONFIG", "/nonexistent", 1);
	unsetenv("SOURCE_DATE_EPOCH");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
