/* Contexts: what is seen, what is remembered, and what changes under our hands. */
#include <errno.h>
#include <linux/capability.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "builder/copy/context_index.h"
#include "tests/unit/builder_copy_fixture.h"

static const struct context_file *find(struct fixture *f, const char *path)
{
	const struct context_file *file;

	assert_int_equal(context_find(the_context(f), path, false, &file, &f->e), 1);
	return file;
}

static struct digest digest_of_file(struct fixture *f, const char *path)
{
	const struct context_file *file = find(f, path);
	struct entry entry;

	assert_int_equal(context_hash(the_context(f), &file, 1, NULL, NULL, &f->e), 0);
	context_entry(file, &entry);
	return entry.digest;
}

static bool is_known(struct fixture *f, const char *path)
{
	struct entry entry;

	context_entry(find(f, path), &entry);
	return !digest_is_zero(&entry.digest);
}

static int append_path(void *context, const struct context_file *file, const char *path,
                       struct error *e)
{
	(void)file;
	(void)e;
	strcat(strcat(context, path), "\n");
	return 0;
}

static void a_walk_is_in_the_order_of_paths(void **state)
{
	struct fixture *f = *state;
	char paths[200] = "";

	put(f, "a/x", "", 0644);
	put(f, "a-b", "", 0644);
	put(f, "a.c", "", 0644);
	put(f, "B", "", 0644);
	assert_int_equal(context_walk(the_context(f), find(f, ""), true, append_path, paths, &f->e),
	                 0);
	assert_string_equal(paths, "B\na\na/x\na-b\na.c\n");
}

static void a_rebuild_knows_what_did_not_change(void **state)
{
	struct fixture *f = *state;
	struct digest before, after;

	put(f, "d/a", "one", 0644);
	put(f, "d/b", "two", 0644);
	put(f, "other/c", "three", 0644);
	before = digest_of_file(f, "d/a");
	digest_of_file(f, "other/c");
	reopen(f);
	assert_true(is_known(f, "d/a"));
	assert_false(is_known(f, "d/b"));
	assert_true(is_known(f, "other/c"));
	put(f, "d/a", "ONE", 0644);
	reopen(f);
	assert_false(is_known(f, "d/a"));
	after = digest_of_file(f, "d/a");
	assert_false(digest_equal(&before, &after));
	/* This build did not look into "other"; the next one still knows it. */
	reopen(f);
	assert_true(is_known(f, "other/c"));
	assert_true(is_known(f, "d/a"));
}

static void equal_sizes_and_times_hide_no_change(void **state)
{
	struct fixture *f = *state;
	struct digest before, after;
	struct stat st;

	put(f, "a", "one", 0644);
	before = digest_of_file(f, "a");
	assert_int_equal(fstatat(f->dir, "a", &st, 0), 0);
	reopen(f);
	int fd = openat(f->dir, "a", O_WRONLY);

	assert_int_equal(write(fd, "two", 3), 3);
	close(fd);
	assert_int_equal(utimensat(f->dir, "a", (struct timespec[]){ st.st_atim, st.st_mtim }, 0),
	                 0);
	after = digest_of_file(f, "a");
	assert_false(digest_equal(&before, &after));
}

static void files_of_the_future_are_read_again(void **state)
{
	struct fixture *f = *state;
	const struct timespec future[2] = { { .tv_sec = 4000000000 }, { .tv_sec = 4000000000 } };

	put(f, "a", "one", 0644);
	assert_int_equal(utimensat(f->dir, "a", future, 0), 0);
	digest_of_file(f, "a");
	reopen(f);
	assert_false(is_known(f, "a"));
}

/* H252. */
static void a_damaged_index_is_none(void **state)
{
	struct fixture *f = *state;
	struct error ignored;

	for (size_t size = 0; size < 200; size += 7) {
		char garbage[200] = "cairnix1";

		memset(garbage + 8, (int)size, sizeof garbage - 8);
		assert_int_equal(
			store_write(f->store, STORE_CONTEXTS, "x", garbage, size, &ignored), 0);
		assert_null(index_open(f->store, "x"));
	}
}

/* H277. */
static void what_is_no_file_is_not_opened(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	const struct context_file *file;
	struct entry entry;

	assert_int_equal(mkfifoat(f->dir, "fifo", 0600), 0);
	int s = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s/context/socket", f->path);
	assert_int_equal(bind(s, (struct sockaddr *)&address, sizeof address), 0);
	close(s);
	file = find(f, "fifo");
	context_entry(file, &entry);
	assert_int_equal(entry.type, ENTRY_FIFO);
	assert_int_equal(context_hash(the_context(f), &file, 1, NULL, NULL, &f->e), 0);
	assert_int_equal(context_find(the_context(f), "socket", false, &file, &f->e), 0);
	copies(f, ". /x", PLAIN, "d 0755 0:0 x\np 0600 0:0 x/fifo\n");
}

