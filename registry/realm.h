/* Realms: which token server a registry may send us to, and with what.
 *
 * Whoever answers 401 names the server that is asked next. Somebody else's must not get the user's
 * credentials, and no name from outside makes us ask a machine of the inner network (H037).
 */
#pragma once
#include <stdbool.h>

#include "layers/error.h"
#include "registry/http.h"

/* May the token server at the URL REALM be asked for the registry that answered at the URL FROM?
 * -1 and E (ERROR_DENIED, ERROR_INPUT) when not. */
int realm_check(const struct http *h, const char *from, const char *realm, bool has_credentials,
                struct error *e);

/* May credentials of the registry HOST be sent to a token server at REALM_HOST? It is the same
 * host; a sibling under a domain that one owner registered (auth.docker.io for
 * registry-1.docker.io); a known pair; or named in $CAIRN_TOKEN_HOSTS (separated by commas). */
bool realm_is_trusted(const char *host, const char *realm_host);
