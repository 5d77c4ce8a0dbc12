#include "layers/reuse.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layers/checksum.h"
#include "layers/openssl.h"
#include "layers/path.h"

#define KEY_SIZE 32

struct reuse {
	int table;
	EVP_MAC *mac;
	uint64_t how;
	unsigned char key[KEY_SIZE];
};

/* In the place of the first hint. */
struct head {
	char magic[32];
	unsigned char key[KEY_SIZE];
};

struct hint {
	unsigned char tag[REUSE_TAG];
	uint32_t packed, sum;
	int64_t offset;
	struct digest blob;
};

_Static_assert(sizeof(struct head) == 64 && sizeof(struct hint) == 64,
               "a hint does not cross a sector");

static const char magic[32] = "cairn: pieces, known by Poly1305";

/* Who draws a key at the same time as another may write hints that nobody finds. */
static bool read_key(struct reuse *r)
{
	struct head head;

	if (path_read_at(r->table, &head, sizeof head, 0) != sizeof head ||
	    memcmp(head.magic, magic, sizeof magic) != 0) {
		memcpy(head.magic, magic, sizeof magic);
		if (RAND_bytes(head.key, KEY_SIZE) != 1 ||
		    pwrite(r->table, &head, sizeof head, 0) != sizeof head)
			return false;
	}
	memcpy(r->key, head.key, KEY_SIZE);
	return true;
}

struct reuse *reuse_open(struct store *s, uint64_t how)
{
	struct reuse *r = calloc(1, sizeof *r);
	struct error ignored;

	if (!r)
		return NULL;
	openssl_begin();
	r->how = how;
	r->table = store_shared_file(s, "pieces", &ignored);
	r->mac = EVP_MAC_fetch(NULL, "POLY1305", NULL);
	if (r->table < 0 || !r->mac || !read_key(r)) {
		reuse_close(r);
		return NULL;
	}
	return r;
}

void reuse_close(struct reuse *r)
{
	if (!r)
		return;
	if (r->table >= 0)
		close(r->table);
	EVP_MAC_free(r->mac);
	free(r);
}

bool reuse_tag(const struct reuse *r, const void *bytes, struct reuse_piece *piece)
{
	const uint64_t begin[2] = { r->how, piece->size };
	EVP_MAC_CTX *context = EVP_MAC_CTX_new(r->mac);
	size_t size;
	bool made = context && EVP_MAC_init(context, r->key, KEY_SIZE, NULL) == 1 &&
	            EVP_MAC_update(context, (const unsigned char *)begin, sizeof begin) == 1 &&
	            EVP_MAC_update(context, bytes, piece->size) == 1 &&
	            EVP_MAC_final(context, piece->tag, &size, REUSE_TAG) == 1;

	EVP_MAC_CTX_free(context);
	return made;
}

uint32_t reuse_sum(const struct reuse_piece *piece, const void *bytes)
{
	return checksum_add(checksum_add(0, piece->tag, REUSE_TAG), bytes, piece->packed);
}

/* 65,536 pieces of 740 KiB: 46 GiB of layers. What is newer takes the place of what is older. */
static off_t place_of(const struct reuse_piece *piece)
{
	size_t place = (size_t)piece->tag[0] << 8 | piece->tag[1];

	return (off_t)((1 + place) * sizeof(struct hint));
}

bool reuse_find(const struct reuse *r, struct reuse_piece *piece, struct digest *blob)
{
	struct hint hint;

	if (path_read_at(r->table, &hint, sizeof hint, place_of(piece)) != sizeof hint ||
	    memcmp(hint.tag, piece->tag, REUSE_TAG) != 0)
		return false;
	piece->packed = hint.packed;
	piece->sum = hint.sum;
	piece->offset = hint.offset;
	*blob = hint.blob;
	return true;
}

void reuse_note(const struct reuse *r, const struct reuse_piece *piece, const struct digest *blob)
{
	struct hint hint = { .packed = piece->packed, .sum = piece->sum, .offset = piece->offset,
		             .blob = *blob };

	memcpy(hint.tag, piece->tag, REUSE_TAG);
	/* On a full disk there is one hint less. */
	if (pwrite(r->table, &hint, sizeof hint, place_of(piece)) < 0)
		return;
}
