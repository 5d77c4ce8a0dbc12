/* Platforms: os/architecture[/variant], and which of them runs on which.
 *
 * A platform is a plain value, normalised: "x86_64" is amd64, "aarch64" and "arm64/v8" are arm64,
 * "armhf" is arm/v7.
 *
 * Source: containerd/platforms.
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

struct platform {
	char os[32];
	char architecture[32];
	char variant[32];       /* "" when there is none */
	char os_version[64];    /* Windows; "" when there is none */
};

/* "linux/arm64", "linux/arm/v6", "arm64" or "linux" (the rest is this machine's) to P. */
int platform_parse(const char *text, struct platform *p, struct error *e);

/* This machine's: linux, and what uname(2) says. */
void platform_host(struct platform *p);

/* From the fields of a document; NULL is "". Longer ones are cut, and so match nothing. */
void platform_set(struct platform *p, const char *os, const char *architecture,
                  const char *variant, const char *os_version);

/* "linux/arm/v7". Returns TEXT. */
#define PLATFORM_TEXT 100
char *platform_format(const struct platform *p, char text[static PLATFORM_TEXT]);

/* How well an image for HAVE serves who wants WANT: 0 is exact, larger is worse (an older variant,
 * then the 32-bit sibling), -1 is not at all. */
int platform_distance(const struct platform *want, const struct platform *have);
