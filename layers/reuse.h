/* Reuse: compressed pieces of earlier layers, found again.
 *
 * Who changes one file of a large layer compresses one piece of it. The file "pieces" of a store is
 * a table of hints: in which blob, and where in it, the compressed form of a piece with a certain
 * checksum may be. A hint is never believed: what it leads to must inflate to the very bytes. So
 * the file needs no lock, no flush and no check; it may be stale, damaged, or gone.
 *
 * Threads: any number may look up and note; each has the struct to itself.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/store.h"

/* A piece, and where it lies compressed in a blob. */
struct reuse_piece {
	uint32_t crc;        /* of its bytes (CRC-32 of RFC 1952) */
	uint32_t size;       /* uncompressed */
	uint32_t packed;     /* compressed */
	int64_t offset;
};

/* The descriptor of the table, or -1: then nothing is found and nothing noted, which is no error. */
int reuse_open(struct store *s);

/* What is known of PIECE (crc, size): the rest of PIECE, and the blob. HOW names the method that
 * compressed it, to the bit; those of other methods are not found. */
bool reuse_find(int table, uint64_t how, struct reuse_piece *piece, struct digest *blob);
void reuse_note(int table, uint64_t how, const struct reuse_piece *piece,
                const struct digest *blob);
