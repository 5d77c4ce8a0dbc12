#include "parser/healthcheck.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define MILLISECOND 1000000

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\u00b5s", 1000 },            /* the micro sign, and the Greek letter */
	{ "\u03bcs", 1000 },
	{ "ms", MILLISECOND },
	{ "s", 1000 * (int64_t)MILLISECOND },
	{ "m", 60000 * (int64_t)MILLISECOND },
	{ "h", 3600000 * (int64_t)MILLISECOND },
};

static const struct unit *unit_of(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
		if (strlen(units[i].name) == size && memcmp(units[i].name, name, size) == 0)
			return &units[i];
	}
	return NULL;
}

/* Add the part "1.5h" at *TEXT to NS and move *TEXT behind it. */
static int add_part(const char **text, int64_t *ns, const char *whole, struct syntax_error *e)
{
	static const char digits[] = "0123456789";
	const char *p = *text, *name;
	int64_t count = 0, fraction = 0, scale = 1, value;
	const struct unit *unit;
	bool overflow = false;

	if (!*p || (!strchr(digits, *p) && (*p != '.' || !p[1] || !strchr(digits, p[1]))))
		return syntax_error_set(e, "time: invalid duration \"%s\"", whole);
	for (; *p >= '0' && *p <= '9'; p++)
		overflow |= __builtin_mul_overflow(count, 10, &count) ||
		            __builtin_add_overflow(count, *p - '0', &count);
	if (*p == '.') {
		for (p++; *p >= '0' && *p <= '9'; p++) {
			if (scale < 100000000) {        /* beyond that it is less than 40 us */
				fraction = fraction * 10 + (*p - '0');
				scale *= 10;
			}
		}
	}
	name = p;
	p += strcspn(p, ".0123456789");
	if (p == name)
		return syntax_error_set(e, "time: missing unit in duration \"%s\"", whole);
	unit = unit_of(name, p - name);
	if (!unit)
		return syntax_error_set(e, "time: unknown unit \"%.*s\" in duration \"%s\"",
		                        (int)(p - name), name, whole);
	overflow |= __builtin_mul_overflow(count, unit->ns, &value);
	overflow |= __builtin_add_overflow(*ns, value, ns);
	value = (double)fraction * ((double)unit->ns / scale);
	overflow |= __builtin_add_overflow(*ns, value, ns);
	*text = p;
	return overflow ? syntax_error_set(e, "time: invalid duration \"%s\"", whole) : 0;
}

int healthcheck_duration(const char *name, const char *text, int64_t *ns, struct syntax_error *e)
{
	bool negative = *text == '-';
	const char *p = text + (*text == '-' || *text == '+');

	*ns = 0;
	if (strcmp(p, "0") == 0)
		return 0;
	do {
		if (add_part(&p, ns, text, e) < 0)
			return -1;
	} while (*p);
	if (*ns > 0 && (negative || *ns < MILLISECOND))
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
