#include "layers_fixture.h"

#include <errno.h>

#include "layers/scope.h"
#include "layers/walk.h"

/* A root with links that try everything, and a secret beside it. */
static int make_root(struct fixture *f)
{
	static const char *const links[][2] = {
		{ "abs", "/sub" },       { "up", "../../.." },   { "out", "/../../secret" },
		{ "sub/rel", "../sub" }, { "loop", "loop" },     { "deep", "sub/rel/rel/inner" },
		{ "gone", "/nowhere" },  { "file", "sub/file" }, { "proc", "/proc/self/root" },
		{ "dot", "." },          { "chain", "abs/rel" },
	};
	int root;

	assert_int_equal(mkdirat(f->dir, "root", 0755), 0);
	close(openat(f->dir, "secret", O_WRONLY | O_CREAT, 0600));
	root = openat(f->dir, "root", O_RDONLY | O_DIRECTORY);
	assert_int_equal(mkdirat(root, "sub", 0755), 0);
	assert_int_equal(mkdirat(root, "sub/inner", 0755), 0);
	close(openat(root, "sub/file", O_WRONLY | O_CREAT, 0644));
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		assert_int_equal(symlinkat(links[i][1], root, links[i][0]), 0);
	return root;
}

/* 0 or an errno, and which file it was. */
static int outcome(int fd, ino_t *inode)
{
	struct stat st;

	*inode = 0;
	if (fd < 0)
		return errno;
	assert_int_equal(fstat(fd, &st), 0);
	*inode = st.st_ino;
	close(fd);
	return 0;
}

/* H065. */
static void without_openat2_the_answers_are_the_same(void **state)
{
	static const char *const parts[] = {
		"abs", "up", "out", "sub", "rel", "loop", "deep", "gone", "file", "dot", "chain", "..", ".",
		"", "inner", "secret",
	};
	enum { PARTS = sizeof parts / sizeof *parts };
	struct fixture *f = *state;
	auto_close int root = make_root(f);

	for (int i = 0; i < PARTS * PARTS * PARTS * 4; i++) {
		int flags = i / (PARTS * PARTS * PARTS) & 1 ? O_PATH | O_DIRECTORY : O_PATH;
		bool slash = i / (PARTS * PARTS * PARTS) & 2;
		ino_t kernel, walked;
		char path[64];
		int one, two;

		snprintf(path, sizeof path, "%s/%s/%s%s", parts[i % PARTS], parts[i / PARTS % PARTS],
		         parts[i / PARTS / PARTS % PARTS], slash ? "/" : "");
		one = outcome(path_open(root, path, flags, 0, &f->error), &kernel);
		if (kernel == 0)
			one = 1;
		two = outcome(walk_open(root, path, flags, 0), &walked);
		if (!!one != !!two || kernel != walked)
			fail_msg("%s: openat2 %lu, walk %lu", path, (unsigned long)kernel,
			         (unsigned long)walked);
	}
}

static void nothing_outside_the_root_is_reached(void **state)
{
	struct fixture *f = *state;
	auto_close int root = make_root(f);
	static const char *const paths[] = { "out", "up/secret", "../secret", "/../secret", "out/",
	                                     "abs/../../secret", "proc/secret" };

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		assert_int_equal(path_open(root, paths[i], O_RDONLY, 0, &f->error), -1);
		assert_int_equal(walk_open(root, paths[i], O_RDONLY, 0), -1);
	}
}

static void cleaning_is_lexical(void **state)
{
	static const char *const cases[][2] = {
		{ "", "/" }, { "/", "/" }, { "a//b/", "/a/b" }, { "./a/./b", "/a/b" }, { "a/../b", "/b" },
		{ "../..", "/" }, { "/a/b/../../../c", "/c" }, { "...", "/..." },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_free char *clean = path_clean(cases[i][0]);

		assert_string_equal(clean, cases[i][1]);
	}
}

static void missing_parents_are_made_with_the_exact_mode(void **state)
{
	struct fixture *f = *state;
	mode_t old = umask(077);
	struct stat st;

	close(path_make_dirs(f->dir, "a/b/c", 0751, &f->error));
	umask(old);
	assert_int_equal(fstatat(f->dir, "a/b", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0751);
}

/* H257, H258. */
static void removing_follows_no_link_and_opens_closed_directories(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	close(path_make_dirs(f->dir, "victim/kept", 0755, &f->error));
	close(path_make_dirs(f->dir, "tree/a/b", 0755, &f->error));
	assert_int_equal(symlinkat("../../victim", f->dir, "tree/a/link"), 0);
	assert_int_equal(fchmodat(f->dir, "tree/a", 0, 0), 0);
	assert_ok(f, path_remove(f->dir, "tree", &f->error));
	assert_int_equal(fstatat(f->dir, "tree", &st, 0), -1);
	assert_int_equal(fstatat(f->dir, "victim/kept", &st, 0), 0);
	assert_ok(f, path_remove(f->dir, "tree", &f->error));
}

static void a_file_is_replaced_as_a_whole(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = NULL;
	size_t size;

	assert_ok(f, path_write(f->dir, "f", "one", 3, 0600, &f->error));
	assert_ok(f, path_write(f->dir, "f", "two!", 4, 0640, &f->error));
	text = path_read(f->dir, "f", 100, &size, &f->error);
	assert_string_equal(text, "two!");
	assert_int_equal(size, 4);
	assert_null(path_read(f->dir, "f", 3, &size, &f->error));
	assert_string_equal(f->error.text, "f is larger than 3 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(without_openat2_the_answers_are_the_same),
		with_store(nothing_outside_the_root_is_reached),
		cmocka_unit_test(cleaning_is_lexical),
		with_store(missing_parents_are_made_with_the_exact_mode),
		with_store(removing_follows_no_link_and_opens_closed_directories),
		with_store(a_file_is_replaced_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
