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

/* The etc/resolv.conf beneath ROOT, this machine's "/", for a RUN; the caller frees it. SERVER is NULL
 * when the RUN has this machine's network, and reaches all servers of this machine; else it is an
 * address in a network of the RUN's own, where whoever makes that network asks the first of this
 * machine's servers with an IPv4 address, on loopback too. Where that is none, Docker's public servers
 * are in their place, and BECAUSE has words for it when that is a surprise: when a file was there and
 * could not be read, or the network is one's own; else its text is "". NULL when memory is out. */
char *etc_resolv_conf(int root, const char *server, struct error *because);
