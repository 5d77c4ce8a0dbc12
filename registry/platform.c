#include "registry/platform.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

/* What people and kernels call an architecture, and what images call it. */
static const struct {
	const char *alias, *architecture, *variant;
} aliases[] = {
	{ "x86_64", "amd64", NULL },   { "x86-64", "amd64", NULL },  { "aarch64", "arm64", NULL },
	{ "i386", "386", NULL },       { "i486", "386", NULL },      { "i586", "386", NULL },
	{ "i686", "386", NULL },       { "armhf", "arm", "v7" },     { "armel", "arm", "v6" },
	{ "armv7l", "arm", "v7" },     { "armv6l", "arm", "v6" },    { "armv8l", "arm", "v7" },
	{ "powerpc64le", "ppc64le", NULL }, { "loongarch64", "loong64", NULL },
	{ "mips64el", "mips64le", NULL },
};

static void copy_lower(char *to, size_t size, const char *from)
{
	size_t i;

	for (i = 0; from && from[i] && i + 1 < size; i++)
		to[i] = (char)tolower((unsigned char)from[i]);
	to[i] = '\0';
}

static void normalise(struct platform *p)
{
	for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
		if (strcmp(p->architecture, aliases[i].alias) != 0)
			continue;
		strcpy(p->architecture, aliases[i].architecture);
		if (aliases[i].variant && !p->variant[0])
			strcpy(p->variant, aliases[i].variant);
	}
	if (strcmp(p->os, "macos") == 0)
		strcpy(p->os, "darwin");
	if (p->variant[0] >= '0' && p->variant[0] <= '9') {     /* "arm/7" */
		memmove(p->variant + 1, p->variant, sizeof p->variant - 2);
		p->variant[0] = 'v';
	}
	if (strcmp(p->architecture, "arm64") == 0 && strcmp(p->variant, "v8") == 0)
		p->variant[0] = '\0';
	if (strcmp(p->architecture, "amd64") == 0 && strcmp(p->variant, "v1") == 0)
		p->variant[0] = '\0';
	if (strcmp(p->architecture, "arm") == 0 && !p->variant[0])
		strcpy(p->variant, "v7");
}

void platform_set(struct platform *p, const char *os, const char *architecture,
                  const char *variant, const char *os_version)
{
	copy_lower(p->os, sizeof p->os, os);
	copy_lower(p->architecture, sizeof p->architecture, architecture);
	copy_lower(p->variant, sizeof p->variant - 1, variant);
	copy_lower(p->os_version, sizeof p->os_version, os_version);
	normalise(p);
}

void platform_host(struct platform *p)
{
	struct utsname machine;

	platform_set(p, "linux", uname(&machine) == 0 ? machine.machine : "", NULL, NULL);
}

static bool is_os(const char *text)
{
	static const char *const known[] = { "linux",  "windows", "darwin",  "macos",
		                             "freebsd", "openbsd", "netbsd", "wasip1" };
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcasecmp(text, known[i]) == 0)
			return true;
	return false;
}

int platform_parse(const char *text, struct platform *p, struct error *e)
{
	char part[3][32] = { "", "", "" };
	const char *at = text;
	size_t count = 0;

	for (;; at++) {
		size_t size = strcspn(at, "/");

		if (count == 3)
			return error_set(e, ERROR_INPUT, "\"%.80s\" is no platform (os/architecture/variant)", text);
		if (size == 0 || size > 31 - 1 ||
		    strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") < size)
			return error_set(e, ERROR_INPUT, "\"%.80s\" is an invalid component of platform \"%.80s\"",
			                 at, text);
		memcpy(part[count++], at, size);
		at += size;
		if (!*at)
			break;
	}
	if (count > 1) {
		platform_set(p, part[0], part[1], part[2], NULL);
	} else {
		platform_host(p);
		if (is_os(part[0]))
			copy_lower(p->os, sizeof p->os, part[0]);
		else
			platform_set(p, "linux", part[0], NULL, NULL);
	}
	return 0;
}

char *platform_format(const struct platform *p, char text[static PLATFORM_TEXT])
{
	snprintf(text, PLATFORM_TEXT, "%s/%s%s%s", p->os, p->architecture, p->variant[0] ? "/" : "",
	         p->variant);
	return text;
}

/* "v6" is 6; no variant is what the architecture began with. */
static int version_of(const struct platform *p)
{
	if (p->variant[0] == 'v')
		return atoi(p->variant + 1);
	if (p->variant[0])
		return -1;
	return strcmp(p->architecture, "arm64") == 0 ? 8 : strcmp(p->architecture, "amd64") == 0 ? 1 : 0;
}

int platform_distance(const struct platform *want, const struct platform *have)
{
	int wanted = version_of(want), offered = version_of(have);

	if (strcmp(want->os, have->os) != 0)
		return -1;
	if (strcmp(want->architecture, have->architecture) == 0) {
		if (strcmp(want->variant, have->variant) == 0)
			return 0;
		return wanted >= 0 && offered >= 0 && offered <= wanted ? wanted - offered : -1;
	}
	/* A 64-bit machine runs its 32-bit sibling's images, if there is nothing better. */
	if (strcmp(want->architecture, "amd64") == 0 && strcmp(have->architecture, "386") == 0)
		return 100;
	if (strcmp(want->architecture, "arm64") == 0 && strcmp(have->architecture, "arm") == 0)
		return offered >= 0 ? 200 - offered : -1;
	return -1;
}
