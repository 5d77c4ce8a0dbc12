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

static void a_damaged_blob_is_not_read(void **state)
{
	struct fixture *f = *state;
	char path[200], hex[DIGEST_HEX + 1];
	struct digest d;

	assert_ok(f, blob_put(f->store, "text", 4, &d, &f->error));
	assert_ok(f, store_flush(f->store, &f->error));
	snprintf(path, sizeof path, "%s/blobs/sha256/%s", store_path(f->store), digest_hex(&d, hex));
	assert_int_equal(chmod(path, 0600), 0);
	auto_close int fd = open(path, O_WRONLY);

	assert_int_equal(write(fd, "T", 1), 1);
	assert_null(blob_read(f->store, &d, 10, NULL, &f->error));
	assert_int_equal(f->error.kind, ERROR_CORRUPT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(two_writers_of_one_blob_both_succeed),
		with_store(bytes_that_are_not_what_was_wanted_are_not_kept),
		with_store(a_blob_of_another_size_is_not_opened),
		with_store(a_damaged_blob_is_not_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
