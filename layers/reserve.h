/* The last of a disk is not ours: what is written in bulk stops before, so that a download without
 * an end, an archive that inflates to a thousand times its size or a million empty files stop
 * nobody else's work, and there is room to clean up in (H070, H115).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"

/* What one stream of writes has taken; all zero at first. */
struct reserve {
	int64_t taken, look_at;
	bool at_hole; /* the last that was written is a hole */
};

/* What a file without content takes: its inode and its name. */
#define RESERVE_FILE 4096

/* SIZE more bytes are for the file system of FD, which is looked at now and then. ERROR_SYSTEM when
 * only the reserve is left. */
int reserve_take(struct reserve *r, int fd, int64_t size, struct error *e);

/* Write SIZE BYTES to FD, having taken them; where they are zeros, FD moves on and a hole is left
 * that takes no room. */
int reserve_write(struct reserve *r, int fd, const void *bytes, size_t size, struct error *e);

/* E has come of writing to the file system of FD: when it is full, say of what. */
void reserve_explain(int fd, struct error *e);

/* FD ends where it stands now, also after a hole. */
int reserve_end(struct reserve *r, int fd, struct error *e);
