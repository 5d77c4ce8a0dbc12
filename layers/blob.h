/* Blobs: files named by the SHA-256 of what they hold.
 *
 * A blob is absent or complete: writers fill a temporary file and rename it, so two writers of the
 * same bytes both succeed. What a blob means (layer, config, manifest) is not known here.
 *
 * Threads: a store may be shared; a writer belongs to one thread.
 * Source: OCI image-spec 1.1, image-layout.md "Blobs", descriptor.md "Verification".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/store.h"

struct blob_writer;

struct blob_writer *blob_begin(struct store *s, struct error *e);

/* SIZE bytes or more are to come, as far as is known. Before anything is written. */
void blob_expect(struct blob_writer *w, int64_t size);

/* Write SIZE bytes, hashing them on the way. On failure W must still be discarded. */
int blob_write(struct blob_writer *w, const void *data, size_t size, struct error *e);

/* Write bytes whose digest the caller computes himself: blob_commit_as takes it on trust. */
int blob_write_unhashed(struct blob_writer *w, const void *data, size_t size, struct error *e);

/* SIZE zero bytes that take no room on the disk. Something is written after them. */
int blob_skip_unhashed(struct blob_writer *w, int64_t size, struct error *e);

/* The bytes written so far. */
int64_t blob_written(const struct blob_writer *w);

/* One more descriptor of W's bytes, for reading; the caller closes it. */
int blob_reopen(const struct blob_writer *w, struct error *e);

/* Finish W: compare its bytes with WANT and give them their name.
 *
 * WANT may be NULL when nobody knows the digest beforehand; GOT (may be NULL) receives it.
 * Consumes W in every case. Returns the size in bytes, or -1 and E:
 * ERROR_CORRUPT when the bytes are not WANT's (nothing is kept), else ERROR_SYSTEM.
 */
int64_t blob_commit(struct blob_writer *w, const struct digest *want, struct digest *got,
                    struct error *e);
int64_t blob_commit_as(struct blob_writer *w, const struct digest *known, struct error *e);
void blob_discard(struct blob_writer *w);

/* Bytes from memory to a blob. */
int blob_put(struct store *s, const void *data, size_t size, struct digest *d, struct error *e);

/* Open for reading. ERROR_NOT_FOUND when absent; with another SIZE (unless -1) ERROR_CORRUPT when its
 * bytes are those of D, else it is set aside and that is ERROR_DAMAGED. */
int blob_open(struct store *s, const struct digest *d, int64_t size, struct error *e);
bool blob_has(struct store *s, const struct digest *d, int64_t size);

/* The same for what is to leave this machine: all bytes are read and compared with D, unless this
 * process wrote them a moment ago. */
int blob_open_verified(struct store *s, const struct digest *d, int64_t size, struct error *e);

/* Did this process write it and not flush since? Then nobody has to look at its bytes again. */
bool blob_is_fresh(struct store *s, const struct digest *d);

/* Is what is stored under D what it should be? Else it is set aside: ERROR_DAMAGED. */
int blob_verify(struct store *s, const struct digest *d, struct error *e);

/* A whole small blob, digest verified, NUL added; at most LIMIT bytes; the caller frees it. One that
 * is damaged is set aside. */
char *blob_read(struct store *s, const struct digest *d, size_t limit, size_t *size,
                struct error *e);
