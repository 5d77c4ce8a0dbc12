#include "builder/plan/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Linux's names, and the two that have a second one. */
static const char *const names[] = {
	"ABRT", "ALRM",   "BUS",  "CHLD",   "CLD",   "CONT", "FPE",  "HUP",   "ILL",
	"INT",  "IO",     "IOT",  "KILL",   "PIPE",  "POLL", "PROF", "PWR",   "QUIT",
	"SEGV", "STKFLT", "STOP", "SYS",    "TERM",  "TRAP", "TSTP", "TTIN",  "TTOU",
	"URG",  "USR1",   "USR2", "VTALRM", "WINCH", "XCPU", "XFSZ", "RTMIN", "RTMAX",
};

/* RTMIN+1 to RTMIN+15, RTMAX-1 to RTMAX-14. */
static bool is_real_time(const char *name)
{
	bool up = strncasecmp(name, "RTMIN+", 6) == 0;
	char *end;
	long n;

	if (!up && strncasecmp(name, "RTMAX-", 6) != 0)
		return false;
	if (strspn(name + 6, "0123456789") != strlen(name + 6) || name[6] == '0' || !name[6])
		return false;
	n = strtol(name + 6, &end, 10);
	return n >= 1 && n <= (up ? 15 : 14);
}

bool signal_is_known(const char *name)
{
	char *end;
	long number;

	errno = 0;
	number = strtol(name, &end, 10);
	if (end > name && !*end)
		return number != 0 && errno == 0;
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcasecmp(name, names[i]) == 0)
			return true;
	return is_real_time(name);
}
