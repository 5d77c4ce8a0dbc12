/* Pieces: where the bytes of a layer are cut before they are compressed.
 *
 * The bytes choose the cuts themselves: a piece ends where a hash over the last 64 bytes has a
 * certain form. So what is put into a layer, or taken out of it, changes the piece it lies in and
 * leaves those behind it as they were, and what they compressed to can be used again (reuse.h).
 */
#pragma once
#include <stddef.h>

#define PIECE_MIN (512 << 10)
#define PIECE_MAX (1 << 20)

/* The length of the first piece of BYTES. SIZE is what is left of the layer, or at least PIECE_MAX. */
size_t piece_length(const unsigned char *bytes, size_t size);
