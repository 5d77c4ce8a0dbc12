/* A stream of bytes on its way into a blob: filled by one thread, hashed by another, written by a third.
 *
 * The producer fills chunks of a fixed ring, the two take them in order: memory does not depend on
 * the length of the stream. A stream that fits into one chunk never starts a thread.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/growing.h"
#include "layers/store.h"

struct sink;

struct sink *sink_begin(struct store *s, struct error *e);

/* SIZE bytes or more are to come, as far as is known. Before anything is written. */
void sink_expect(struct sink *k, int64_t size);

/* G (lent) hears of all that is written, and of the end. Before anything is written. */
void sink_watch(struct sink *k, struct growing *g);

/* Free bytes to be filled by the caller, at least one: *ROOM of them. sink_advance says how many
 * were filled. NULL and E when writing failed meanwhile. */
void *sink_room(struct sink *k, size_t *room, struct error *e);
void sink_advance(struct sink *k, size_t filled);

int sink_write(struct sink *k, const void *data, size_t size, struct error *e);

/* SIZE zero bytes: hashed, but left as a hole in the file when they are many. */
int sink_zeros(struct sink *k, int64_t size, struct error *e);

/* The bytes so far. */
int64_t sink_position(const struct sink *k);

/* Keep the blob under its digest. Both consume K. Returns the size, or -1 and E. */
int64_t sink_finish(struct sink *k, struct digest *d, struct error *e);
void sink_abandon(struct sink *k);
