/* Durations in Go's spelling: "1m30s", "500ms", "1.5h", "0", "-2s". */
#pragma once
#include <stdint.h>
#include "parser/syntax_error.h"

/* Of a nanosecond. */
#define DURATION_MS INT64_C(1000000)

/* Returns 0, or -1 and E in Go's words. */
int duration_parse(const char *text, int64_t *ns, struct syntax_error *e);

/* Room for any duration as text. */
#define DURATION_TEXT 40

/* The other way: "1m30s". Below a millisecond nothing is said. Returns TEXT. */
char *duration_format(int64_t ns, char text[static DURATION_TEXT]);
