#include "parser/healthcheck.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>

#include "parser/duration.h"

int healthcheck_duration(const char *name, const char *text, int64_t *ns, struct syntax_error *e)
{
	if (duration_parse(text, ns, e) < 0)
		return -1;
	if (*ns != 0 && *ns < DURATION_MS)
		return syntax_error_set(e, "Interval \"%s\" cannot be less than 1ms", name);
	return 0;
}

int healthcheck_retries(const char *text, int *retries, struct syntax_error *e)
{
	const char *digits = text + (*text == '-' || *text == '+');
	long value;
	char *end;

	errno = 0;
	value = strtol(text, &end, 10);
	if (*digits < '0' || *digits > '9' || *end || errno || value > INT_MAX)
		return syntax_error_set(e, "--retries is not a number: %s", text);
	if (value < 0)
		return syntax_error_set(e, "--retries cannot be negative (%ld)", value);
	*retries = value;
	return 0;
}
