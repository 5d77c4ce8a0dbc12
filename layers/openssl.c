#include "layers/openssl.h"

#include <openssl/crypto.h>

void openssl_begin(void)
{
	OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_NO_LOAD_CRYPTO_STRINGS |
	                    OPENSSL_INIT_NO_ATEXIT, NULL);
}
