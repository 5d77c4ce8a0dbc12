/* Proxies that docker's config.json has for builds: "proxies": {"default": {"httpProxy": ".."}}.
 *
 * They become build args that every RUN sees, in both spellings; what the command line says wins.
 * Source: docker/cli, cli/config/configfile, ParseProxyConfig.
 */
#pragma once
#include "builder/command/build_flags.h"

/* Adds "NAME=value" to FLAGS->args. No config.json, or one without proxies, adds nothing. */
int proxies_add(struct build_flags *flags, struct error *e);
