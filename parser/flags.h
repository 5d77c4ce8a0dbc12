/* The flags of an instruction: COPY --chown=app --link. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "parser/arena.h"
#include "parser/dockerfile.h"

enum flag_kind { FLAG_BOOLEAN, FLAG_TEXT, FLAG_LIST };

struct flag {
	const char *name;
	enum flag_kind kind;
};

/* No instruction knows more. */
#define FLAGS_MAX 8

struct flag_value {
	bool given;
	bool yes;                       /* FLAG_BOOLEAN */
	const char *text;               /* FLAG_TEXT; NULL when not given */
	struct words list;              /* FLAG_LIST */
};

/* Read the flags GIVEN, "--name=value", of which COUNT are KNOWN; VALUES[i] is that of KNOWN[i].
 * Returns how many were read, which is less than GIVEN has with E for the first that is unknown,
 * doubled or without a fitting value.
 */
size_t flags_read(struct arena *a, const struct words *given, const struct flag *known,
                  size_t count, struct flag_value *values, struct syntax_error *e);

/* A boolean as Go's strconv.ParseBool reads it: 1, 0, or -1 when it is none. */
int flag_boolean(const char *text, size_t size);
