/* Compression: what leaves is compressed, what arrives is inflated.
 *
 * Compressing works in pieces (piece.h), each an independent gzip member (or zstd frame), on several
 * threads; pieces that an earlier layer had are not compressed again (reuse.h). The bytes depend on
 * the input and the level only, never on the number of threads.
 *
 * Inflating reads any gzip (many members), any zstd (skippable frames, window at most 128 MiB), or
 * plain bytes, and refuses bytes after the end. Archives that ADD unpacks may be bzip2 or xz too;
 * layers are never.
 *
 * libdeflate is included by compress.c and, for its CRC-32, by checksum.c; zlib, libbz2 and liblzma
 * by inflate.c only; libzstd by compress.c and inflate.c. Source: RFC 1952, RFC 8878.
 */
#pragma once
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/digest.h"
#include "layers/growing.h"
#include "layers/store.h"

enum compression {
	COMPRESSION_NONE,
	COMPRESSION_GZIP,
	COMPRESSION_ZSTD,
	COMPRESSION_BZIP2, /* inflated only */
	COMPRESSION_XZ,    /* inflated only */
};

/* "gzip", "zstd": for messages. */
const char *compression_name(enum compression kind);

/* What the bytes say they are: by magic number. SIZE may be as small as 0. */
enum compression compression_sniff(const void *bytes, size_t size);

/* What reuse.h knows the method by; two that differ in a bit of what they make have different names.
 * LEVEL as in compress_how. */
uint64_t compress_method(enum compression kind, int level);

struct compress_how {
	enum compression kind;
	int level;                /* -1: the default, for gzip no larger than `gzip -6` */
	unsigned threads;         /* at least 1 */
	const struct digest *raw; /* of what is compressed; NULL: nobody asks */
	struct growing *growing;  /* hears how the blob grows; NULL: nobody does */
	const atomic_bool *stop;  /* ERROR_CANCELLED once it becomes true; or NULL */
};

/* Compress FD (from its start) into a blob of S. ERROR_CORRUPT, and no blob, when its bytes are not
 * those of HOW->raw. */
int compress_blob(struct store *s, int fd, const struct compress_how *how, struct digest *blob,
                  int64_t *blob_size, struct error *e);

/* Inflate a stream: PULL gives more input (bytes read, 0 at the end, -1 and E). */
struct inflater;
struct inflater *inflate_begin(enum compression kind,
                               ssize_t (*pull)(void *context, void *buffer, size_t size,
                                               struct error *e),
                               void *context, struct error *e);
/* The next uncompressed bytes, up to SIZE; 0 at a proper end, -1 and E (ERROR_CORRUPT;
 * ERROR_UNSUPPORTED for a window that is too large). */
ssize_t inflate_read(struct inflater *i, void *buffer, size_t size, struct error *e);
void inflate_end(struct inflater *i);
