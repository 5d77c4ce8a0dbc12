#include "layers/reuse.h"

#include <unistd.h>

/* 65,536 pieces of 740 KiB: 46 GiB of layers. What is newer takes the place of what is older. */
#define PLACES (1 << 16)

struct hint {
	uint32_t crc, size, packed, unused;
	uint64_t how;
	int64_t offset;
	struct digest blob;
};

_Static_assert(sizeof(struct hint) == 64, "a hint does not cross a sector");

int reuse_open(struct store *s)
{
	struct error ignored;

	return store_shared_file(s, "pieces", &ignored);
}

static off_t place_of(uint64_t how, const struct reuse_piece *piece)
{
	uint64_t key = ((uint64_t)piece->crc << 32 | piece->size) ^ how;

	return (off_t)((key * UINT64_C(0x9e3779b97f4a7c15) >> 48) % PLACES * sizeof(struct hint));
}

bool reuse_find(int table, uint64_t how, struct reuse_piece *piece, struct digest *blob)
{
	struct hint hint;

	if (table < 0 || pread(table, &hint, sizeof hint, place_of(how, piece)) != sizeof hint ||
	    hint.crc != piece->crc || hint.size != piece->size || hint.how != how)
		return false;
	piece->packed = hint.packed;
	piece->offset = hint.offset;
	*blob = hint.blob;
	return true;
}

void reuse_note(int table, uint64_t how, const struct reuse_piece *piece,
                const struct digest *blob)
{
	const struct hint hint = {
		.crc = piece->crc, .size = piece->size, .packed = piece->packed, .how = how,
		.offset = piece->offset, .blob = *blob,
	};

	/* On a full disk there is one hint less. */
	if (table >= 0 && pwrite(table, &hint, sizeof hint, place_of(how, piece)) < 0)
		return;
}
