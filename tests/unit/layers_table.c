#include "layers_fixture.h"

#include <stdio.h>

#include "layers/scope.h"
#include "layers/table.h"

static const struct digest any = { { 1, 2, 3 } };

static void add(struct fixture *f, struct table_writer *w, const char *path, enum entry_type type)
{
	assert_ok(f, table_add(w, &(struct entry){ .path = path, .type = type }, &f->error));
}

static void what_a_directory_holds_follows_it(void **state)
{
	(void)state;
	assert_true(path_order("a", "a") == 0);
	assert_true(path_order("a", "a/b") < 0);
	assert_true(path_order("a/b", "a.b") < 0);
	assert_true(path_order("a/z", "a\001") < 0);
	assert_true(path_order("a.b", "a/b") > 0);
	assert_true(path_order("", "a") < 0);
	assert_true(path_order("\377", "a") > 0);
	assert_true(path_is_below("a/b", "a"));
	assert_true(path_is_below("a", ""));
	assert_false(path_is_below("ab", "a"));
	assert_false(path_is_below("a", "a"));
	assert_false(path_is_below("", ""));
}

static void an_entry_comes_back_as_it_was(void **state)
{
	struct fixture *f = *state;
	static const char xattrs[] = "user.a\0\3\0\0\0x\0y";
	struct entry in = {
		.path = "etc/x", .link = "to", .xattrs = xattrs, .xattrs_size = sizeof xattrs - 1,
		.type = ENTRY_SYMLINK, .mode = 07777, .uid = 4294967294U, .gid = 5, .major = 6, .minor = 7,
		.size = 1LL << 40, .mtime = -1, .offset = 512, .digest = any,
	}, out;
	struct table_writer *w = table_begin(f->store, &f->error);
	struct table *t;

	add(f, w, "etc", ENTRY_DIR);
	assert_ok(f, table_add(w, &in, &f->error));
	assert_ok(f, table_commit(w, &any, 12345, &f->error));
	t = table_open(f->store, &any, &f->error);
	assert_non_null(t);
	assert_int_equal(table_count(t), 2);
	assert_int_equal(table_tar_size(t), 12345);
	table_get(t, 1, &out);
	assert_string_equal(out.path, "etc/x");
	assert_string_equal(out.link, "to");
	assert_int_equal(out.xattrs_size, in.xattrs_size);
	assert_memory_equal(out.xattrs, xattrs, in.xattrs_size);
	assert_int_equal(out.type, in.type);
	assert_int_equal(out.mode, in.mode);
	assert_int_equal(out.uid, in.uid);
	assert_int_equal(out.gid, in.gid);
	assert_int_equal(out.major, in.major);
	assert_int_equal(out.minor, in.minor);
	assert_int_equal(out.size, in.size);
	assert_int_equal(out.mtime, in.mtime);
	assert_int_equal(out.offset, in.offset);
	assert_memory_equal(&out.digest, &any, sizeof any);
	table_get(t, 0, &out);
	assert_null(out.link);
	assert_null(out.xattrs);
	table_close(t);
}

static void entries_out_of_order_are_refused(void **state)
{
	struct fixture *f = *state;
	struct table_writer *w = table_begin(f->store, &f->error);

	add(f, w, "b", ENTRY_FILE);
	assert_int_equal(table_add(w, &(struct entry){ .path = "a" }, &f->error), -1);
	assert_string_equal(f->error.text, "a comes after b: entries must be sorted");
	assert_int_equal(table_add(w, &(struct entry){ .path = "b" }, &f->error), -1);
	table_discard(w);
}

static void paths_are_found_among_many(void **state)
{
	struct fixture *f = *state;
	struct table_writer *w = table_begin(f->store, &f->error);
	char path[40];
	struct table *t;

	for (int i = 0; i < 20000; i++) {
		snprintf(path, sizeof path, "d%03d/f%05d", i / 100, i);
		add(f, w, path, ENTRY_FILE);
	}
	assert_ok(f, table_commit(w, &any, 0, &f->error));
	t = table_open(f->store, &any, &f->error);
	assert_int_equal(table_find(t, "d000/f00000"), 0);
	assert_int_equal(table_find(t, "d123/f12345"), 12345);
	assert_int_equal(table_find(t, "d199/f19999"), 19999);
	assert_int_equal(table_find(t, "d123"), -1);
	assert_int_equal(table_find(t, "z"), -1);
	assert_int_equal(table_lower_bound(t, "d123"), 12300);
	assert_int_equal(table_lower_bound(t, ""), 0);
	assert_int_equal(table_lower_bound(t, "z"), 20000);
	table_close(t);
}

