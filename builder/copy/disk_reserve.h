/* The last of a disk is not ours: what comes from outside and has no end stops before it (H070). */
#pragma once
#include <stdint.h>

#include "layers/error.h"

/* DONE bytes have been written near FD; *CHECKED, 0 at first, is how many had been when the disk
 * was last looked at, which is not done for every few. ERROR_SYSTEM when little is left. */
int disk_reserve(int fd, int64_t done, int64_t *checked, struct error *e);
