#include "layers_fixture.h"

#include <sys/wait.h>

#include "layers/scope.h"

static struct store *again(struct fixture *f)
{
	struct store *s = store_open(store_path(f->store), &f->error);

	assert_non_null(s);
	return s;
}

static void what_is_kept_is_seen_by_others_before_it_is_synced(void **state)
{
	struct fixture *f = *state;
	struct store *other;
	auto_free char *text = NULL;

	assert_ok(f, store_write(f->store, STORE_STEPS, "a", "1", 1, &f->error));
	other = again(f);
	text = store_read(other, STORE_STEPS, "a", NULL, &f->error);
	assert_string_equal(text, "1");
	store_close(other);
}

static void a_final_name_comes_with_the_flush(void **state)
{
	struct fixture *f = *state;
	char path[200];
	struct stat st;

	snprintf(path, sizeof path, "%s/steps/a", store_path(f->store));
	assert_ok(f, store_write(f->store, STORE_STEPS, "a", "1", 1, &f->error));
	assert_int_equal(stat(path, &st), -1);
	assert_ok(f, store_flush(f->store, &f->error));
	assert_int_equal(stat(path, &st), 0);
	assert_true(store_has(f->store, STORE_STEPS, "a"));
	assert_ok(f, store_remove(f->store, STORE_STEPS, "a", &f->error));
	assert_false(store_has(f->store, STORE_STEPS, "a"));
}

static void a_place_is_told_where_it_is_at_the_moment(void **state)
{
	struct fixture *f = *state;
	char path[200];

	assert_int_equal(store_locate(f->store, STORE_TREES, "t", path, sizeof path, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_NOT_FOUND);
	assert_ok(f, store_write(f->store, STORE_TREES, "t", "", 0, &f->error));
	assert_ok(f, store_locate(f->store, STORE_TREES, "t", path, sizeof path, &f->error));
	assert_memory_equal(path, "tmp/", 4);
	assert_ok(f, store_flush(f->store, &f->error));
	assert_ok(f, store_locate(f->store, STORE_TREES, "t", path, sizeof path, &f->error));
	assert_string_equal(path, "trees/t");
}

static void of_two_trees_the_first_counts(void **state)
{
	struct fixture *f = *state;
	struct store_temp one, two;
	char path[300], place[200];
	struct stat st;

	close(store_temp_dir(f->store, &one, &f->error));
	close(store_temp_dir(f->store, &two, &f->error));
	assert_int_equal(mkdirat(one.dir, "x", 0700), 0);
	assert_int_equal(renameat(one.dir, "x", one.dir, "y"), 0);
	snprintf(path, sizeof path, "%s/first", one.name);
	assert_int_equal(mkdirat(one.dir, path, 0700), 0);
	snprintf(path, sizeof path, "%s/second", two.name);
	assert_int_equal(mkdirat(two.dir, path, 0700), 0);
	assert_ok(f, store_keep(f->store, &one, STORE_TREES, "t", &f->error));
	assert_ok(f, store_keep(f->store, &two, STORE_TREES, "t", &f->error));
	assert_ok(f, store_locate(f->store, STORE_TREES, "t", place, sizeof place, &f->error));
	snprintf(path, sizeof path, "%s/%s/first", store_path(f->store), place);
	assert_int_equal(stat(path, &st), 0);
}

static void what_a_dead_process_left_is_swept(void **state)
{
	struct fixture *f = *state;
	char path[200], name[24];
	struct stat st;
	int status, tube[2];
	pid_t pid;

	assert_int_equal(pipe(tube), 0);
	pid = fork();
	if (pid == 0) {
		struct store *s = store_open(store_path(f->store), &f->error);
		struct store_temp t;

		store_temp_file(s, &t, &f->error);
		snprintf(name, sizeof name, "%d.0", getpid());
		_exit(write(tube[1], name, sizeof name) != sizeof name);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(read(tube[0], name, sizeof name), sizeof name);
	snprintf(path, sizeof path, "%s/tmp/%s", store_path(f->store), name);
	assert_int_equal(stat(path, &st), 0);
	store_close(again(f));
	assert_int_equal(stat(path, &st), -1);
	close(tube[0]);
	close(tube[1]);
}

static void a_lock_is_for_one_at_a_time(void **state)
{
	static const struct digest key = { { 7 } };
	struct fixture *f = *state;
	int fd = store_lock(f->store, &key, true, &f->error);

	assert_true(fd >= 0);
	assert_int_equal(store_lock(f->store, &key, false, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_CANCELLED);
	close(fd);
	fd = store_lock(f->store, &key, false, &f->error);
	assert_true(fd >= 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_is_kept_is_seen_by_others_before_it_is_synced),
		with_store(a_final_name_comes_with_the_flush),
		with_store(a_place_is_told_where_it_is_at_the_moment),
		with_store(of_two_trees_the_first_counts),
		with_store(what_a_dead_process_left_is_swept),
		with_store(a_lock_is_for_one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
