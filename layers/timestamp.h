/* Times as image documents write them: RFC 3339.
 *
 * Read with any offset and fraction, written in UTC and whole seconds.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define TIMESTAMP_TEXT 32

/* Seconds since 1970; the fraction is dropped. False when TEXT is no such time (H145). */
bool timestamp_parse(const char *text, int64_t *seconds);

/* "2024-05-01T12:00:00Z"; SECONDS outside the years 0 to 9999 are moved to their end. */
char *timestamp_format(int64_t seconds, char text[static TIMESTAMP_TEXT]);
