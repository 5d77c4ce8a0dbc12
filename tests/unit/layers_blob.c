#include "layers_fixture.h"

#include "layers/blob.h"
#include "layers/scope.h"

static void two_writers_of_one_blob_both_succeed(void **state)
{
	struct fixture *f = *state;
	struct blob_writer *one = blob_begin(f->store, &f->error);
	struct blob_writer *two = blob_begin(f->store, &f->error);
	struct digest d;
	auto_free char *text = NULL;

	assert_ok(f, blob_write(one, "same", 4, &f->error));
	assert_ok(f, blob_write(two, "same", 4, &f->error));
	assert_int_equal(blob_commit(one, NULL, &d, &f->error), 4);
	assert_int_equal(blob_commit(two, &d, NULL, &f->error), 4);
	text = blob_read(f->store, &d, 10, NULL, &f->error);
	assert_string_equal(text, "same");
}

static void bytes_that_are_not_what_was_wanted_are_not_kept(void **state)
{
	struct fixture *f = *state;
	struct blob_writer *w = blob_begin(f->store, &f->error);
	struct digest wanted, written;

	digest_of("a", 1, &wanted);
	digest_of("b", 1, &written);
	assert_ok(f, blob_write(w, "b", 1, &f->error));
	assert_int_equal(blob_commit(w, &wanted, NULL, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_CORRUPT);
	assert_false(blob_has(f->store, &wanted, -1));
	assert_false(blob_has(f->store, &written, -1));
}

static void a_blob_of_another_size_is_not_opened(void **state)
{
	struct fixture *f = *state;
	struct digest d;

	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	assert_true(blob_has(f->store, &d, 4));
	assert_true(blob_has(f->store, &d, -1));
	assert_int_equal(blob_open(f->store, &d, 5, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_CORRUPT);
	assert_null(blob_read(f->store, &d, 3, NULL, &f->error));
}

/* Flush, and TEXT (of the same size or another) in the place of the blob D. */
static void damage(struct fixture *f, const struct digest *d, const char *text)
{
	char path[200], hex[DIGEST_HEX + 1];

	assert_ok(f, store_flush(f->store, &f->error));
	snprintf(path, sizeof path, "%s/blobs/sha256/%s", store_path(f->store), digest_hex(d, hex));
	assert_int_equal(chmod(path, 0600), 0);
	auto_close int fd = open(path, O_WRONLY | O_TRUNC);

	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static void a_damaged_blob_is_not_read(void **state)
{
	struct fixture *f = *state;
	struct digest d;

	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	damage(f, &d, "Text");
	assert_true(blob_has(f->store, &d, 4));
	assert_null(blob_read(f->store, &d, 10, NULL, &f->error));
	assert_int_equal(f->error.kind, ERROR_DAMAGED);
	assert_false(blob_has(f->store, &d, 4));
}

static void a_damaged_blob_does_not_leave(void **state)
{
	struct fixture *f = *state;
	struct digest d;
	int fd;

	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	assert_true(blob_is_fresh(f->store, &d));
	fd = blob_open_verified(f->store, &d, 4, &f->error);
	assert_true(fd >= 0);
	close(fd);
	damage(f, &d, "Text");
	assert_false(blob_is_fresh(f->store, &d));
	assert_int_equal(blob_open_verified(f->store, &d, 4, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_DAMAGED);
	assert_false(blob_has(f->store, &d, -1));
}

static void a_blob_that_was_cut_is_absent_and_can_be_made_again(void **state)
{
	struct fixture *f = *state;
	struct digest d;
	auto_free char *text = NULL;

	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	damage(f, &d, "tex");
	assert_int_equal(blob_open(f->store, &d, 4, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_DAMAGED);
	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	text = blob_read(f->store, &d, 10, NULL, &f->error);
	assert_string_equal(text, "text");
}

static void what_this_process_made_counts_before_what_was_there(void **state)
{
	struct fixture *f = *state;
	struct blob_writer *w;
	auto_free char *text = NULL;
	struct digest d;

	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	damage(f, &d, "Text");
	w = blob_begin(f->store, &f->error);
	assert_ok(f, blob_write(w, "text", 4, &f->error));
	assert_int_equal(blob_commit(w, &d, NULL, &f->error), 4);
	text = blob_read(f->store, &d, 10, NULL, &f->error);
	assert_string_equal(text, "text");
	assert_ok(f, store_flush(f->store, &f->error));
	assert_ok(f, blob_verify(f->store, &d, &f->error));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(two_writers_of_one_blob_both_succeed),
		with_store(bytes_that_are_not_what_was_wanted_are_not_kept),
		with_store(a_blob_of_another_size_is_not_opened),
		with_store(a_damaged_blob_is_not_read),
		with_store(a_damaged_blob_does_not_leave),
		with_store(a_blob_that_was_cut_is_absent_and_can_be_made_again),
		with_store(what_this_process_made_counts_before_what_was_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
