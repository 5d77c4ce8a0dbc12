/* ADD of archives: members meet links, files and folders of the image and of each other. */
#include "tests/unit/builder_copy_fixture.h"

#define ADD ((struct copy_step){ .add = true })

static void members_keep_their_owners_and_stay_below_the_destination(void **state)
{
	struct fixture *f = *state;

	write_tar(f, "notes.txt",
	          (struct tar_member[]){ { "./", '5', NULL, 0700, 9 },
	                                 { "/abs", '0', "abs", 0640, 7 },
	                                 { "../up", '0', "up" },
	                                 { "t/u/f", '0', "f" },
	                                 { "t/u/g", '1', "t/u/f" },
	                                 { "empty", '0' },
	                                 { "void", '0' },
	                                 { 0 } });
	copies(f, "notes.txt /out", ADD,
	       "d 0755 0:0 out\nf 0640 7:7 out/abs abs\nf 0644 0:0 out/empty\nd 0755 0:0 out/t\n"
	       "d 0755 0:0 out/t/u\nf 0644 0:0 out/t/u/f f\nh out/t/u/g -> out/t/u/f\n"
	       "f 0644 0:0 out/up up\nf 0644 0:0 out/void\n");
}

static void what_is_no_archive_is_copied(void **state)
{
	struct fixture *f = *state;

	put(f, "x.tar", "no archive", 0644);
	write_tar(f, "real.tar", (struct tar_member[]){ { "f", '0', "f" }, { 0 } });
	copies(f, "x.tar /a", ADD, "f 0644 0:0 a no archive\n");
	assert_int_equal(mkdirat(f->dir, "d", 0755), 0);
	write_tar(f, "d/inner.tar", (struct tar_member[]){ { "f", '0', "f" }, { 0 } });
	reopen(f);
	copies(f, "d /b", ADD, "d 0755 0:0 b\nf 0644 0:0 b/inner.tar\n");
	copies(f, "real.tar /c", (struct copy_step){ .add = true, .unpack = CHOICE_NO },
	       "f 0644 0:0 c\n");
}

static void links_are_walked_through_inside_only(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(mkdirat(f->dir, "old", 0755), 0);
	assert_int_equal(mkdirat(f->dir, "old/mine", 0755), 0);
	assert_int_equal(symlinkat("mine", f->dir, "old/was"), 0);
	write_tar(f, "in.tar",
	          (struct tar_member[]){ { "real", '5', NULL, 0755 },
	                                 { "door", '2', "real" },
	                                 { "door/guest", '0', "x" },
	                                 { "was/guest", '0', "y" },
	                                 { "abs", '2', "/out/real" },
	                                 { "abs/more", '0', "z" },
	                                 { 0 } });
	write_tar(f, "out.tar", (struct tar_member[]){
		{ "door", '2', "/home" }, { "door/intruder", '0', "x" }, { 0 } });
	write_tar(f, "up.tar", (struct tar_member[]){
		{ "door", '2', "../.." }, { "door/intruder", '0', "x" }, { 0 } });
	write_tar(f, "hard.tar", (struct tar_member[]){ { "c", '1', "../../etc/passwd" }, { 0 } });
	write_tar(f, "loop.tar", (struct tar_member[]){
		{ "a", '2', "b" }, { "b", '2', "a" }, { "a/x", '0', "x" }, { 0 } });
	copies(f, "old /out", PLAIN,
	       "d 0755 0:0 out\nd 0755 0:0 out/mine\nl 0:0 out/was -> mine\n");
	copies(f, "in.tar /out", ADD,
	       "l 0:0 out/abs -> /out/real\nl 0:0 out/door -> real\nf 0644 0:0 out/mine/guest y\n"
	       "d 0755 0:0 out/real\nf 0644 0:0 out/real/guest x\nf 0644 0:0 out/real/more z\n");
	refuses(f, "out.tar /new/", ADD, "out.tar: door/intruder: it leads out of /new");
	refuses(f, "up.tar /new/", ADD, "up.tar: door/intruder: it leads out of /new");
	refuses(f, "hard.tar /new/", ADD, "c: a hard link to ../../etc/passwd");
	refuses(f, "loop.tar /new/", ADD, "too many levels of symbolic links");
}

static void a_root_file_system_may_use_its_links(void **state)
{
	struct fixture *f = *state;

	write_tar(f, "a.tar",
	          (struct tar_member[]){ { "versions/2", '5', NULL, 0755 },
	                                 { "opt/current", '2', "/versions/2" },
	                                 { "opt/current/f", '0', "through" },
	                                 { "opt/current/h", '1', "opt/current/f" },
	                                 { 0 } });
	copies(f, "a.tar /", ADD,
	       "d 0755 0:0 opt\nl 0:0 opt/current -> /versions/2\nd 0755 0:0 versions\n"
	       "d 0755 0:0 versions/2\nf 0644 0:0 versions/2/f through\n"
	       "h versions/2/h -> versions/2/f\n");
}

