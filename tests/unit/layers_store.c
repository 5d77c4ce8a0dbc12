#include "layers_fixture.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
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

/* A context's index is kept after the flush of its build: the next build must not have an older one. */
static void what_was_replaced_is_not_seen_any_more(void **state)
{
	static const enum store_room rooms[] = { STORE_STEPS, STORE_IMAGES, STORE_BASES,
		                                 STORE_CONTEXTS };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		struct store *first = again(f), *second = again(f), *third;
		auto_free char *text = NULL, *flushed = NULL;

		assert_ok(f, store_write(first, rooms[i], "a", "old", 3, &f->error));
		assert_ok(f, store_flush(first, &f->error));
		assert_ok(f, store_write(second, rooms[i], "a", "new", 3, &f->error));
		store_close(second);
		text = store_read(first, rooms[i], "a", NULL, &f->error);
		assert_string_equal(text, "new");
		assert_ok(f, store_flush(first, &f->error));
		third = again(f);
		flushed = store_read(third, rooms[i], "a", NULL, &f->error);
		assert_string_equal(flushed, "new");
		store_close(third);
		store_close(first);
	}
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

/* A folder with CHILD in it, kept as NAME. */
static void keep_folder(struct fixture *f, const char *name, const char *child)
{
	struct store_temp t;
	char path[300];

	close(store_temp_dir(f->store, &t, &f->error));
	snprintf(path, sizeof path, "%s/%s", t.name, child);
	assert_int_equal(mkdirat(t.dir, path, 0700), 0);
	assert_ok(f, store_keep(f->store, &t, STORE_TREES, name, &f->error));
}

static bool is_in_store(struct fixture *f, const char *name)
{
	char path[300];
	struct stat st;

	snprintf(path, sizeof path, "%s/%s", store_path(f->store), name);
	return lstat(path, &st) == 0;
}

static void a_folder_stands_at_its_place_before_and_after_the_flush(void **state)
{
	struct fixture *f = *state;

	assert_false(store_has(f->store, STORE_TREES, "t"));
	keep_folder(f, "t", "x");
	assert_true(store_has(f->store, STORE_TREES, "t"));
	assert_true(is_in_store(f, "trees/t/x"));
	assert_false(is_in_store(f, "trees/t.whole"));
	assert_ok(f, store_flush(f->store, &f->error));
	assert_true(store_has(f->store, STORE_TREES, "t"));
	assert_true(is_in_store(f, "trees/t/x"));
	assert_true(is_in_store(f, "trees/t.whole"));
	assert_ok(f, store_remove(f->store, STORE_TREES, "t", &f->error));
	assert_false(is_in_store(f, "trees/t"));
	assert_false(is_in_store(f, "trees/t.whole"));
}

static void of_two_trees_the_first_counts(void **state)
{
	struct fixture *f = *state;

	keep_folder(f, "t", "first");
	keep_folder(f, "t", "second");
	assert_true(is_in_store(f, "trees/t/first"));
	assert_false(is_in_store(f, "trees/t/second"));
	assert_ok(f, store_flush(f->store, &f->error));
	keep_folder(f, "t", "third");
	assert_true(is_in_store(f, "trees/t/first"));
}

static int note_name(const char *name, void *context)
{
	strcat(strcat(context, name), " ");
	return 0;
}

