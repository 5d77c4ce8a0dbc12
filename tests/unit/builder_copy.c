/* COPY from a context: what arrives where, as whom. */
#include "tests/unit/builder_copy_fixture.h"

static void a_file_gets_the_name_or_goes_into_the_folder(void **state)
{
	struct fixture *f = *state;

	put(f, "note", "dest", 0644);
	copies(f, "note /plain", PLAIN, "f 0644 0:0 plain dest\n");
	copies(f, "note /folder/", PLAIN, "d 0755 0:0 folder\nf 0644 0:0 folder/note dest\n");
	copies(f, "note /folder", PLAIN, "f 0644 0:0 folder/note dest\n");
	copies(f, "note /deep/er/name", PLAIN,
	       "d 0755 0:0 deep\nd 0755 0:0 deep/er\nf 0644 0:0 deep/er/name dest\n");
	copies(f, "note /new/.", PLAIN, "d 0755 0:0 new\nf 0644 0:0 new/note dest\n");
}

static void a_folder_gives_its_contents(void **state)
{
	struct fixture *f = *state;

	put(f, "d/f", "f", 0600);
	put(f, "d/in/g", "g", 04755);
	put(f, "d/in-between", "b", 0644);
	assert_int_equal(symlinkat("/nowhere", f->dir, "d/l"), 0);
	copies(f, "d /one", PLAIN,
	       "d 0755 0:0 one\nf 0600 0:0 one/f f\nd 0755 0:0 one/in\nf 4755 0:0 one/in/g g\n"
	       "f 0644 0:0 one/in-between b\nl 0:0 one/l -> /nowhere\n");
	copies(f, "d/. d/in/ /one", PLAIN,
	       "f 0600 0:0 one/f f\nf 4755 0:0 one/g g\nd 0755 0:0 one/in\nf 4755 0:0 one/in/g g\n"
	       "f 0644 0:0 one/in-between b\nl 0:0 one/l -> /nowhere\n");
}

static void a_folder_before_a_file_makes_room_for_it(void **state)
{
	struct fixture *f = *state;

	put(f, "d/f", "f", 0644);
	put(f, "note", "n", 0644);
	copies(f, "d note /one", PLAIN,
	       "d 0755 0:0 one\nf 0644 0:0 one/f f\nf 0644 0:0 one/note n\n");
	copies(f, "no* note /two", PLAIN, "f 0644 0:0 two n\n");
	refuses(f, "note d /three", PLAIN, "cannot replace to directory /three with file");
}

static void sources_stay_inside_the_context(void **state)
{
	struct fixture *f = *state;

	put(f, "etc/passwd", "ours", 0644);
	assert_int_equal(symlinkat("/etc/passwd", f->dir, "abs"), 0);
	assert_int_equal(symlinkat("../../../etc", f->dir, "up"), 0);
	assert_int_equal(symlinkat("loop", f->dir, "loop"), 0);
	assert_int_equal(symlinkat("/etc/shadow", f->dir, "shadow"), 0);
	copies(f, "abs /a", PLAIN, "f 0644 0:0 a ours\n");
	copies(f, "../../up/passwd /b", PLAIN, "f 0644 0:0 b ours\n");
	copies(f, "up /c", PLAIN, "d 0755 0:0 c\nf 0644 0:0 c/passwd ours\n");
	refuses(f, "loop /x", PLAIN, "/loop: too many levels of symbolic links");
	refuses(f, "shadow /x", PLAIN,
	        "\"/shadow\": not found: it is a link to /etc/shadow, which is not there");
}

static void wildcards_are_those_of_go(void **state)
{
	struct fixture *f = *state;

	put(f, "a.txt", "a", 0644);
	put(f, ".b.txt", "b", 0644);
	put(f, "s*r", "star", 0644);
	put(f, "sub/c.txt", "c", 0644);
	put(f, "sub/deep/d.txt", "d", 0644);
	copies(f, "*.txt /x/", PLAIN,
	       "d 0755 0:0 x\nf 0644 0:0 x/.b.txt b\nf 0644 0:0 x/a.txt a\n");
	copies(f, "s*/d*/*.txt /y/", PLAIN, "d 0755 0:0 y\nf 0644 0:0 y/d.txt d\n");
	copies(f, "s\\*r s[*]r /z/", PLAIN, "d 0755 0:0 z\nf 0644 0:0 z/s*r star\n");
	copies(f, "su? /flat/", PLAIN,
	       "d 0755 0:0 flat\nf 0644 0:0 flat/c.txt c\nd 0755 0:0 flat/deep\n"
	       "f 0644 0:0 flat/deep/d.txt d\n");
	copies(f, "*.none /nothing/", PLAIN, "");
	refuses(f, "no/such/*.txt /n/", PLAIN, "\"/no/such\": not found");
	refuses(f, "a[ /n/", PLAIN, "syntax error in pattern");
}

