/* Interrupted: somebody wants this process to end.
 *
 * Whatever may take long asks now and then, and ends with ERROR_CANCELLED, having given back what it
 * had begun. Who sets the flag is not known here.
 */
#pragma once
#include <stdatomic.h>

#include "layers/error.h"

extern atomic_bool interrupted;

/* 0, or -1 and E once the flag is set. Costs no more than looking at it. */
int interrupted_check(struct error *e);
