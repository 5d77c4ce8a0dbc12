/* The numbers of HEALTHCHECK's flags. */
#pragma once
#include <stdint.h>
#include "parser/syntax_error.h"

/* Read TEXT, the value of the flag NAME, as a duration in Go's spelling: "1m30s", "500ms", "0".
 * Returns 0, or -1 and E, also for durations above none and below a millisecond.
 */
int healthcheck_duration(const char *name, const char *text, int64_t *ns, struct syntax_error *e);

/* Read TEXT as the number of retries. Returns 0, or -1 and E. */
int healthcheck_retries(const char *text, int *retries, struct syntax_error *e);
