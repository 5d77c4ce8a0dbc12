/* Base64, as "auth" in config.json and Basic authorization need it.
 *
 * Source: RFC 4648, section 4.
 */
#pragma once
#include <stddef.h>

/* SIZE bytes as text; the caller frees it. NULL when memory is out. */
char *base64_encode(const void *data, size_t size);

/* TEXT to bytes with a NUL after them; the caller frees them. Padding may be missing, line ends may
 * stand in it. NULL when it is no base64 (or memory is out). */
char *base64_decode(const char *text, size_t *size);
