#include "builder/command/human.h"

#include <stdio.h>

char *human_size(int64_t size, char text[static HUMAN_TEXT])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)size;
	size_t unit = 0;

	while (value >= 1000 && unit + 1 < sizeof units / sizeof *units) {
		value /= 1000;
		unit++;
	}
	/* %.3g would turn 1000 after rounding into 1e+03. */
	snprintf(text, HUMAN_TEXT, value >= 999.5 ? "%.0f%s" : "%.3g%s", value, units[unit]);
	return text;
}

char *human_duration(int64_t seconds, char text[static HUMAN_TEXT])
{
	static const struct {
		int64_t until; /* seconds */
		int64_t unit;  /* seconds; 0: FORMAT is all */
		const char *format;
	} steps[] = {
		{ 1, 0, "Less than a second" },
		{ 2, 0, "1 second" },
		{ 60, 1, "%lld seconds" },
		{ 120, 0, "About a minute" },
		{ 46 * 60, 60, "%lld minutes" },
		{ 90 * 60, 0, "About an hour" },
		{ 48 * 3600, 3600, "%lld hours" },
		{ 14 * 86400, 86400, "%lld days" },
		{ 60 * 86400, 7 * 86400, "%lld weeks" },
		{ 730 * 86400, 30 * 86400, "%lld months" },
		{ INT64_MAX, 365 * 86400, "%lld years" },
	};
	size_t i = 0;

	while (seconds >= steps[i].until && i + 1 < sizeof steps / sizeof *steps)
		i++;
	if (steps[i].unit == 0)
		snprintf(text, HUMAN_TEXT, "%s", steps[i].format);
	else
		snprintf(text, HUMAN_TEXT, steps[i].format, (long long)(seconds / steps[i].unit));
	return text;
}