static void what_is_missing_is_explained(void **state)
{
	struct fixture *f = *state;

	f->ignore = "# secrets\nhidden\n";
	put(f, "hidden/file", "h", 0644);
	put(f, "src/main.c", "m", 0644);
	refuses(f, "hidden/file /x", PLAIN,
	        "\"/hidden/file\": not found: excluded by line 2 of .dockerignore (hidden)");
	refuses(f, "src/mian.c /x", PLAIN,
	        "\"/src/mian.c\": not found (did you mean /src/main.c?)");
	refuses(f, "gone /x", PLAIN, "\"/gone\": not found");
}

static void ignored_folders_show_what_is_taken_back(void **state)
{
	struct fixture *f = *state;

	f->ignore = "vendor\n!vendor/keep/me\nempty\n!empty/x\n";
	put(f, "vendor/keep/me", "k", 0644);
	put(f, "vendor/keep/not", "n", 0644);
	put(f, "vendor/other/not", "n", 0644);
	put(f, "empty/y", "n", 0644);
	copies(f, ". /c", PLAIN,
	       "d 0755 0:0 c\nd 0755 0:0 c/vendor\nd 0755 0:0 c/vendor/keep\n"
	       "f 0644 0:0 c/vendor/keep/me k\n");
	copies(f, "vendor/* /v/", PLAIN, "d 0755 0:0 v\nf 0644 0:0 v/me k\n");
	refuses(f, "empty /x", PLAIN, "excluded by line 3");
}

static void excludes_count_from_the_copied_folder(void **state)
{
	struct fixture *f = *state;
	const char *const some[] = { "*.md", "skip" };
	const char *const back[] = { "sub", "!sub/keep" };

	put(f, "d/a.md", "a", 0644);
	put(f, "d/skip/s", "s", 0644);
	put(f, "d/sub/b.md", "b", 0644);
	put(f, "d/sub/keep", "k", 0644);
	copies(f, "d /x", (struct copy_step){ .excludes = some, .exclude_count = 2 },
	       "d 0755 0:0 x\nd 0755 0:0 x/sub\nf 0644 0:0 x/sub/b.md b\nf 0644 0:0 x/sub/keep "
	       "k\n");
	copies(f, "d /y", (struct copy_step){ .excludes = back, .exclude_count = 2 },
	       "d 0755 0:0 y\nf 0644 0:0 y/a.md a\nd 0755 0:0 y/skip\nf 0644 0:0 y/skip/s s\n"
	       "d 0755 0:0 y/sub\nf 0644 0:0 y/sub/keep k\n");
	copies(f, "d/a.md /z", (struct copy_step){ .excludes = some, .exclude_count = 2 },
	       "f 0644 0:0 z a\n");
}

static void parents_are_recreated_from_the_pivot_on(void **state)
{
	struct fixture *f = *state;
	struct copy_step parents = { .parents = true };

	put(f, "x/y/a.txt", "a", 0644);
	put(f, "x/z/b.md", "b", 0644);
	assert_int_equal(fchmodat(f->dir, "x/y", 0710, 0), 0);
	copies(f, "x/y/a.txt /one", parents,
	       "d 0755 0:0 one\nd 0755 0:0 one/x\nd 0710 0:0 one/x/y\nf 0644 0:0 one/x/y/a.txt "
	       "a\n");
	copies(f, "./x/./y/*.txt /two/", parents,
	       "d 0755 0:0 two\nd 0710 0:0 two/y\nf 0644 0:0 two/y/a.txt a\n");
	copies(f, "**/*.md /three/", parents,
	       "d 0755 0:0 three\nd 0755 0:0 three/x\nd 0755 0:0 three/x/z\n"
	       "f 0644 0:0 three/x/z/b.md b\n");
	copies(f, "x/*.none /four/", parents, "");
	refuses(f, "x/gone /five/", parents, "\"/x/gone\": not found");
	refuses(f, "x/./gone /five/", parents, "\"/x/gone\": not found");
}

