/* Reuse: compressed pieces of earlier layers, found again.
 *
 * Who changes one file of a large layer compresses one piece of it. The file "pieces" of a store is
 * a table of hints: in which blob, and where in it, the compressed form of a piece lies.
 *
 * A piece is known by a tag: Poly1305 under a key that the store drew for itself. Two pieces that
 * somebody made who does not know the key have one tag with a chance below 2^-86; and it takes a
 * twentieth of the time of inflating the earlier one to compare. A checksum over the tag and what lies
 * where its hint leads binds the two. So a hint that is stale, damaged, or read while another took its
 * place leads to nothing: the file needs no lock, no flush and no check.
 *
 * Threads: any number may look up and note; each has the struct reuse_piece to itself.
 * Source: RFC 8439, section 2.5.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/store.h"

#define REUSE_TAG 16

/* A piece, and where it lies compressed in a blob. */
struct reuse_piece {
	unsigned char tag[REUSE_TAG];
	uint32_t size;       /* uncompressed */
	uint32_t packed;     /* compressed */
	uint32_t sum;        /* of the tag and the compressed bytes: reuse_sum */
	int64_t offset;
};

struct reuse;

/* The table of S for pieces that the method HOW compressed, to the bit; those of other methods are
 * not found. NULL: nothing can be found or noted, which is no error. */
struct reuse *reuse_open(struct store *s, uint64_t how);
void reuse_close(struct reuse *r);

/* The tag of the SIZE bytes of PIECE. False: it has none. */
bool reuse_tag(const struct reuse *r, const void *bytes, struct reuse_piece *piece);

/* Of PIECE (its tag and packed), which compressed to BYTES. */
uint32_t reuse_sum(const struct reuse_piece *piece, const void *bytes);

/* What is known of PIECE (its tag): packed, sum and offset, and the blob. */
bool reuse_find(const struct reuse *r, struct reuse_piece *piece, struct digest *blob);
void reuse_note(const struct reuse *r, const struct reuse_piece *piece, const struct digest *blob);
