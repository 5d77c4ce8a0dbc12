/* Text from a build, made harmless for a terminal.
 *
 * Names, messages and output come from Dockerfiles, images and registries. An escape sequence in
 * them could set the window's title, paint over what was shown, or answer for the user; so control
 * characters are written as "\x1b". Colours (SGR sequences) are left out without a trace.
 *
 * Source: ECMA-48; CVE-2003-0063 and its many successors.
 *
 * A password in the address of something ("https://user:password@host/") is written as "xxxxx": what
 * is shown is kept by CI systems for everybody. What a command prints itself is left as it is.
 */
#pragma once
#include <stddef.h>
#include <stdio.h>

/* Write one line without its end. A line break within is shown as "\n"; tabs stay. Bytes that are
 * no UTF-8 are written as "\xff". */
void safe_text(FILE *out, const char *bytes, size_t size);

/* The same for a line that a command printed. */
void safe_output(FILE *out, const char *bytes, size_t size);

/* safe_text of a whole string; the caller frees it. NULL when memory is out. */
char *safe_copy(const char *text);

/* TEXT as it is, but for passwords; the caller frees it. NULL when memory is out. */
char *mask_passwords(const char *text);