static void a_folder_that_nobody_finished_is_none(void **state)
{
	struct fixture *f = *state;
	char path[300], names[100] = "";

	snprintf(path, sizeof path, "%s/trees/t", store_path(f->store));
	assert_int_equal(mkdir(path, 0700), 0);
	snprintf(path, sizeof path, "%s/trees/t/torn", store_path(f->store));
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(store_has(f->store, STORE_TREES, "t"));
	assert_ok(f, store_list(f->store, STORE_TREES, note_name, names, &f->error));
	assert_string_equal(names, "t ");
	keep_folder(f, "t", "made");
	assert_true(store_has(f->store, STORE_TREES, "t"));
	assert_true(is_in_store(f, "trees/t/made"));
	assert_false(is_in_store(f, "trees/t/torn"));
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

/* H289: whoever has few descriptors left takes nothing for abandoned. */
static void what_cannot_be_opened_is_not_swept(void **state)
{
	struct fixture *f = *state;
	struct rlimit before, few;
	struct store_temp t;

	close(store_temp_file(f->store, &t, &f->error));
	store_discard(&t);
	getrlimit(RLIMIT_NOFILE, &before);
	few = before;
	for (few.rlim_cur = 16; few.rlim_cur < 64; few.rlim_cur++) {
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
		store_close(store_open(store_path(f->store), &f->error));
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	}
	assert_ok(f, store_write(f->store, STORE_STEPS, "a", "1", 1, &f->error));
}

static size_t all_waste(struct store *s)
{
	size_t count = 0;

	while (store_remove_waste(s))
		count++;
	return count;
}

static void write_step(struct fixture *f, const void *bytes, size_t size)
{
	assert_ok(f, store_write(f->store, STORE_STEPS, "a", bytes, size, &f->error));
	assert_ok(f, store_flush(f->store, &f->error));
}

static void what_a_flush_replaces_is_removed_when_somebody_has_time(void **state)
{
	struct fixture *f = *state;
	struct store *other = again(f);
	auto_free char *text = NULL;

	write_step(f, "old", 3);
	assert_int_equal(all_waste(other), 0);
	write_step(f, "new", 3);
	text = store_read(other, STORE_STEPS, "a", NULL, &f->error);
	assert_string_equal(text, "new");
	assert_int_equal(all_waste(other), 1);
	store_close(other);
}

static void there_is_little_waste(void **state)
{
	static const char large[70000];
	struct fixture *f = *state;
	struct store_temp temp;
	int dir;

	write_step(f, large, sizeof large);
	write_step(f, "1", 1);
	assert_int_equal(all_waste(f->store), 0);
	for (int i = 0; i < 40; i++)
		write_step(f, "2", 1);
	dir = store_temp_dir(f->store, &temp, &f->error);
	assert_true(dir >= 0);
	close(dir);
	assert_false(store_discard_later(f->store, &temp));
	assert_true(path_is_there(temp.dir, temp.name));
	assert_in_range(all_waste(f->store), 1, 16);
	assert_true(store_discard_later(f->store, &temp));
	assert_false(path_is_there(temp.dir, temp.name));
	assert_int_equal(all_waste(f->store), 1);
}

static void write_version(struct fixture *f, const char *text)
{
	char path[200];
	FILE *file;

	snprintf(path, sizeof path, "%s/version", store_path(f->store));
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* H254. */
static void a_store_of_a_newer_version_is_left_alone(void **state)
{
	struct fixture *f = *state;

	write_version(f, "2\n");
	assert_null(store_open(store_path(f->store), &f->error));
	assert_int_equal(f->error.kind, ERROR_UNSUPPORTED);
	assert_non_null(strstr(f->error.text, "a newer cairn made it (version 2; this one knows 1)"));
	write_version(f, "1\n");
	store_close(again(f));
	/* Its writing was cut short by a loss of power. */
	write_version(f, "");
	store_close(again(f));
}

static void note_damage(void *context, const char *text)
{
	snprintf(context, 300, "%s", text);
}

/* The path of NAME in the store, in static memory. */
static const char *path_of(struct fixture *f, const char *name)
{
	static char path[300];

	snprintf(path, sizeof path, "%s/%s", store_path(f->store), name);
	return path;
}

/* H252. */
static void a_record_that_was_changed_or_cut_is_absent(void **state)
{
	static const char *const damages[] = { "", "1", "2\nCRC-32 83dcefb7", "1\nCRC-32 83dcefb" };
	struct fixture *f = *state;
	char notice[300];

	store_on_damage(f->store, note_damage, notice);
	for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
		auto_free char *text = NULL;
		int fd;

		assert_ok(f, store_write(f->store, STORE_STEPS, "a", "1", 1, &f->error));
		assert_ok(f, store_flush(f->store, &f->error));
		text = store_read(f->store, STORE_STEPS, "a", NULL, &f->error);
		assert_string_equal(text, "1");
		notice[0] = '\0';
		fd = open(path_of(f, "steps/a"), O_WRONLY | O_TRUNC);
		assert_int_equal(write(fd, damages[i], strlen(damages[i])), strlen(damages[i]));
		close(fd);
		assert_null(store_read(f->store, STORE_STEPS, "a", NULL, &f->error));
		assert_int_equal(f->error.kind, ERROR_DAMAGED);
		assert_non_null(strstr(notice, "steps/a was damaged"));
		assert_false(is_in_store(f, "steps/a"));
	}
}

static void what_is_no_file_is_removed_and_not_followed(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	for (int kind = 0; kind < 4; kind++) {
		assert_int_equal(mkdirat(f->dir, "victim", 0700), kind ? -1 : 0);
		if (kind == 0)
			assert_int_equal(mkdir(path_of(f, "steps/a"), 0700), 0);
		else if (kind == 1)
			assert_int_equal(mkfifo(path_of(f, "steps/a"), 0600), 0);
		else
			assert_int_equal(symlink(kind == 2 ? "../../work/victim" : "a",
			                         path_of(f, "steps/a")), 0);
		assert_null(store_read(f->store, STORE_STEPS, "a", NULL, &f->error));
		assert_int_equal(f->error.kind, ERROR_DAMAGED);
		assert_false(is_in_store(f, "steps/a"));
	}
	assert_int_equal(fstatat(f->dir, "victim", &st, 0), 0);
	assert_ok(f, path_remove(f->dir, "victim", &f->error));
}

static void a_tree_that_became_a_file_is_none(void **state)
{
	struct fixture *f = *state;

	keep_folder(f, "t", "first");
	assert_ok(f, store_flush(f->store, &f->error));
	assert_int_equal(rmdir(path_of(f, "trees/t/first")), 0);
	assert_int_equal(rmdir(path_of(f, "trees/t")), 0);
	close(open(path_of(f, "trees/t"), O_WRONLY | O_CREAT, 0600));
	assert_false(store_has(f->store, STORE_TREES, "t"));
	keep_folder(f, "t", "second");
	assert_true(store_has(f->store, STORE_TREES, "t"));
	assert_true(is_in_store(f, "trees/t/second"));
}

static void a_folder_in_the_place_of_a_lock_is_removed(void **state)
{
	static const struct digest key = { { 7 } };
	struct fixture *f = *state;
	char hex[DIGEST_HEX + 1], name[100];
	int fd;

	snprintf(name, sizeof name, "locks/%s", digest_hex(&key, hex));
	assert_int_equal(mkdir(path_of(f, name), 0700), 0);
	fd = store_lock(f->store, &key, true, &f->error);
	assert_true(fd >= 0);
	close(fd);
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

/* Somebody waits for a lock of this process on the file of number INODE. */
static bool is_waited_for(ino_t inode)
{
	FILE *locks = fopen("/proc/locks", "r");
	bool waiting = false;
	char line[200], place[40];

	assert_non_null(locks);
	snprintf(place, sizeof place, ":%ju ", (uintmax_t)inode);
	while (!waiting && fgets(line, sizeof line, locks))
		waiting = strstr(line, "-> FLOCK") && strstr(line, place);
	fclose(locks);
	return waiting;
}

static const struct digest waited_key = { { 7 } };

static void *wait_for_lock(void *store)
{
	struct error ignored;

	return (void *)(intptr_t)store_lock(store, &waited_key, true, &ignored);
}

/* H249. */
static void a_lock_that_is_removed_while_somebody_waits_is_taken_anew(void **state)
{
	struct fixture *f = *state;
	char hex[DIGEST_HEX + 1], name[100];
	int fd = store_lock(f->store, &waited_key, true, &f->error);
	pthread_t waiter;
	struct stat st;
	void *theirs;

	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(pthread_create(&waiter, NULL, wait_for_lock, f->store), 0);
	while (!is_waited_for(st.st_ino))
		sched_yield();
	snprintf(name, sizeof name, "locks/%s", digest_hex(&waited_key, hex));
	assert_int_equal(unlink(path_of(f, name)), 0);
	close(fd);
	pthread_join(waiter, &theirs);
	assert_true((intptr_t)theirs >= 0);
	assert_int_equal(store_lock(f->store, &waited_key, false, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_CANCELLED);
	close((int)(intptr_t)theirs);
}

/* H249: nor does a program that was started meanwhile keep it. */
static void a_lock_ends_with_whoever_was_killed(void **state)
{
	struct fixture *f = *state;
	pid_t pid, program;
	int tube[2], fd;

	assert_int_equal(pipe(tube), 0);
	pid = fork();
	if (pid == 0) {
		fd = store_lock(f->store, &waited_key, true, &f->error);
		program = vfork();
		if (program == 0) {
			execlp("sleep", "sleep", "20", NULL);
			_exit(1);
		}
		_exit(fd >= 0 && write(tube[1], &program, sizeof program) > 0 && pause());
	}
	close(tube[1]);
	assert_int_equal(read(tube[0], &program, sizeof program), sizeof program);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	/* It may be about to close what it does not keep. */
	fd = store_lock(f->store, &waited_key, true, &f->error);
	assert_true(fd >= 0);
	assert_int_equal(kill(program, SIGKILL), 0);
	close(fd);
	close(tube[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_is_kept_is_seen_by_others_before_it_is_synced),
		with_store(what_was_replaced_is_not_seen_any_more),
		with_store(a_final_name_comes_with_the_flush),
		with_store(a_folder_stands_at_its_place_before_and_after_the_flush),
		with_store(of_two_trees_the_first_counts),
		with_store(a_folder_that_nobody_finished_is_none),
		with_store(what_a_dead_process_left_is_swept),
		with_store(what_cannot_be_opened_is_not_swept),
		with_store(what_a_flush_replaces_is_removed_when_somebody_has_time),
		with_store(there_is_little_waste),
		with_store(a_store_of_a_newer_version_is_left_alone),
		with_store(a_record_that_was_changed_or_cut_is_absent),
		with_store(what_is_no_file_is_removed_and_not_followed),
		with_store(a_tree_that_became_a_file_is_none),
		with_store(a_folder_in_the_place_of_a_lock_is_removed),
		with_store(a_lock_is_for_one_at_a_time),
		with_store(a_lock_that_is_removed_while_somebody_waits_is_taken_anew),
		with_store(a_lock_ends_with_whoever_was_killed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
