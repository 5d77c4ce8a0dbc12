/* Chunks: the memory of a ring that one thread fills and others empty (sink.h, readahead.h).
 *
 * The first chunk of a stream stands alone: most streams fit into it. Those after it take their turns
 * in one large page.
 */
#pragma once
#include "layers/error.h"

/* A disk takes much at once faster than the same in parts. */
#define CHUNK_SIZE (512 << 10)
#define CHUNK_COUNT 4

/* All zero is a ring that has no memory yet. */
struct chunks {
	unsigned char *first, *ring;
};

/* CHUNK_SIZE bytes for the chunk with this NUMBER, counted from 0 over the whole stream: those of the
 * chunk CHUNK_COUNT before it. NULL and E when memory is out. */
unsigned char *chunks_at(struct chunks *c, unsigned number, struct error *e);
void chunks_release(struct chunks *c);
