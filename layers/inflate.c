#include "layers/compress.h"

#include <bzlib.h>
#include <lzma.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#define INPUT_SIZE (128 << 10)

/* What decompressing may keep in memory: RFC 8878 asks readers for 8 MiB, zstd --long makes
 * 128 MiB, xz -9 needs 65 MiB. */
#define MEMORY_MAX (128 << 20)
#define ZSTD_WINDOW_LOG_MAX 27

/* What inflates to so much, and to so many times its size, was made to fill a disk or an afternoon. At
 * its best gzip makes zeros a thousand times smaller; real files with little in them, images of
 * disks, come to some dozens. */
#define BOMB_SIZE (16LL << 30)
#define BOMB_RATIO 200

enum outcome { GOES_ON, ENDED, BROKEN, TOO_LARGE };

struct inflater {
	enum compression kind;
	ssize_t (*pull)(void *context, void *buffer, size_t size, struct error *e);
	void *context;
	unsigned char *input;
	size_t at, have;
	bool inside;  /* a stream has begun and not ended */
	bool full;    /* the last call filled its buffer: there may be more without input */
	bool one_ended;
	int64_t taken, given; /* bytes in and out so far */
	union {
		z_stream z;
		bz_stream bz;
		lzma_stream xz;
		ZSTD_DStream *zstd;
	} with;
};

const char *compression_name(enum compression kind)
{
	static const char *const names[] = {
		[COMPRESSION_NONE] = "tar",    [COMPRESSION_GZIP] = "gzip", [COMPRESSION_ZSTD] = "zstd",
		[COMPRESSION_BZIP2] = "bzip2", [COMPRESSION_XZ] = "xz",
	};

	return names[kind];
}

enum compression compression_sniff(const void *bytes, size_t size)
{
	static const struct {
		const char *magic;
		size_t size;
		enum compression kind;
	} known[] = {
		{ "\x1f\x8b\x08", 3, COMPRESSION_GZIP },
		{ "\x28\xb5\x2f\xfd", 4, COMPRESSION_ZSTD },
		{ "BZh", 3, COMPRESSION_BZIP2 },
		{ "\xfd" "7zXZ\0", 6, COMPRESSION_XZ },
	};
	const unsigned char *b = bytes;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (size >= known[i].size && memcmp(b, known[i].magic, known[i].size) == 0)
			return known[i].kind;
	/* A skippable frame first: RFC 8878, section 3.1.2. */
	if (size >= 4 && (b[0] & 0xf0) == 0x50 && memcmp(b + 1, "\x2a\x4d\x18", 3) == 0)
		return COMPRESSION_ZSTD;
	return COMPRESSION_NONE;
}

