#include "layers_fixture.h"

#include "layers/blob.h"
#include "layers/compress.h"
#include "layers/piece.h"
#include "layers/reuse.h"
#include "layers/scope.h"

struct memory {
	const char *at;
	size_t left, step;
};

/* A few bytes at a time, as a network might. */
static ssize_t pull(void *context, void *buffer, size_t size, struct error *e)
{
	struct memory *m = context;

	(void)e;
	if (size > m->step)
		size = m->step;
	if (size > m->left)
		size = m->left;
	memcpy(buffer, m->at, size);
	m->at += size;
	m->left -= size;
	return (ssize_t)size;
}

/* Text that compresses, SIZE bytes; the caller frees it. */
static char *make_text(size_t size)
{
	char *text = malloc(size + 16);

	for (size_t i = 0; i < size; i += 8)
		snprintf(text + i, 16, "%08x", (unsigned)(i * i / 7));
	return text;
}

/* SIZE bytes of TEXT compressed; returns the compressed bytes. */
static char *compress(struct fixture *f, const char *text, size_t size, enum compression kind,
                      unsigned threads, size_t *compressed)
{
	auto_close int fd = openat(f->dir, "in", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct digest raw, d;
	const struct compress_how how = { .kind = kind, .level = -1, .threads = threads, .raw = &raw };
	int64_t blob_size;

	digest_of(text, size, &raw);
	assert_ok(f, path_write_all(fd, text, size, &f->error));
	assert_ok(f, compress_blob(f->store, fd, &how, &d, &blob_size, &f->error));
	return blob_read(f->store, &d, 64 << 20, compressed, &f->error);
}

/* Inflate BYTES and compare with TEXT. Returns as inflate_read does at the end. */
static int inflates_to(struct fixture *f, enum compression kind, const char *bytes, size_t size,
                       size_t step, const char *text, size_t text_size)
{
	struct memory memory = { bytes, size, step };
	struct inflater *i = inflate_begin(kind, pull, &memory, &f->error);
	char buffer[10007];
	size_t at = 0;
	ssize_t n;

	while ((n = inflate_read(i, buffer, sizeof buffer, &f->error)) > 0) {
		assert_true(at + (size_t)n <= text_size);
		assert_memory_equal(buffer, text + at, n);
		at += (size_t)n;
	}
	inflate_end(i);
	if (n == 0)
		assert_int_equal(at, text_size);
	return (int)n;
}

static void bytes_do_not_depend_on_threads(void **state)
{
	struct fixture *f = *state;
	const size_t size = 5 * PIECE_MAX + 12345;
	auto_free char *text = make_text(size);

	for (enum compression kind = COMPRESSION_GZIP; kind <= COMPRESSION_ZSTD; kind++) {
		size_t one_size, many_size;
		auto_free char *one = compress(f, text, size, kind, 1, &one_size);
		auto_free char *many = compress(f, text, size, kind, 7, &many_size);

		assert_int_equal(one_size, many_size);
		assert_memory_equal(one, many, one_size);
		assert_true(one_size < size / 2);
		assert_int_equal(compression_sniff(one, one_size), kind);
		assert_int_equal(inflates_to(f, kind, one, one_size, 1 << 20, text, size), 0);
		assert_int_equal(inflates_to(f, kind, one, one_size, 1009, text, size), 0);
	}
}

static void sizes_around_a_block_come_back(void **state)
{
	static const size_t sizes[] = { 0, 1, PIECE_MAX - 1, PIECE_MAX, PIECE_MAX + 1,
	                                2 * PIECE_MAX };
	struct fixture *f = *state;
	auto_free char *text = make_text(2 * PIECE_MAX);

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		size_t size;
		auto_free char *bytes = compress(f, text, sizes[i], COMPRESSION_GZIP, 2, &size);

		assert_int_equal(inflates_to(f, COMPRESSION_GZIP, bytes, size, 1 << 20, text, sizes[i]), 0);
	}
}