/* The entries of PATHS whose parent has none, in one string. */
static const char *orphans(struct fixture *f, const char *const *paths, size_t count)
{
	static char found[64];
	struct table_writer *w = table_begin(f->store, &f->error);
	struct table *t;

	for (size_t i = 0; i < count; i++)
		add(f, w, paths[i], paths[i][strlen(paths[i]) - 1] == 'd' ? ENTRY_DIR : ENTRY_FILE);
	assert_ok(f, table_commit(w, &any, 0, &f->error));
	t = table_open(f->store, &any, &f->error);
	assert_int_equal(table_needs_below(t), table_orphan_count(t) > 0);
	found[0] = '\0';
	for (size_t i = 0; i < table_orphan_count(t); i++)
		sprintf(found + strlen(found), "%s ", paths[table_orphan(t, i)]);
	table_close(t);
	return found;
}

static void a_missing_parent_is_noticed(void **state)
{
	struct fixture *f = *state;
	const char *const whole[] = { "a-d", "a-d/d", "a-d/d/1", "a-d/d/d", "a-d/d/d/2", "a-d/x", "b" };
	const char *const hole[] = { "ad", "ad/d", "ad/d/1", "ad/x/1", "ad/x/2", "ad/x/y/3" };
	const char *const sibling[] = { "ad", "ad.x/1" };

	assert_string_equal(orphans(f, whole, 7), "");
	assert_string_equal(orphans(f, hole, 6), "ad/x/1 ad/x/y/3 ");
	assert_string_equal(orphans(f, sibling, 2), "ad.x/1 ");
}

/* SIZE BYTES at PATH: a table with every bit of its own, or cut anywhere. */
static bool is_refused(struct fixture *f, const char *path, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	struct table *table;
	struct stat st;

	assert_int_equal(write(fd, bytes, size), size);
	close(fd);
	table = table_open(f->store, &any, &f->error);
	table_close(table);
	return !table && f->error.kind == ERROR_DAMAGED && stat(path, &st) < 0;
}

/* H252. */
static void every_flipped_bit_and_every_cut_of_a_table_is_noticed(void **state)
{
	struct fixture *f = *state;
	struct table_writer *w = table_begin(f->store, &f->error);
	char hex[DIGEST_HEX + 1], path[200];
	unsigned char bytes[1024];
	ssize_t size;
	int fd;

	add(f, w, "a", ENTRY_FILE);
	add(f, w, "b", ENTRY_FILE);
	assert_ok(f, table_commit(w, &any, 0, &f->error));
	assert_ok(f, store_flush(f->store, &f->error));
	snprintf(path, sizeof path, "%s/tables/%s", store_path(f->store), digest_hex(&any, hex));
	fd = open(path, O_RDONLY | O_CLOEXEC);
	size = pread(fd, bytes, sizeof bytes, 0);
	close(fd);
	assert_true(size > 0);
	for (ssize_t i = 0; i < size * 8; i++) {
		bytes[i / 8] ^= (unsigned char)(1 << i % 8);
		assert_true(is_refused(f, path, bytes, (size_t)size));
		bytes[i / 8] ^= (unsigned char)(1 << i % 8);
	}
	for (ssize_t cut = 0; cut < size; cut++)
		assert_true(is_refused(f, path, bytes, (size_t)cut));
	assert_false(is_refused(f, path, bytes, (size_t)size));
}

static void a_table_that_is_not_there_is_not_found(void **state)
{
	struct fixture *f = *state;

	assert_false(table_exists(f->store, &any));
	assert_null(table_open(f->store, &any, &f->error));
	assert_int_equal(f->error.kind, ERROR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_directory_holds_follows_it),
		with_store(an_entry_comes_back_as_it_was),
		with_store(entries_out_of_order_are_refused),
		with_store(paths_are_found_among_many),
		with_store(a_missing_parent_is_noticed),
		with_store(every_flipped_bit_and_every_cut_of_a_table_is_noticed),
		with_store(a_table_that_is_not_there_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