static bool begin(struct inflater *i)
{
	size_t zstd;

	switch (i->kind) {
	case COMPRESSION_GZIP:
		return inflateInit2(&i->with.z, 16 + MAX_WBITS) == Z_OK;
	case COMPRESSION_BZIP2:
		return BZ2_bzDecompressInit(&i->with.bz, 0, 0) == BZ_OK;
	case COMPRESSION_XZ:
		i->with.xz = (lzma_stream)LZMA_STREAM_INIT;
		return lzma_stream_decoder(&i->with.xz, MEMORY_MAX, 0) == LZMA_OK;
	case COMPRESSION_ZSTD:
		i->with.zstd = ZSTD_createDStream();
		if (!i->with.zstd)
			return false;
		zstd = ZSTD_DCtx_setParameter(i->with.zstd, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
		return !ZSTD_isError(zstd);
	case COMPRESSION_NONE:
		break;
	}
	return true;
}

static void end(struct inflater *i)
{
	switch (i->kind) {
	case COMPRESSION_GZIP:
		inflateEnd(&i->with.z);
		break;
	case COMPRESSION_BZIP2:
		BZ2_bzDecompressEnd(&i->with.bz);
		break;
	case COMPRESSION_XZ:
		lzma_end(&i->with.xz);
		break;
	case COMPRESSION_ZSTD:
		ZSTD_freeDStream(i->with.zstd);
		break;
	case COMPRESSION_NONE:
		break;
	}
}

struct inflater *inflate_begin(enum compression kind,
                               ssize_t (*pull)(void *, void *, size_t, struct error *),
                               void *context, struct error *e)
{
	struct inflater *i = calloc(1, sizeof *i);

	if (i) {
		i->kind = kind;
		i->pull = pull;
		i->context = context;
		i->input = malloc(INPUT_SIZE);
	}
	if (!i || !i->input || !begin(i)) {
		error_memory(e);
		inflate_end(i);
		return NULL;
	}
	return i;
}

void inflate_end(struct inflater *i)
{
	if (!i)
		return;
	end(i);
	free(i->input);
	free(i);
}

/* The four below take from i->input and fill OUT, of which they leave *LEFT. */

static enum outcome step_gzip(struct inflater *i, unsigned char *out, size_t *left)
{
	z_stream *z = &i->with.z;
	int result;

	z->next_in = i->input + i->at;
	z->avail_in = (uInt)(i->have - i->at);
	z->next_out = out;
	z->avail_out = (uInt)*left;
	result = inflate(z, Z_NO_FLUSH);
	i->at = i->have - z->avail_in;
	*left = z->avail_out;
	if (result == Z_STREAM_END)
		return inflateReset(z) == Z_OK ? ENDED : BROKEN;
	return result == Z_OK || result == Z_BUF_ERROR ? GOES_ON : BROKEN;
}

static enum outcome step_bzip2(struct inflater *i, unsigned char *out, size_t *left)
{
	bz_stream *bz = &i->with.bz;
	int result;

	bz->next_in = (char *)i->input + i->at;
	bz->avail_in = (unsigned)(i->have - i->at);
	bz->next_out = (char *)out;
	bz->avail_out = (unsigned)*left;
	result = BZ2_bzDecompress(bz);
	i->at = i->have - bz->avail_in;
	*left = bz->avail_out;
	if (result != BZ_STREAM_END)
		return result == BZ_OK ? GOES_ON : BROKEN;
	end(i);
	memset(bz, 0, sizeof *bz);
	return begin(i) ? ENDED : BROKEN;
}

static enum outcome step_xz(struct inflater *i, unsigned char *out, size_t *left)
{
	lzma_stream *xz = &i->with.xz;
	lzma_ret result;

	xz->next_in = i->input + i->at;
	xz->avail_in = i->have - i->at;
	xz->next_out = out;
	xz->avail_out = *left;
	result = lzma_code(xz, LZMA_RUN);
	i->at = i->have - xz->avail_in;
	*left = xz->avail_out;
	if (result == LZMA_MEMLIMIT_ERROR)
		return TOO_LARGE;
	if (result != LZMA_STREAM_END)
		return result == LZMA_OK || result == LZMA_BUF_ERROR ? GOES_ON : BROKEN;
	end(i);
	return begin(i) ? ENDED : BROKEN;
}

static enum outcome step_zstd(struct inflater *i, unsigned char *out, size_t *left)
{
	ZSTD_inBuffer in = { i->input, i->have, i->at };
	ZSTD_outBuffer to = { out, *left, 0 };
	size_t result = ZSTD_decompressStream(i->with.zstd, &to, &in);

	i->at = in.pos;
	*left -= to.pos;
	if (ZSTD_getErrorCode(result) == ZSTD_error_frameParameter_windowTooLarge)
		return TOO_LARGE;
	if (ZSTD_isError(result))
		return BROKEN;
	return result == 0 ? ENDED : GOES_ON;
}

static enum outcome step(struct inflater *i, unsigned char *out, size_t *left)
{
	switch (i->kind) {
	case COMPRESSION_GZIP:
		return step_gzip(i, out, left);
	case COMPRESSION_BZIP2:
		return step_bzip2(i, out, left);
	case COMPRESSION_XZ:
		return step_xz(i, out, left);
	default:
		return step_zstd(i, out, left);
	}
}

ssize_t inflate_read(struct inflater *i, void *buffer, size_t size, struct error *e)
{
	size_t left = size < INT32_MAX ? size : INT32_MAX, wanted = left;

	if (i->kind == COMPRESSION_NONE)
		return i->pull(i->context, buffer, size, e);
	while (left == wanted) {
		if (i->at == i->have && !i->full) {
			ssize_t n = i->pull(i->context, i->input, INPUT_SIZE, e);

			if (n < 0)
				return -1;
			if (n == 0 && i->inside)
				return error_set(e, ERROR_CORRUPT, "the %s stream is cut short",
				                 compression_name(i->kind));
			if (n == 0)
				return 0;
			i->at = 0;
			i->have = (size_t)n;
			i->taken += n;
		}
		bool fresh = !i->inside;
		enum outcome outcome = step(i, buffer, &left);

		if (outcome == TOO_LARGE)
			return error_set(e, ERROR_UNSUPPORTED, "the %s stream needs more than %d MiB of memory",
			                 compression_name(i->kind), MEMORY_MAX >> 20);
		if (outcome == BROKEN && fresh && i->one_ended)
			return error_set(e, ERROR_CORRUPT, "other bytes follow the end of the %s stream",
			                 compression_name(i->kind));
		if (outcome == BROKEN)
			return error_set(e, ERROR_CORRUPT, "the %s stream is damaged", compression_name(i->kind));
		i->inside = outcome != ENDED;
		i->one_ended |= outcome == ENDED;
		i->full = left == 0 && i->inside;
	}
	i->given += (int64_t)(wanted - left);
	if (i->given > BOMB_SIZE && i->given / BOMB_RATIO > i->taken)
		return error_set(e, ERROR_CORRUPT, "the %s stream inflates to more than %lld GiB and %d times "
		                 "its size", compression_name(i->kind), BOMB_SIZE >> 30, BOMB_RATIO);
	return (ssize_t)(wanted - left);
}
