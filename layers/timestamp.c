#include "layers/timestamp.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define YEAR_0 (-62167219200LL)   /* 0000-01-01T00:00:00Z */
#define YEAR_9999 253402300799LL  /* 9999-12-31T23:59:59Z */

/* The number of exactly DIGITS digits at *P, which moves behind them; -1 when there is another. */
static int number(const char **p, int digits)
{
	int value = 0;

	for (int i = 0; i < digits; i++, (*p)++) {
		if (!isdigit((unsigned char)**p))
			return -1;
		value = value * 10 + (**p - '0');
	}
	return value;
}

static bool skip(const char **p, const char *one_of)
{
	if (!**p || !strchr(one_of, **p))
		return false;
	(*p)++;
	return true;
}

/* "Z", "+02:00", "-07:30" at the end of the text. */
static bool parse_offset(const char *p, int *seconds)
{
	int sign = *p == '-' ? -1 : 1, hours, minutes;

	*seconds = 0;
	if (skip(&p, "Zz"))
		return !*p;
	if (!skip(&p, "+-") || (hours = number(&p, 2)) < 0 || hours > 23 || !skip(&p, ":") ||
	    (minutes = number(&p, 2)) < 0 || minutes > 59)
		return false;
	*seconds = sign * (hours * 3600 + minutes * 60);
	return !*p;
}

bool timestamp_parse(const char *text, int64_t *seconds)
{
	const char *p = text;
	struct tm tm = { 0 };
	int day, hour, minute, second, offset;

	tm.tm_year = number(&p, 4) - 1900;
	if (tm.tm_year == -1901 || !skip(&p, "-") || (tm.tm_mon = number(&p, 2) - 1) < 0 ||
	    tm.tm_mon > 11 || !skip(&p, "-") || (day = number(&p, 2)) < 1 || day > 31 ||
	    !skip(&p, "Tt") || (hour = number(&p, 2)) < 0 || hour > 23 ||
	    !skip(&p, ":") || (minute = number(&p, 2)) < 0 || minute > 59 ||
	    !skip(&p, ":") || (second = number(&p, 2)) < 0 || second > 60)
		return false;
	if (skip(&p, ".")) {
		if (!isdigit((unsigned char)*p))
			return false;
		p += strspn(p, "0123456789");
	}
	if (!parse_offset(p, &offset))
		return false;
	tm.tm_mday = day;
	*seconds = timegm(&tm) + hour * 3600 + minute * 60 + second - offset;
	/* timegm turns February 30 into March 1. */
	return tm.tm_mday == day;
}

char *timestamp_format(int64_t seconds, char text[static TIMESTAMP_TEXT])
{
	time_t time = seconds < YEAR_0 ? YEAR_0 : seconds > YEAR_9999 ? YEAR_9999 : seconds;
	struct tm tm;

	gmtime_r(&time, &tm);
	snprintf(text, TIMESTAMP_TEXT, "%04hd-%02hhd-%02hhdT%02hhd:%02hhd:%02hhdZ",
	         (short)(tm.tm_year + 1900), (signed char)(tm.tm_mon + 1), (signed char)tm.tm_mday,
	         (signed char)tm.tm_hour, (signed char)tm.tm_min, (signed char)tm.tm_sec);
	return text;
}
