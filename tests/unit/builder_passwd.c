#include "builder/sandbox/passwd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char passwd[] =
	"# comment\n\n+::::::\nroot:x:0:0:root:/root:/bin/sh\nshort:x:12\ntwice:x:21:22::/first:/bin/sh\n"
	"twice:x:31:32::/second:/bin/sh\nbad:x:abc:1::/:/bin/sh\nhuge:x:4294967295:1::/:/bin/sh\n"
	"minus:x:-1:1::/:/bin/sh\napp:x:1000:1000:App:/home/app:/bin/sh\nnohome:x:5:6\n"
	"last:x:41:42::/last:/bin/sh";
static const char group[] =
	"# comment\n\nshort\nroot:x:0:\nstaff:x:50:app\napp:x:1000:\nmore:x:77:twice,last,app\n"
	"again:x:50:app\nprefix:x:78:applet,myapp\nlast:x:42:";

static const struct {
	const char *spec, *expected;   /* "uid gid [groups] home", or the error */
} users[] = {
	{ "root", "0 0 [0] /root" },
	{ "", "0 0 [0] /root" },
	{ "0", "0 0 [0] /root" },
	{ "app", "1000 1000 [1000 50 77] /home/app" },
	{ "1000", "1000 1000 [1000 50 77] /home/app" },
	{ "app:staff", "1000 50 [50] /home/app" },
	{ "app:0", "1000 0 [0] /home/app" },
	{ "7:8", "7 8 [8] /" },
	{ "4242", "4242 0 [0] /" },
	{ "12:staff", "12 50 [50] /" },
	{ "twice", "21 22 [22 77] /first" },
	{ "last", "41 42 [42 77] /last" },
	{ "nohome", "5 6 [6] /" },
	{ "app:", "1000 1000 [1000 50 77] /home/app" },
	{ ":staff", "0 50 [50] /root" },
	{ "short", "unable to find user short: no matching entries in passwd file" },
	{ "bad", "unable to find user bad: no matching entries in passwd file" },
	{ "huge", "unable to find user huge: no matching entries in passwd file" },
	{ "minus", "unable to find user minus: no matching entries in passwd file" },
	{ "4294967295", "unable to find user 4294967295: no matching entries in passwd file" },
	{ "-1", "unable to find user -1: no matching entries in passwd file" },
	{ "+1", "unable to find user +1: no matching entries in passwd file" },
	{ " 1", "unable to find user  1: no matching entries in passwd file" },
	{ "0x10", "unable to find user 0x10: no matching entries in passwd file" },
	{ "ghost:ghosts", "unable to find user ghost: no matching entries in passwd file" },
	{ "app:nosuchgroup", "unable to find group nosuchgroup: no matching entries in group file" },
	{ "app:4294967295", "unable to find group 4294967295: no matching entries in group file" },
};

static void print_user(char *out, size_t size, const struct passwd_user *u)
{
	int used = snprintf(out, size, "%u %u [", u->uid, u->gid);

	for (size_t i = 0; i < u->group_count; i++)
		used += snprintf(out + used, size - (size_t)used, i ? " %u" : "%u", u->groups[i]);
	snprintf(out + used, size - (size_t)used, "] %s", u->home);
}

static void every_form_of_user_means_what_docker_means(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof users / sizeof *users; i++) {
		struct passwd_user u;
		struct error e;
		char got[256];

		if (passwd_resolve(passwd, group, users[i].spec, &u, &e) < 0) {
			assert_string_equal(e.text, users[i].expected);
			assert_int_equal(e.kind, ERROR_INPUT);
			continue;
		}
		print_user(got, sizeof got, &u);
		assert_string_equal(got, users[i].expected);
		passwd_release(&u);
	}
}

static void numbers_need_no_files(void **state)
{
	struct passwd_user u;
	struct error e;
	char got[256];

	(void)state;
	assert_int_equal(passwd_resolve(NULL, NULL, "5:6", &u, &e), 0);
	print_user(got, sizeof got, &u);
	assert_string_equal(got, "5 6 [6] /");
	passwd_release(&u);
	assert_int_equal(passwd_resolve(NULL, NULL, "", &u, &e), 0);
	print_user(got, sizeof got, &u);
	assert_string_equal(got, "0 0 [0] /");
	passwd_release(&u);
	assert_int_equal(passwd_resolve(NULL, NULL, "somebody", &u, &e), -1);
	assert_string_equal(e.text,
	                    "unable to find user somebody: no matching entries in passwd file");
}

static const struct {
	const char *spec;
	uid_t uid;
	gid_t gid;
} owners[] = {
	{ "", 0, 0 },        { "app", 1000, 1000 }, { "55", 55, 55 },       { "55:staff", 55, 50 },
	{ "app:7", 1000, 7 }, { "1000", 1000, 1000 },
	{ "12:0", 12, 0 },   { ":staff", 0, 50 },   { "twice", 21, 22 },
};

static void chown_takes_names_and_numbers(void **state)
{
	struct error e;
	uid_t uid;
	gid_t gid;

	(void)state;
	for (size_t i = 0; i < sizeof owners / sizeof *owners; i++) {
		assert_int_equal(passwd_owner(passwd, group, owners[i].spec, &uid, &gid, &e), 0);
		assert_int_equal(uid, owners[i].uid);
		assert_int_equal(gid, owners[i].gid);
	}
}

static const struct {
	const char *spec, *text;
} nobodies[] = {
	{ "ghost", "the image has no user ghost in /etc/passwd" },
	{ "4294967296", "the image has no user 4294967296 in /etc/passwd" },
	{ "-1:0", "the image has no user -1 in /etc/passwd" },
	{ "app:ghosts", "the image has no group ghosts in /etc/group" },
	{ "1:2:3", "\"1:2:3\" is not USER[:GROUP]" },
};

static void chown_refuses_who_is_not_there(void **state)
{
	struct error e;
	uid_t uid;
	gid_t gid;

	(void)state;
	for (size_t i = 0; i < sizeof nobodies / sizeof *nobodies; i++) {
		assert_int_equal(passwd_owner(passwd, group, nobodies[i].spec, &uid, &gid, &e), -1);
		assert_string_equal(e.text, nobodies[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_of_user_means_what_docker_means),
		cmocka_unit_test(numbers_need_no_files),
		cmocka_unit_test(chown_takes_names_and_numbers),
		cmocka_unit_test(chown_refuses_who_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