/* H275, H276: so that no key stands for other bytes. */
static void a_file_that_changed_after_it_was_hashed_is_told(void **state)
{
	struct fixture *f = *state;
	struct copy_world world = { .store = f->store, .epoch = -1 };
	struct line l = { 0 };
	struct key *key = key_new(&f->e);
	struct selection *c;
	struct layer layer;

	put(f, "d/a", "one", 0644);
	line_begin(&l, "d /x");
	world.context = the_context(f);
	world.onto = stack_new(f->store, NULL, 0, NULL, NULL, &f->e);
	c = copy_select(&l.step, &world, key, &f->e);
	assert_non_null(c);
	put(f, "d/a", "two", 0644);
	assert_int_equal(copy_write(c, &layer, &f->e), -1);
	assert_string_equal(f->e.text, "d/a changed while it was read");
	copy_free(c);
	key_free(key);
	stack_free(world.onto);
	free(l.text);
}

/* H273. */
static void folders_may_be_deeper_than_a_path(void **state)
{
	struct fixture *f = *state;
	const struct context_file *top;
	int dir = dup(f->dir), depth = 0;
	char *paths = calloc(1, 1 << 20);

	for (; depth < 60; depth++) {
		char name[101];
		int next;

		memset(name, 'n', 100);
		name[100] = '\0';
		assert_int_equal(mkdirat(dir, name, 0755), 0);
		next = openat(dir, name, O_RDONLY | O_DIRECTORY);
		close(dir);
		dir = next;
	}
	int fd = openat(dir, "leaf", O_WRONLY | O_CREAT, 0644);

	close(fd);
	close(dir);
	top = find(f, "");
	assert_int_equal(context_walk(the_context(f), top, true, append_path, paths, &f->e), 0);
	assert_non_null(strstr(paths, "/leaf\n"));
	free(paths);
}

static void an_empty_context_has_nothing(void **state)
{
	struct fixture *f = *state;

	f->context = context_empty(f->store, &f->e);
	assert_non_null(f->context);
	copies(f, "* /x/", PLAIN, "");
	copies(f, ". /x", PLAIN, "d 0755 0:0 x\n");
	refuses(f, "a /x", PLAIN, "\"/a\": not found: the build has no context, only a Dockerfile");
}

static void many_folders_are_walked_by_several_threads(void **state)
{
	struct fixture *f = *state;
	char name[40], *paths = calloc(1, 1 << 20), *once;

	for (int i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "d%03d/sub/f", i);
		put(f, name, "x", 0644);
	}
	assert_int_equal(context_walk(the_context(f), find(f, ""), true, append_path, paths, &f->e),
	                 0);
	once = strdup(paths);
	for (int i = 0; i < 20; i++) {
		*paths = '\0';
		reopen(f);
		assert_int_equal(
			context_walk(the_context(f), find(f, ""), true, append_path, paths, &f->e),
			0);
		assert_string_equal(paths, once);
	}
	free(once);
	free(paths);
}

/* Root reads everything; this process no more, for which its test is the last. */
static void obey_modes(void)
{
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct caps[2];

	assert_int_equal(syscall(SYS_capget, &header, caps), 0);
	caps[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
	assert_int_equal(syscall(SYS_capset, &header, caps), 0);
}

/* H278. */
static void what_cannot_be_read_is_named_unless_left_out(void **state)
{
	struct fixture *f = *state;

	put(f, "open/a", "a", 0644);
	put(f, "shut/b", "b", 0644);
	put(f, "mute", "m", 0);
	assert_int_equal(fchmodat(f->dir, "shut", 0, 0), 0);
	obey_modes();
	refuses(f, ". /x", PLAIN, "open shut: Permission denied");
	reopen(f);
	f->ignore = "shut\n";
	refuses(f, ". /x", PLAIN, "open mute: Permission denied");
	reopen(f);
	f->ignore = "shut\nmute\n";
	copies(f, ". /x", PLAIN, "d 0755 0:0 x\nd 0755 0:0 x/open\nf 0644 0:0 x/open/a a\n");
	fchmodat(f->dir, "shut", 0700, 0);
}

#define A(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		A(a_walk_is_in_the_order_of_paths),
		A(a_rebuild_knows_what_did_not_change),
		A(equal_sizes_and_times_hide_no_change),
		A(files_of_the_future_are_read_again),
		A(a_damaged_index_is_none),
		A(what_is_no_file_is_not_opened),
		A(a_file_that_changed_after_it_was_hashed_is_told),
		A(folders_may_be_deeper_than_a_path),
		A(an_empty_context_has_nothing),
		A(many_folders_are_walked_by_several_threads),
		A(what_cannot_be_read_is_named_unless_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