static void there_may_be_wildcards_before_the_pivot(void **state)
{
	struct fixture *f = *state;
	struct copy_step parents = { .parents = true };

	put(f, "a/b1/c/f", "1", 0644);
	put(f, "a/b2/c/d/g", "2", 0644);
	put(f, "a/b2/c/f", "two", 0644);
	put(f, "a/b3", "a file", 0644);
	put(f, "a/other/c/f", "o", 0644);
	assert_int_equal(fchmodat(f->dir, "a/b2/c", 0710, 0), 0);
	copies(f, "a/b*/./c/*f /one/", parents,
	       "d 0755 0:0 one\nd 0710 0:0 one/c\nf 0644 0:0 one/c/f two\n");
	copies(f, "*/b?/./**/g /two/", parents,
	       "d 0755 0:0 two\nd 0710 0:0 two/c\nd 0755 0:0 two/c/d\nf 0644 0:0 two/c/d/g 2\n");
	copies(f, "a/b*/./c/d /three/", parents,
	       "d 0755 0:0 three\nd 0710 0:0 three/c\nd 0755 0:0 three/c/d\n"
	       "f 0644 0:0 three/c/d/g 2\n");
	copies(f, "x*/./c /four/", parents, "");
}

/* H281: what is linked in one source is in the image, and what two sources share is twice there. */
static void hard_links_stay_within_one_source(void **state)
{
	struct fixture *f = *state;

	put(f, "t/a", "shared", 0644);
	put(f, "u/c", "", 0644);
	assert_int_equal(unlinkat(f->dir, "u/c", 0), 0);
	assert_int_equal(linkat(f->dir, "t/a", f->dir, "t/b", 0), 0);
	assert_int_equal(linkat(f->dir, "t/a", f->dir, "u/c", 0), 0);
	copies(f, "t u /x/", PLAIN,
	       "d 0755 0:0 x\nf 0644 0:0 x/a shared\nh x/b -> x/a\nf 0644 0:0 x/c shared\n");
}

static void later_sources_win(void **state)
{
	struct fixture *f = *state;

	put(f, "a/f", "from a", 0644);
	put(f, "b/f", "from b", 0644);
	put(f, "c/f/g", "below", 0644);
	copies(f, "b a /x", PLAIN, "d 0755 0:0 x\nf 0644 0:0 x/f from a\n");
	refuses(f, "c a /y", PLAIN, "cannot replace to directory /y/f with file");
	refuses(f, "a c /y", PLAIN, "cannot copy to non-directory: /y/f");
}

static void files_and_folders_do_not_replace_each_other(void **state)
{
	struct fixture *f = *state;

	put(f, "f", "f", 0644);
	put(f, "d/sub/g", "g", 0644);
	put(f, "e/sub", "file", 0644);
	copies(f, "f /file", PLAIN, "f 0644 0:0 file f\n");
	copies(f, "d /dir", PLAIN, "d 0755 0:0 dir\nd 0755 0:0 dir/sub\nf 0644 0:0 dir/sub/g g\n");
	refuses(f, "d /file", PLAIN, "cannot copy to non-directory: /file");
	refuses(f, "f /file/", PLAIN, "/file is not a directory");
	refuses(f, "f /file/below/", PLAIN, "/file is not a directory");
	refuses(f, "e /dir", PLAIN, "cannot replace to directory /dir/sub with file");
	copies(f, "d /file", (struct copy_step){ .link = true },
	       "d 0755 0:0 file\nd 0755 0:0 file/sub\nf 0644 0:0 file/sub/g g\n");
}

static void destinations_follow_the_links_of_the_image(void **state)
{
	struct fixture *f = *state;

	put(f, "f", "f", 0644);
	put(f, "over/lib/y", "y", 0644);
	put(f, "rootfs/usr/lib/x", "x", 0644);
	assert_int_equal(symlinkat("usr/lib", f->dir, "rootfs/lib"), 0);
	assert_int_equal(symlinkat("/usr/lib/x", f->dir, "rootfs/file"), 0);
	copies(f, "rootfs /", PLAIN,
	       "l 0:0 file -> /usr/lib/x\nl 0:0 lib -> usr/lib\nd 0755 0:0 usr\nd 0755 0:0 "
	       "usr/lib\n"
	       "f 0644 0:0 usr/lib/x x\n");
	copies(f, "f /lib", PLAIN, "f 0644 0:0 usr/lib/f f\n");
	copies(f, "f /file", PLAIN, "f 0644 0:0 usr/lib/x f\n");
	refuses(f, "over /", PLAIN, "cannot copy to non-directory: /lib");
	copies(f, "f /lib/", (struct copy_step){ .link = true },
	       "d 0755 0:0 lib\nf 0644 0:0 lib/f f\n");
}

