/* The two files of /etc that belong to a machine rather than to its image.
 *
 * Source: what BuildKit puts in them; hosts(5), resolv.conf(5).
 */
#pragma once
#include <stddef.h>

#include "layers/error.h"

/* localhost, HOSTNAME, and the COUNT values of --add-host ("name:ip", "name=ip"; an address may be
 * in brackets; host-gateway is this machine's loopback, whose network a RUN shares). The caller
 * frees it. NULL and ERROR_INPUT naming the value that is wrong. */
char *etc_hosts(const char *hostname, const char *const *add, size_t count, struct error *e);

/* This machine's resolv.conf without servers that are only for it when the network is not; the
 * caller frees it. NULL when memory is out. */
char *etc_resolv_conf(void);
