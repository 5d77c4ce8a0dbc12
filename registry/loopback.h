/* Registries of this machine: has a tag moved?
 *
 * To ask a registry what a tag names costs more than all else a rebuild does. One on a loopback
 * address answers in a fraction of a millisecond, if it is asked by hand: loading libcurl alone
 * costs ten times that. It is asked this one question; who wants more goes through http.h.
 *
 * Source: OCI distribution-spec 1.1, "Pulling manifests"; RFC 9112.
 */
#pragma once
#include <stdbool.h>

#include "registry/reference.h"

/* 1 when the registry says which digest R's tag has now; 0 when R is not on a loopback address, or
 * there is no such answer: nobody listens, it wants credentials or TLS, or is slow. */
int loopback_tag_digest(const struct reference *r, struct digest *d);