static void what_is_in_the_way_is_replaced(void **state)
{
	struct fixture *f = *state;

	put(f, "old/x/a", "a", 0644);
	put(f, "old/y", "y", 0644);
	put(f, "old/same", "lower", 0644);
	assert_int_equal(symlinkat("/real", f->dir, "old/z"), 0);
	write_tar(f, "a.tar", (struct tar_member[]){
		{ "x", '0', "file" }, { "y/in", '0', "in" }, { 0 } });
	write_tar(f, "b.tar", (struct tar_member[]){
		{ "x", '0', "file" }, { "y", '5', NULL, 0755 }, { "y/in", '0', "in" },
		{ "z", '5', NULL, 0755 }, { "z/in", '0', "in" }, { "s", '1', "same" }, { 0 } });
	write_tar(f, "c.tar",
	          (struct tar_member[]){ { "d/a", '0', "1" },
	                                 { "d", '0', "2" },
	                                 { "d", '5', NULL, 0755 },
	                                 { "d/b", '0', "3" },
	                                 { "e/a", '0', "4" },
	                                 { "e", '2', "d" },
	                                 { 0 } });
	copies(f, "old /out", PLAIN,
	       "d 0755 0:0 out\nf 0644 0:0 out/same lower\nd 0755 0:0 out/x\nf 0644 0:0 out/x/a a\n"
	       "f 0644 0:0 out/y y\nl 0:0 out/z -> /real\n");
	refuses(f, "a.tar /out", ADD, "y/in: /out/y is not a directory");
	copies(f, "b.tar /out", ADD,
	       "f 0644 0:0 out/s lower\nf 0644 0:0 out/x file\nd 0755 0:0 out/y\nf 0644 0:0 "
	       "out/y/in in\n"
	       "d 0755 0:0 out/z\nf 0644 0:0 out/z/in in\n");
	copies(f, "c.tar /new", ADD,
	       "d 0755 0:0 new\no 0755 0:0 new/d\nf 0644 0:0 new/d/b 3\nl 0:0 new/e -> d\n");
}

static void an_archive_cannot_go_where_a_file_is(void **state)
{
	struct fixture *f = *state;

	put(f, "f", "f", 0644);
	write_tar(f, "a.tar", (struct tar_member[]){ { "n", '0', "n" }, { 0 } });
	copies(f, "f /file", PLAIN, "f 0644 0:0 file f\n");
	refuses(f, "a.tar /file", ADD, "cannot copy to non-directory: /file");
}

static void a_broken_archive_is_named(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	write_tar(f, "a.tar",
	          (struct tar_member[]){ { "a", '0', "a" }, { "b", '0', "bbbb" }, { 0 } });
	assert_int_equal(fstatat(f->dir, "a.tar", &st, 0), 0);
	int fd = openat(f->dir, "a.tar", O_WRONLY);

	assert_int_equal(ftruncate(fd, 1024 + 512 + 2), 0);
	close(fd);
	refuses(f, "a.tar /x/", ADD, "a.tar");
}

static void the_key_has_what_is_at_the_destination(void **state)
{
	struct fixture *f = *state;
	struct digest before;

	put(f, "f", "f", 0644);
	write_tar(f, "a.tar", (struct tar_member[]){ { "n", '0', "n" }, { 0 } });
	copies(f, "f /x/f", PLAIN, "d 0755 0:0 x\nf 0644 0:0 x/f f\n");
	copies(f, "a.tar /x", ADD, "f 0644 0:0 x/n n\n");
	before = f->key;
	f->layers--;
	copies(f, "f /elsewhere", PLAIN, "f 0644 0:0 elsewhere f\n");
	copies(f, "a.tar /x", ADD, "f 0644 0:0 x/n n\n");
	assert_true(digest_equal(&before, &f->key));
	f->layers--;
	copies(f, "f /x/more", PLAIN, "f 0644 0:0 x/more f\n");
	copies(f, "a.tar /x", ADD, "f 0644 0:0 x/n n\n");
	assert_false(digest_equal(&before, &f->key));
}

#define A(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		A(members_keep_their_owners_and_stay_below_the_destination),
		A(what_is_no_archive_is_copied),
		A(links_are_walked_through_inside_only),
		A(a_root_file_system_may_use_its_links),
		A(what_is_in_the_way_is_replaced),
		A(an_archive_cannot_go_where_a_file_is),
		A(a_broken_archive_is_named),
		A(the_key_has_what_is_at_the_destination),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