static void owners_reach_parents_and_links(void **state)
{
	struct fixture *f = *state;

	put(f, "t/f", "f", 0644);
	assert_int_equal(symlinkat("f", f->dir, "t/l"), 0);
	copies(f, "t /new/x", (struct copy_step){ .chown = "7:8" },
	       "d 0755 7:8 new\nd 0755 7:8 new/x\nf 0644 7:8 new/x/f f\nl 7:8 new/x/l -> f\n");
	refuses(f, "t /y", (struct copy_step){ .chown = "app", .link = true },
	        "--chown=app: with --link the image below is not looked at");
}

static void octal_modes_reach_parents_and_letters_do_not(void **state)
{
	struct fixture *f = *state;

	put(f, "f", "f", 0664);
	put(f, "t/in/f", "f", 0600);
	copies(f, "f /p/f", (struct copy_step){ .chmod = "640" },
	       "d 0640 0:0 p\nf 0640 0:0 p/f f\n");
	copies(f, "f /s/f", (struct copy_step){ .chmod = "4711" },
	       "d 0711 0:0 s\nf 4711 0:0 s/f f\n");
	copies(f, "t /t", (struct copy_step){ .chmod = "2755" },
	       "d 0755 0:0 t\nd 2755 0:0 t/in\nf 2755 0:0 t/in/f f\n");
	copies(f, "f /q/f", (struct copy_step){ .chmod = "go-rwx" },
	       "d 0755 0:0 q\nf 0600 0:0 q/f f\n");
	refuses(f, "f /x", (struct copy_step){ .chmod = "64a" }, "invalid chmod parameter: '64a'");
}

static void names_that_would_delete_are_refused(void **state)
{
	struct fixture *f = *state;

	put(f, "d/.wh.victim", "", 0644);
	refuses(f, "d /x", PLAIN, "x/.wh.victim: a name that begins with .wh. would delete");
}

static void documents_become_files(void **state)
{
	struct fixture *f = *state;
	struct copy_source source[] = {
		{ SOURCE_DOCUMENT, "one.txt", "1\n", 2 },
		{ SOURCE_DOCUMENT, "two", "", 0 },
	};
	struct copy_step step = { .source = source, .source_count = 2, .destination = "/d/" };
	char *entries;

	assert_int_equal(perform(f, &step, NULL, -1), 0);
	entries = described(f, &f->layer[0]);
	assert_string_equal(entries, "d 0755 0:0 d\nf 0644 0:0 d/one.txt 1\n\nf 0644 0:0 d/two\n");
	free(entries);
}

/* --- keys ------------------------------------------------------------------------------------- */

static struct digest key_of(struct fixture *f, const char *text)
{
	struct line l = { 0 };

	reopen(f);
	line_begin(&l, text);
	assert_int_equal(perform(f, &l.step, NULL, -1), 0);
	f->layers--;
	free(l.text);
	return f->key;
}

/* H283. */
static void the_key_is_what_the_files_are(void **state)
{
	struct fixture *f = *state;
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct digest before, after;

	put(f, "d/a", "same size", 0644);
	before = key_of(f, "d /x");
	assert_int_equal(utimensat(f->dir, "d/a", old, 0), 0);
	after = key_of(f, "d /x");
	assert_true(digest_equal(&before, &after));
	put(f, "d/a", "same sizE", 0644);
	after = key_of(f, "d /x");
	assert_false(digest_equal(&before, &after));
	put(f, "d/a", "same size", 0600);
	after = key_of(f, "d /x");
	assert_false(digest_equal(&before, &after));
	put(f, "d/a", "same size", 0644);
	after = key_of(f, "d /x");
	assert_true(digest_equal(&before, &after));
	assert_int_equal(mkdirat(f->dir, "d/empty", 0755), 0);
	after = key_of(f, "d /x");
	assert_false(digest_equal(&before, &after));
	assert_int_equal(symlinkat("a", f->dir, "d/l"), 0);
	before = key_of(f, "d /x");
	assert_int_equal(unlinkat(f->dir, "d/l", 0), 0);
	assert_int_equal(symlinkat("b", f->dir, "d/l"), 0);
	after = key_of(f, "d /x");
	assert_false(digest_equal(&before, &after));
}

static void the_image_below_counts_only_where_the_copy_meets_it(void **state)
{
	struct fixture *f = *state;
	struct digest before, after;

	put(f, "f", "f", 0644);
	put(f, "other/x", "x", 0644);
	before = key_of(f, "f /app");
	copies(f, "other /elsewhere", PLAIN, "d 0755 0:0 elsewhere\nf 0644 0:0 elsewhere/x x\n");
	after = key_of(f, "f /app");
	assert_true(digest_equal(&before, &after));
	copies(f, "other /app", PLAIN, "d 0755 0:0 app\nf 0644 0:0 app/x x\n");
	after = key_of(f, "f /app");
	assert_false(digest_equal(&before, &after));
}

