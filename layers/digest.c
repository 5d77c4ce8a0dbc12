/* The one-shot SHA256_ functions rather than EVP: linked statically they bring two object files
 * and no provider look-up at every start of the program, and use the same SHA instructions. */
#define OPENSSL_API_COMPAT 0x10100000L
#include "layers/digest.h"

#include <openssl/sha.h>
#include <string.h>

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha256), "struct sha256 must hold OpenSSL's");

void sha256_begin(struct sha256 *s)
{
	SHA256_Init((SHA256_CTX *)s);
}

void sha256_add(struct sha256 *s, const void *data, size_t size)
{
	SHA256_Update((SHA256_CTX *)s, data, size);
}

void sha256_add_zeros(struct sha256 *s, int64_t size)
{
	static const char zeros[64 << 10];

	while (size > 0) {
		size_t some = size < (int64_t)sizeof zeros ? (size_t)size : sizeof zeros;

		sha256_add(s, zeros, some);
		size -= (int64_t)some;
	}
}

void sha256_end(struct sha256 *s, struct digest *d)
{
	SHA256_Final(d->byte, (SHA256_CTX *)s);
}

void digest_of(const void *data, size_t size, struct digest *d)
{
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, data, size);
	sha256_end(&s, d);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->byte, b->byte, DIGEST_SIZE) == 0;
}

bool digest_is_zero(const struct digest *d)
{
	static const struct digest zero;

	return digest_equal(d, &zero);
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int digest_parse(const char *text, struct digest *d, struct error *e)
{
	if (strncmp(text, "sha512:", 7) == 0)
		return error_set(e, ERROR_UNSUPPORTED, "digest %.80s is SHA-512; only sha256 is supported",
		                 text);
	if (strncmp(text, "sha256:", 7) != 0 || strnlen(text + 7, DIGEST_HEX + 1) != DIGEST_HEX)
		return error_set(e, ERROR_INPUT, "\"%.80s\" is not a digest (sha256: and 64 hex digits)",
		                 text);
	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		int high = hex_value(text[7 + 2 * i]), low = hex_value(text[8 + 2 * i]);

		if (high < 0 || low < 0)
			return error_set(e, ERROR_INPUT,
			                 "\"%.80s\" is not a digest (sha256: and 64 hex digits)", text);
		d->byte[i] = (unsigned char)(high << 4 | low);
	}
	return 0;
}

char *digest_hex(const struct digest *d, char hex[static DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		hex[2 * i] = digits[d->byte[i] >> 4];
		hex[2 * i + 1] = digits[d->byte[i] & 15];
	}
	hex[DIGEST_HEX] = '\0';
	return hex;
}

char *digest_format(const struct digest *d, char text[static DIGEST_TEXT])
{
	memcpy(text, "sha256:", 7);
	digest_hex(d, text + 7);
	return text;
}
