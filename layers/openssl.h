/* OpenSSL, as this program begins it. */
#pragma once

/* Before anything of it but digests; any number of times. No configuration file says what is loaded
 * into us (H310: it may name any code), and reading Debian's would be a third of starting. What
 * OpenSSL has at the end, the end of the process frees. */
void openssl_begin(void);
