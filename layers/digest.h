/* SHA-256 digests: of a buffer, of a stream, and their text form.
 *
 * One parser for every digest that comes from outside: "sha256:" and 64 lower-case hex digits,
 * nothing else (H040), so a digest is safe as a file name afterwards.
 *
 * Source: OCI image-spec 1.1, descriptor.md "Digests".
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"

#define DIGEST_SIZE 32
#define DIGEST_HEX 64
#define DIGEST_TEXT (7 + DIGEST_HEX + 1) /* "sha256:" hex NUL */

struct digest {
	unsigned char byte[DIGEST_SIZE];
};

/* A SHA-256 under way. Plain memory: needs no release, may be copied to fork the stream. */
struct sha256 {
	uint64_t state[16];
};

void sha256_begin(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *data, size_t size);
void sha256_add_zeros(struct sha256 *s, int64_t size);
void sha256_end(struct sha256 *s, struct digest *d);

void digest_of(const void *data, size_t size, struct digest *d);

bool digest_equal(const struct digest *a, const struct digest *b);
bool digest_is_zero(const struct digest *d);

/* "sha256:<hex>" to D. ERROR_INPUT when TEXT is anything else; sha512 is named as unsupported. */
int digest_parse(const char *text, struct digest *d, struct error *e);

/* Both write a whole string with its NUL and return TEXT. */
char *digest_format(const struct digest *d, char text[static DIGEST_TEXT]);
char *digest_hex(const struct digest *d, char hex[static DIGEST_HEX + 1]);
