/* Fields: a flag's value as one CSV record, "id=token,src=/run/token".
 *
 * A field with a comma in it is quoted as a whole, "" is a quote within: "\"src=/a,b\",id=x".
 * Source: RFC 4180; docker's --secret, --ssh and --output.
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

struct field {
	const char *key;
	const char *value;  /* NULL: a key alone */
};

struct fields {
	struct field *item;
	size_t count;
	char *memory;       /* where keys and values are */
};

/* TEXT to F, which needs fields_release in every case. E does not repeat TEXT. */
int fields_parse(const char *text, struct fields *f, struct error *e);
void fields_release(struct fields *f);

/* The value of the last field with this KEY; NULL when there is none or it stands alone. */
const char *fields_value(const struct fields *f, const char *key);
