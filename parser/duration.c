#include "parser/duration.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static const struct unit {
	const char *name;
	int64_t ns;
} units[] = {
	{ "ns", 1 },
	{ "us", 1000 },
	{ "\u00b5s", 1000 },            /* the micro sign, and the Greek letter */
	{ "\u03bcs", 1000 },
	{ "ms", DURATION_MS },
	{ "s", 1000 * DURATION_MS },
	{ "m", 60000 * DURATION_MS },
	{ "h", 3600000 * DURATION_MS },
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

int duration_parse(const char *text, int64_t *ns, struct syntax_error *e)
{
	const char *p = text + (*text == '-' || *text == '+');

	*ns = 0;
	if (strcmp(p, "0") == 0)
		return 0;
	do {
		if (add_part(&p, ns, text, e) < 0)
			return -1;
	} while (*p);
	if (*text == '-')
		*ns = -*ns;
	return 0;
}

char *duration_format(int64_t ns, char text[static DURATION_TEXT])
{
	const char *sign = ns < 0 ? "-" : "";
	uint64_t ms = (ns < 0 ? -(uint64_t)ns : (uint64_t)ns) / DURATION_MS, seconds = ms / 1000;
	char fraction[8] = "";

	if (ms > 0 && seconds == 0) {
		snprintf(text, DURATION_TEXT, "%s%" PRIu64 "ms", sign, ms);
		return text;
	}
	if (ms % 1000 > 0) {
		size_t size = (size_t)snprintf(fraction, sizeof fraction, ".%03u", (unsigned)(ms % 1000));

		while (fraction[size - 1] == '0')
			fraction[--size] = '\0';
	}
	if (seconds >= 3600)
		snprintf(text, DURATION_TEXT, "%s%" PRIu64 "h%um%u%ss", sign, seconds / 3600,
		         (unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), fraction);
	else if (seconds >= 60)
		snprintf(text, DURATION_TEXT, "%s%um%u%ss", sign, (unsigned)(seconds / 60),
		         (unsigned)(seconds % 60), fraction);
	else
		snprintf(text, DURATION_TEXT, "%s%u%ss", sign, (unsigned)seconds, fraction);
	return text;
}
