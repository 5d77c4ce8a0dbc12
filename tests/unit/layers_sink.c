#include "layers_fixture.h"

#include "layers/blob.h"
#include "layers/scope.h"
#include "layers/sink.h"

#define MIB (1 << 20)

/* A mebibyte that says which one it is. */
static void fill(char *bytes, int number)
{
	for (size_t i = 0; i < MIB; i += 8)
		snprintf(bytes + i, 9, "%08x", (unsigned)(i * 31 + (size_t)number));
}

static void put_block(struct fixture *f, struct sink *k, int number, size_t size)
{
	static char bytes[MIB + 1];

	fill(bytes, number);
	assert_ok(f, sink_write(k, bytes, size, &f->error));
}

static void assert_block(struct fixture *f, int fd, off_t at, int number, size_t size)
{
	static char is[MIB], wanted[MIB + 1];

	fill(wanted, number);
	assert_int_equal(pread(fd, is, size, at), size);
	assert_memory_equal(is, wanted, size);
}

/* Whole blocks go straight to the disk, past 64 MiB or from the beginning; what stands beside them does
 * not fit. */
static void is_stored_as_it_came(struct fixture *f, int64_t expected)
{
	struct sink *k = sink_begin(f->store, &f->error);
	const off_t hole = 3 * MIB + 5;
	off_t at = 70 * (off_t)MIB;
	struct digest told;
	int64_t size;

	assert_non_null(k);
	sink_expect(k, expected);
	for (int i = 0; i < 70; i++)
		put_block(f, k, i, MIB);
	assert_ok(f, sink_zeros(k, hole, &f->error));
	for (int i = 70; i < 75; i++)
		put_block(f, k, i, MIB);
	put_block(f, k, 75, 4099);
	size = sink_finish(k, &told, &f->error);
	assert_int_equal(size, 75 * (off_t)MIB + hole + 4099);

	auto_close int fd = blob_open(f->store, &told, size, &f->error);

	assert_ok(f, fd);
	for (int i = 0; i < 70; i++)
		assert_block(f, fd, i * (off_t)MIB, i, MIB);
	for (int i = 70; i < 75; i++, at += MIB)
		assert_block(f, fd, at + hole, i, MIB);
	assert_block(f, fd, at + hole, 75, 4099);
	assert_int_equal(blob_verify(f->store, &told, &f->error), 0);
}

static void what_is_large_and_uneven_is_stored_as_it_came(void **state)
{
	is_stored_as_it_came(*state, 0);
}

static void so_is_what_is_expected_to_be_large(void **state)
{
	is_stored_as_it_came(*state, 75 * (int64_t)MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(what_is_large_and_uneven_is_stored_as_it_came),
		with_store(so_is_what_is_expected_to_be_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
