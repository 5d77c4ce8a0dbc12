/* The grammar of RUN --mount. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "parser/mount.h"

static const char *lookup(void *names, const char *name)
{
	return strcmp(name, "DIR") == 0 ? "/data" : NULL;
}

static const struct expansion how = { lookup, NULL, '\\' };

static void refuse(const char *value, const char *text)
{
	struct syntax_error e;
	struct mount m;

	assert_int_equal(mount_parse(value, &how, &m, &e), -1);
	assert_string_equal(e.text, text);
}

static struct mount parse(const char *value)
{
	struct syntax_error e;
	struct mount m;

	if (mount_parse(value, &how, &m, &e) < 0)
		fail_msg("%s: %s", value, e.text);
	return m;
}

static void bind_is_the_default_and_read_only(void **state)
{
	struct mount m = parse("target=/x,source=a,from=base");

	assert_int_equal(m.type, MOUNT_BIND);
	assert_true(m.read_only);
	assert_string_equal(m.target, "/x");
	assert_string_equal(m.source, "a");
	assert_string_equal(m.from, "base");
	assert_null(m.id);
	assert_int_equal(m.mode, -1);
	mount_release(&m);
	m = parse("target=/x,rw");
	assert_false(m.read_only);
	mount_release(&m);
}

static void keys_types_and_sharings_have_no_case(void **state)
{
	struct mount m =
		parse("TYPE=Cache,Target=/x,ID=k,Sharing=LOCKED,uid=1000,gid=20,MODE=0755,RO");

	assert_int_equal(m.type, MOUNT_CACHE);
	assert_string_equal(m.id, "k");
	assert_int_equal(m.sharing, MOUNT_LOCKED);
	assert_int_equal(m.uid, 1000);
	assert_int_equal(m.gid, 20);
	assert_int_equal(m.mode, 0755);
	assert_true(m.read_only);
	mount_release(&m);
}

static void each_type_has_its_own_default_of_read_only(void **state)
{
	static const struct {
		const char *value;
		bool read_only;
	} rows[] = {
		{ "type=cache,target=/x", false }, { "type=tmpfs,target=/x", false },
		{ "type=secret,id=x", true }, { "type=ssh", true }, { "target=/x", true },
		{ "target=/x,ro=false", false }, { "target=/x,readwrite=false", true },
		{ "type=cache,target=/x,readonly", true }, { "type=cache,target=/x,rw=0", true },
		{ "target=/x,rw=T", false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mount m = parse(rows[i].value);

		if (m.read_only != rows[i].read_only)
			fail_msg("%s", rows[i].value);
		mount_release(&m);
	}
}

static void values_are_expanded_but_for_from(void **state)
{
	struct mount m = parse("type=cache,target=$DIR/${X:-y},id=k$X,from=a$");

	assert_string_equal(m.target, "/data/y");
	assert_string_equal(m.id, "k");
	assert_string_equal(m.from, "a$");
	mount_release(&m);
	refuse("from=$DIR",
	       "'from' doesn't support variable expansion, define alias stage instead");
	refuse("target=${DIR", "failed to process \"${DIR\": syntax error: missing '}'");
}

static void fields_are_csv(void **state)
{
	struct mount m = parse("\"target=/a,b\",\"source=say \"\"hi\"\"\"");

	assert_string_equal(m.target, "/a,b");
	assert_string_equal(m.source, "say hi");
	mount_release(&m);
	refuse("target=\"x\"", "failed to parse csv mounts: bare \" in non-quoted field");
	refuse("\"target=x",
	       "failed to parse csv mounts: extraneous or missing \" in quoted-field");
	refuse("\"target=x\"y",
	       "failed to parse csv mounts: extraneous or missing \" in quoted-field");
	refuse("\"a\"\"", "failed to parse csv mounts: extraneous or missing \" in quoted-field");
	refuse("\"", "failed to parse csv mounts: extraneous or missing \" in quoted-field");
}

static void sizes_have_units_of_1024(void **state)
{
	static const struct {
		const char *value;
		int64_t size;
	} rows[] = {
		{"type=tmpfs,size=100", 100},      {"type=tmpfs,size=2k", 2048},
		{"type=tmpfs,size=64m", 64 << 20}, {"type=tmpfs,size=1.5 GiB", 3LL << 29},
		{"type=tmpfs,size=1Kb", 1024},     {"type=tmpfs,size=10b", 10},
		{"type=tmpfs,size=1T", 1LL << 40},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mount m = parse(rows[i].value);

		assert_int_equal(m.size, rows[i].size);
		mount_release(&m);
	}
	refuse("type=tmpfs,size=x", "invalid value for size: x");
	refuse("type=tmpfs,size=1x", "invalid value for size: 1x");
	refuse("type=tmpfs,size=-1", "invalid value for size: -1");
	refuse("type=tmpfs,size=9999999999999p", "invalid value for size: 9999999999999p");
}

static void mistakes_are_named(void **state)
{
	refuse("type=cahce,target=/x", "unsupported mount type \"cahce\" (did you mean cache?)");
	refuse("type=nothing", "unsupported mount type \"nothing\"");
	refuse("type=cache,sharing=lcked",
	       "unsupported sharing value \"lcked\" (did you mean locked?)");
	refuse("tagret=/x", "unexpected key 'tagret' in 'tagret=/x' (did you mean target?)");
	refuse("target", "invalid field 'target' must be a key=value pair");
	refuse("", "invalid field '' must be a key=value pair");
	refuse("target=/x,ro=maybe", "invalid value for ro: maybe");
	refuse("required,type=secret,id=x", "unexpected key 'required' for mount type 'bind'");
	refuse("type=cache,size=1m", "unexpected key 'size' for mount type 'cache'");
	refuse("type=cache,uid=-1", "invalid value -1 for uid");
	refuse("type=cache,mode=0988", "invalid value 0988 for mode");
	refuse("type=cache,gid=4294967296", "invalid value 4294967296 for gid");
	refuse("target=/x,mode=0755", "mode not allowed for \"bind\" type mounts");
	refuse("type=tmpfs,uid=1", "uid not allowed for \"tmpfs\" type mounts");
	refuse("type=secret,id=x,from=y", "secret mount should not have a from");
	refuse("type=secret,id=x,sharing=shared", "secret mount should not define sharing");
	refuse("type=secret", "invalid secret mount. one of source, target required");
	refuse("type=secret,id=x,source=y", "both source and id can't be set");
	refuse("sharing=shared", "invalid cache sharing set for bind mount");
}

static void secrets_and_ssh_may_be_required(void **state)
{
	struct mount m = parse("type=secret,id=x,env=TOKEN,required,mode=0440");

	assert_true(m.required);
	assert_string_equal(m.env, "TOKEN");
	assert_int_equal(m.mode, 0440);
	mount_release(&m);
	m = parse("type=ssh,required=false");
	assert_false(m.required);
	mount_release(&m);
}

static void without_variables_only_csv_and_from_are_checked(void **state)
{
	struct syntax_error e;
	struct mount m;

	assert_int_equal(mount_parse("type=nonsense,${x}", NULL, &m, &e), 0);
	assert_null(m.target);
	mount_release(&m);
	assert_int_equal(mount_parse("FROM=$x", NULL, &m, &e), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bind_is_the_default_and_read_only),
		cmocka_unit_test(keys_types_and_sharings_have_no_case),
		cmocka_unit_test(each_type_has_its_own_default_of_read_only),
		cmocka_unit_test(values_are_expanded_but_for_from),
		cmocka_unit_test(fields_are_csv),
		cmocka_unit_test(sizes_have_units_of_1024),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(secrets_and_ssh_may_be_required),
		cmocka_unit_test(without_variables_only_csv_and_from_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
