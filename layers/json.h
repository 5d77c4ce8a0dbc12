/* JSON from outside and to outside: the one door to jansson.
 *
 * Documents come from hostile registries and archives: duplicate keys, depth bombs, trailing bytes
 * and NUL in strings are refused (H131, H132, H300). Numbers are exact integers or refused by the
 * caller's json_unpack.
 *
 * jansson is seldom asked how adding a member ended, and its parser does not ask itself: what memory
 * was missing for would be what the document never had. So once memory was out, no text is made and
 * none is parsed any more (H288).
 */
#pragma once
#include <jansson.h>
#include <stddef.h>

#include "layers/error.h"

/* Parse SIZE bytes; WHAT names them in errors ("manifest of ..."). A new reference, or NULL. */
json_t *json_parse(const void *text, size_t size, const char *what, struct error *e);

/* Compact text, keys in the order they have, or sorted, so that equal documents are equal bytes.
 * The caller frees it. NULL when memory is out. */
char *json_text(const json_t *json, size_t *size);
char *json_text_sorted(const json_t *json, size_t *size);

/* For people: so many BLANKS for each level. */
char *json_text_indented(const json_t *json, size_t blanks, size_t *size);
