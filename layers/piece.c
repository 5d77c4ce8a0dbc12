#include "layers/piece.h"

#include <stdint.h>

/* One place in 2^18 is a cut: pieces of 740 KiB on average. */
#define CUT_BITS 18

/* 2^64 divided by the golden ratio: multiplying spreads every bit of the window over the top. */
#define SPREAD UINT64_C(0x9e3779b97f4a7c15)

size_t piece_length(const unsigned char *bytes, size_t size)
{
	size_t end = size < PIECE_MAX ? size : PIECE_MAX;
	uint64_t window = 0; /* a byte is shifted out by the 64th after it */

	for (size_t at = PIECE_MIN; at < end; at++) {
		window = (window << 1) + bytes[at] + 1;
		if ((window * SPREAD) >> (64 - CUT_BITS) == 0)
			return at + 1;
	}
	return end;
}