static void equal_contexts_give_equal_layers(void **state)
{
	struct fixture *f = *state;
	const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	struct line l = { 0 };

	put(f, "d/a", "a", 0644);
	line_begin(&l, "d /x");
	assert_int_equal(perform(f, &l.step, NULL, -1), 0);
	assert_int_equal(utimensat(f->dir, "d/a", old, 0), 0);
	assert_int_equal(utimensat(f->dir, "d", old, 0), 0);
	reopen(f);
	f->layers = 0;
	struct layer first = f->layer[0];

	assert_int_equal(perform(f, &l.step, NULL, -1), 0);
	assert_true(digest_equal(&first.diff_id, &f->layer[0].diff_id));
	f->layers = 0;
	assert_int_equal(perform(f, &l.step, NULL, 5), 0);
	assert_false(digest_equal(&first.diff_id, &f->layer[0].diff_id));
	free(l.text);
}

static void a_miss_names_the_file(void **state)
{
	struct fixture *f = *state;
	struct copy_world world = { .store = f->store, .epoch = -1 };
	struct line l = { 0 };
	struct key *key = key_new(&f->e);
	struct selection *c;
	char *text;

	put(f, "d/a", "a", 0644);
	put(f, "d/b", "b", 0644);
	line_begin(&l, "d /x");
	assert_int_equal(perform(f, &l.step, NULL, -1), 0);
	put(f, "d/b", "B", 0644);
	reopen(f);
	world.context = the_context(f);
	world.onto = stack_new(f->store, NULL, 0, NULL, NULL, &f->e);
	c = copy_select(&l.step, &world, key, &f->e);
	assert_non_null(c);
	text = copy_difference(c, &f->layer[0]);
	assert_string_equal(text, "/x/b changed");
	free(text);
	copy_free(c);
	key_free(key);
	stack_free(world.onto);
	free(l.text);
}

/* --- out of a stage --------------------------------------------------------------------------- */

static void a_stage_keeps_owners_modes_and_links(void **state)
{
	struct fixture *f = *state;
	struct line l = { 0 };
	struct stack *from;
	char *entries;

	put(f, "t/f", "f", 0640);
	assert_int_equal(linkat(f->dir, "t/f", f->dir, "t/g", 0), 0);
	assert_int_equal(symlinkat("f", f->dir, "t/l"), 0);
	copies(f, "t /s", (struct copy_step){ .chown = "7:8" },
	       "d 0755 7:8 s\nf 0640 7:8 s/f f\nh s/g -> s/f\nl 7:8 s/l -> f\n");
	from = stack_new(f->store, f->layer, 1, NULL, NULL, &f->e);
	f->layers = 0;
	line_begin(&l, "s /x");
	assert_int_equal(perform(f, &l.step, from, -1), 0);
	entries = described(f, &f->layer[0]);
	assert_string_equal(entries,
	                    "d 0755 0:0 x\nf 0640 7:8 x/f f\nh x/g -> x/f\nl 7:8 x/l -> f\n");
	free(entries);
	free(l.text);
	stack_free(from);
}

#define A(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		A(a_file_gets_the_name_or_goes_into_the_folder),
		A(a_folder_gives_its_contents),
		A(a_folder_before_a_file_makes_room_for_it),
		A(sources_stay_inside_the_context),
		A(wildcards_are_those_of_go),
		A(what_is_missing_is_explained),
		A(ignored_folders_show_what_is_taken_back),
		A(excludes_count_from_the_copied_folder),
		A(parents_are_recreated_from_the_pivot_on),
		A(there_may_be_wildcards_before_the_pivot),
		A(hard_links_stay_within_one_source),
		A(later_sources_win),
		A(files_and_folders_do_not_replace_each_other),
		A(destinations_follow_the_links_of_the_image),
		A(owners_reach_parents_and_links),
		A(octal_modes_reach_parents_and_letters_do_not),
		A(names_that_would_delete_are_refused),
		A(documents_become_files),
		A(the_key_is_what_the_files_are),
		A(the_image_below_counts_only_where_the_copy_meets_it),
		A(equal_contexts_give_equal_layers),
		A(a_miss_names_the_file),
		A(a_stage_keeps_owners_modes_and_links),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
