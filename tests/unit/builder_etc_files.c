#include "builder/build/etc_files.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "layers/path.h"

#define PUBLIC "nameserver 8.8.8.8\nnameserver 8.8.4.4\n"
#define NONE "/etc/resolv.conf names no server with an IPv4 address"

/* H229: what this machine has, a server in a network of the RUN's own, what a RUN gets, and what is
 * said of it. */
static const struct {
	const char *host, *server, *expected, *because;
} files[] = {
	{ "nameserver 127.0.0.53\nsearch x\n", NULL, "nameserver 127.0.0.53\nsearch x\n", "" },
	{ "nameserver 127.0.0.53\nsearch x\n", "10.0.2.3", "nameserver 10.0.2.3\nsearch x\n", "" },
	{ "# a\nnameserver\t192.0.2.1\r\nnameserver 192.0.2.2\noptions edns0", "10.0.2.3",
	  "nameserver 10.0.2.3\n# a\noptions edns0\n", "" },
	{ "nameserver ::1\nnameserver 192.0.2.1\n", "10.0.2.3", "nameserver 10.0.2.3\n", "" },
	{ "nameserver fe80::1%eth0\n", NULL, "nameserver fe80::1%eth0\n", "" },
	{ "search x\nnameserver fe80::1%eth0\nnameserver 2001:db8::1\n", "10.0.2.3",
	  PUBLIC "search x\n", NONE },
	{ "", NULL, PUBLIC, "" },
	{ "", "10.0.2.3", PUBLIC, NONE },
	{ "# nameserver 192.0.2.1\nnameserver\nnameservers 192.0.2.1\n", "10.0.2.3",
	  PUBLIC "# nameserver 192.0.2.1\nnameserver\nnameservers 192.0.2.1\n", NONE },
	{ NULL, NULL, PUBLIC, "" },
	{ NULL, "10.0.2.3", PUBLIC, "open /etc/resolv.conf: No such file or directory" },
};

struct place {
	char name[32];
	int root;
};

static int make_place(void **state)
{
	struct place *p = calloc(1, sizeof *p);

	strcpy(p->name, "/tmp/etc-files.XXXXXX");
	p->root = mkdtemp(p->name) ? open(p->name, O_PATH | O_DIRECTORY) : -1;
	*state = p;
	return p->root >= 0 ? mkdirat(p->root, "etc", 0755) : -1;
}

static int remove_place(void **state)
{
	struct place *p = *state;
	struct error e;
	int tmp = open("/tmp", O_PATH | O_DIRECTORY);
	int result = path_remove(tmp, p->name + strlen("/tmp/"), &e);

	close(tmp);
	close(p->root);
	free(p);
	return result;
}

static void write_host_file(int root, const char *text, size_t size)
{
	int fd = openat(root, "etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC, 0644);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, size), size);
	close(fd);
}

static void check(int root, const char *server, const char *expected, const char *said)
{
	struct error because;
	char *got = etc_resolv_conf(root, server, &because);

	assert_string_equal(got, expected);
	assert_string_equal(because.text, said);
	free(got);
}

static void name_servers_are_those_that_the_network_of_a_run_reaches(void **state)
{
	const struct place *p = *state;

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		unlinkat(p->root, "etc/resolv.conf", 0);
		if (files[i].host)
			write_host_file(p->root, files[i].host, strlen(files[i].host));
		check(p->root, files[i].server, files[i].expected, files[i].because);
	}
}

static void a_file_that_cannot_be_read_is_told_in_every_network(void **state)
{
	static char huge[(64 << 10) + 1];
	const struct place *p = *state;

	memset(huge, '#', sizeof huge);
	write_host_file(p->root, huge, sizeof huge);
	check(p->root, NULL, PUBLIC, "/etc/resolv.conf is larger than 65536 bytes");
	check(p->root, "10.0.2.3", PUBLIC, "/etc/resolv.conf is larger than 65536 bytes");
	unlinkat(p->root, "etc/resolv.conf", 0);
	assert_int_equal(mkdirat(p->root, "etc/resolv.conf", 0755), 0);
	check(p->root, NULL, PUBLIC, "/etc/resolv.conf is a directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(name_servers_are_those_that_the_network_of_a_run_reaches,
		                                make_place, remove_place),
		cmocka_unit_test_setup_teardown(a_file_that_cannot_be_read_is_told_in_every_network,
		                                make_place, remove_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
