/* Contexts that are archives: unpacked below their folder, whatever they say. */
#include "builder/copy/tar_context.h"
#include "tests/unit/builder_copy_fixture.h"

/* Unpack a.tar; the result, and the folder's path in F->path when there is one. */
static int unpack(struct fixture *f, const struct tar_member *members, struct store_temp *place)
{
	int fd, result;

	write_tar(f, "a.tar", members);
	fd = openat(f->dir, "a.tar", O_RDONLY);
	result = tar_context_unpack(f->store, fd, place, NULL, &f->e);
	close(fd);
	return result;
}

static void members_become_files(void **state)
{
	struct fixture *f = *state;
	struct store_temp place;
	struct stat st;
	char text[8] = "";

	assert_int_equal(unpack(f,
	                        (struct tar_member[]){ { "./", '5', NULL, 0700 },
	                                               { "./a/b/f", '0', "old", 04755 },
	                                               { "./a/b/f", '0', "new", 0640 },
	                                               { "a/h", '1', "./a/b/f" },
	                                               { "a/l", '2', "../../etc/passwd" },
	                                               { "ro", '5', NULL, 0555 },
	                                               { "ro/x", '0', "x" },
	                                               { 0 } },
	                        &place),
	                 1);
	int root = openat(place.dir, place.name, O_RDONLY | O_DIRECTORY);
	int fd = openat(root, "a/h", O_RDONLY);

	assert_int_equal(read(fd, text, sizeof text), 3);
	assert_string_equal(text, "new");
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	assert_int_equal(st.st_nlink, 2);
	assert_int_equal(fstatat(root, "ro", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0555);
	assert_int_equal(fstatat(root, "a/l", &st, AT_SYMLINK_NOFOLLOW), 0);
	assert_true(S_ISLNK(st.st_mode));
	close(fd);
	close(root);
	store_discard(&place);
}

static void nothing_leads_out(void **state)
{
	struct fixture *f = *state;
	struct store_temp place;
	char *victim;

	assert_true(asprintf(&victim, "%s/context", f->path) > 0);
	put(f, "precious", "p", 0644);
	assert_int_equal(unpack(f, (struct tar_member[]){ { "../x", '0', "x" }, { 0 } }, &place),
	                 -1);
	assert_string_equal(f->e.text,
	                    "the context's archive: ../x: the name leads out of the context");
	assert_int_equal(unpack(f, (struct tar_member[]){
		{ "l", '2', victim }, { "l/precious", '0', "x" }, { 0 } }, &place), -1);
	assert_non_null(strstr(f->e.text, "l/precious: the folder around it"));
	assert_int_equal(unpack(f, (struct tar_member[]){
		{ "h", '1', "../../../../etc/passwd" }, { 0 } }, &place), -1);
	assert_int_equal(unpack(f, (struct tar_member[]){
		{ "l", '2', "/etc/passwd" }, { "h", '1', "l" }, { 0 } }, &place), -1);
	assert_non_null(strstr(f->e.text, "a hard link to l, which is no file of the archive"));
	assert_int_equal(unpack(f, (struct tar_member[]){ { ".", '2', victim }, { 0 } }, &place),
	                 -1);
	/* A member replaces the link and does not write through it. */
	assert_int_equal(unpack(f, (struct tar_member[]){
		{ "l", '2', victim }, { "l", '0', "x" }, { 0 } }, &place), 1);
	store_discard(&place);
	free(victim);
}

static void other_bytes_are_no_archive(void **state)
{
	struct fixture *f = *state;
	struct store_temp place;

	put(f, "Dockerfile", "FROM scratch\n", 0644);
	int fd = openat(f->dir, "Dockerfile", O_RDONLY);

	assert_int_equal(tar_context_unpack(f->store, fd, &place, NULL, &f->e), 0);
	close(fd);
}

#define A(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		A(members_become_files),
		A(nothing_leads_out),
		A(other_bytes_are_no_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
