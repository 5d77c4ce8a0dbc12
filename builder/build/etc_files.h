/* The two files of /etc that belong to a machine rather than to its image.
 *
 * Source: what BuildKit puts in them; hosts(5), resolv.conf(5).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/error.h"

/* localhost, HOSTNAME, and the COUNT values of --add-host ("name:ip", "name=ip"; an address may be
 * in brackets; host-gateway is GATEWAY). The caller frees it. NULL and ERROR_INPUT naming the value
 * that is wrong. */
char *etc_hosts(const char *hostname, const char *const *add, size_t count, const char *gateway,
                struct error *e);

/* "name:host-gateway"? */
bool is_host_gateway(const char *add_host);

/* This machine's resolv.conf, with SERVER for its name servers when the network is not this
 * machine's (NULL: it is); the caller frees it. NULL when memory is out. */
char *etc_resolv_conf(const char *server);
