/* Text from a build, made harmless for a terminal.
 *
 * Names, messages and output come from Dockerfiles, images and registries. An escape sequence in
 * them could set the window's title, paint over what was shown, or answer for the user; so control
 * characters are written as "\x1b". Colours (SGR sequences) are left out without a trace.
 *
 * Source: ECMA-48; CVE-2003-0063 and its many successors.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Write one line without its end. A line break within is shown as "\n"; tabs stay. Bytes that are
 * no UTF-8 are written as "\xff". */
void safe_text(FILE *out, const char *bytes, size_t size);

/* The same, whole; the caller frees it. NULL when memory is out. */
char *safe_copy(const char *text);
