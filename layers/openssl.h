/* OpenSSL, as this program begins it. */
#pragma once

/* Before anything of it but digests; any number of times. No configuration file says what is loaded
 * into us (H310: it may name any code), and reading Debian's would be a third of starting. Nor are
 * the sentences of its error codes put into a table, half a millisecond of every build that asks a
 * registry: but for those of TLS, which are, libcurl and registry/certificates.h have words of their
 * own. What OpenSSL has at the end, the end of the process frees. */
void openssl_begin(void);