static void other_bytes_than_the_layers_are_refused(void **state)
{
	struct fixture *f = *state;
	auto_close int fd = openat(f->dir, "in", O_RDWR | O_CREAT | O_TRUNC, 0600);
	struct digest raw, d;
	const struct compress_how how = { .kind = COMPRESSION_GZIP, .level = -1, .threads = 1,
		                          .raw = &raw };
	int64_t size;

	digest_of("layer", 5, &raw);
	assert_ok(f, path_write_all(fd, "lAyer", 5, &f->error));
	assert_int_equal(compress_blob(f->store, fd, &how, &d, &size, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_CORRUPT);
}

/* Numbers that do not compress to nothing, and cut into pieces of all lengths. */
static char *make_noise(size_t size)
{
	uint64_t *noise = malloc(size);

	for (size_t i = 0, x = 1; i < size / 8; i++) {
		x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		noise[i] = x >> 32;
	}
	return (char *)noise;
}

static void what_is_inserted_moves_no_cut_behind_it(void **state)
{
	static size_t before[99], after[99];
	const size_t size = 24 << 20, inserted = 1000;
	auto_free char *noise = make_noise(size + inserted);
	size_t at = 0, one = 0, two = 0, same = 0;

	(void)state;
	for (; at < size; one++)
		before[one] = at += piece_length((unsigned char *)noise + at, size - at);
	memmove(noise + inserted, noise, size);
	memset(noise, 'x', inserted);
	for (at = 0; at < size + inserted; two++)
		after[two] = at += piece_length((unsigned char *)noise + at, size + inserted - at);
	for (size_t i = 0, k = 0; i < one && k < two;) {
		same += before[i] + inserted == after[k];
		before[i] + inserted <= after[k] ? i++ : k++;
	}
	assert_in_range(one, 24, 96);
	assert_in_range(same, one - 5, one);
}

/* Where each piece of the SIZE bytes of NOISE, which compressed to PACKED, lies in that. */
static size_t find_pieces(struct reuse *r, const char *noise, size_t size, struct reuse_piece *piece,
                          struct digest *blob)
{
	size_t count = 0;

	for (size_t at = 0; at < size; at += piece[count++].size) {
		piece[count].size =
			(uint32_t)piece_length((const unsigned char *)noise + at, size - at);
		assert_true(reuse_tag(r, noise + at, &piece[count]));
		assert_true(reuse_find(r, &piece[count], blob));
	}
	return count;
}

/* A gzip header names the system it was made on (byte 9), which nobody reads: here it tells which
 * pieces come from an earlier blob. */
static void pieces_of_an_earlier_layer_are_used_again(void **state)
{
	struct fixture *f = *state;
	const size_t size = 12 << 20;
	size_t packed, again, differ = 0;
	auto_free char *noise = make_noise(size);
	auto_free char *marked = compress(f, noise, size, COMPRESSION_GZIP, 2, &packed);
	auto_free char *second = NULL, *third = NULL;
	char name[100] = "../store/blobs/sha256/", hex[DIGEST_HEX + 1];
	struct reuse *r = reuse_open(f->store, compress_method(COMPRESSION_GZIP, -1));
	struct reuse_piece piece[24];
	struct digest d;
	size_t count = find_pieces(r, noise, size, piece, &d);

	for (size_t i = 0; i < count; i++)
		marked[piece[i].offset + 9] ^= 1;
	assert_ok(f, blob_put(f->store, marked, packed, &d, &f->error));
	for (size_t i = 0; i < count; i++) {
		piece[i].sum = reuse_sum(&piece[i], marked + piece[i].offset);
		reuse_note(r, &piece[i], &d);
	}
	reuse_close(r);

	noise[size / 2] ^= 1;
	second = compress(f, noise, size, COMPRESSION_GZIP, 2, &again);
	assert_int_equal(inflates_to(f, COMPRESSION_GZIP, second, again, 1 << 20, noise, size), 0);
	for (size_t i = 0; i < packed && i < again; i++)
		differ += marked[i] != second[i];
	assert_in_range(differ, 1, PIECE_MAX);
	noise[size / 2] ^= 1;

	/* Bytes that rotted are not used again. */
	assert_ok(f, store_flush(f->store, &f->error));
	strcat(name, digest_hex(&d, hex));
	auto_close int blob = openat(f->dir, name, O_WRONLY);

	for (size_t i = 1000; i < packed; i += 1000)
		marked[i] ^= 4;
	assert_int_equal(pwrite(blob, marked, packed, 0), packed);
	noise[0] ^= 1;
	third = compress(f, noise, size, COMPRESSION_GZIP, 2, &again);
	assert_int_equal(inflates_to(f, COMPRESSION_GZIP, third, again, 1 << 20, noise, size), 0);
}

/* The tag of one piece before what is known of another: a hint that was read while it was written. */
static void a_hint_that_is_torn_leads_to_nothing(void **state)
{
	struct fixture *f = *state;
	const size_t size = 3 << 20;
	size_t packed, again;
	auto_free char *noise = make_noise(size);
	auto_free char *first = compress(f, noise, size, COMPRESSION_GZIP, 1, &packed), *second = NULL;
	struct reuse *r = reuse_open(f->store, compress_method(COMPRESSION_GZIP, -1));
	struct reuse_piece piece[6], torn;
	struct digest d;

	assert_true(find_pieces(r, noise, size, piece, &d) > 1);
	torn = piece[1];
	memcpy(torn.tag, piece[0].tag, REUSE_TAG);
	reuse_note(r, &torn, &d);
	reuse_close(r);
	second = compress(f, noise, size, COMPRESSION_GZIP, 1, &again);
	assert_int_equal(again, packed);
	assert_memory_equal(first, second, packed);
}

static void every_cut_and_every_flipped_byte_is_noticed(void **state)
{
	struct fixture *f = *state;
	auto_free char *text = make_text(3000);

	for (enum compression kind = COMPRESSION_GZIP; kind <= COMPRESSION_ZSTD; kind++) {
		size_t size;
		auto_free char *bytes = compress(f, text, 3000, kind, 1, &size);

		for (size_t cut = 1; cut < size; cut++) {
			assert_int_equal(inflates_to(f, kind, bytes, cut, 99, text, 3000), -1);
			assert_int_equal(f->error.kind, ERROR_CORRUPT);
		}
		/* The checksums at the end. */
		for (size_t at = size - 4; at < size; at++) {
			bytes[at] ^= 1;
			assert_int_equal(inflates_to(f, kind, bytes, size, 99, text, 3000), -1);
			bytes[at] ^= 1;
		}
	}
}

static void plain_bytes_pass(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(inflates_to(f, COMPRESSION_NONE, "plain", 5, 2, "plain", 5), 0);
	assert_int_equal(compression_sniff("plain", 5), COMPRESSION_NONE);
	assert_int_equal(compression_sniff("\x1f", 1), COMPRESSION_NONE);
	assert_int_equal(compression_sniff(NULL, 0), COMPRESSION_NONE);
}

/* The same bytes again and again. */
static ssize_t pull_endlessly(void *context, void *buffer, size_t size, struct error *e)
{
	const struct memory *m = context;
	size_t n = 0;

	(void)e;
	for (; n + m->left <= size; n += m->left)
		memcpy((char *)buffer + n, m->at, m->left);
	return (ssize_t)n;
}

static void a_bomb_does_not_go_off(void **state)
{
	struct fixture *f = *state;
	auto_free char *zeros = calloc(1, PIECE_MAX);
	struct memory memory = { 0 };
	int64_t total = 0;
	ssize_t n;

	memory.at = compress(f, zeros, PIECE_MAX, COMPRESSION_ZSTD, 1, &memory.left);
	struct inflater *i = inflate_begin(COMPRESSION_ZSTD, pull_endlessly, &memory, &f->error);

	while ((n = inflate_read(i, zeros, PIECE_MAX, &f->error)) > 0)
		total += n;
	inflate_end(i);
	free((char *)memory.at);
	assert_int_equal(n, -1);
	assert_string_equal(f->error.text,
	                    "the zstd stream inflates to more than 16 GiB and 200 times its size");
	assert_int_equal(total, 16LL << 30);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(bytes_do_not_depend_on_threads),
		with_store(sizes_around_a_block_come_back),
		with_store(other_bytes_than_the_layers_are_refused),
		with_store(what_is_inserted_moves_no_cut_behind_it),
		with_store(pieces_of_an_earlier_layer_are_used_again),
		with_store(a_hint_that_is_torn_leads_to_nothing),
		with_store(every_cut_and_every_flipped_byte_is_noticed),
		with_store(plain_bytes_pass),
		with_store(a_bomb_does_not_go_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
