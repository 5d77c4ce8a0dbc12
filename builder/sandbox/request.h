/* What a run wants, as the bytes that the program inside reads (builder/inside/protocol.h). */
#pragma once
#include <stdint.h>

#include "builder/sandbox/sandbox.h"

/* What this machine and process add to a run. */
struct request_world {
	uint32_t flags;            /* REQUEST_... */
	int root;                  /* with REQUEST_COPY: the root filesystem */
	uint64_t capabilities;     /* that the command may have */
	const void *filter;        /* its system call filter, in sock_filters */
	size_t filter_count;
};

/* Where M is mounted, as a clean path that the caller frees; NULL and E when that may not be. */
char *request_target(const struct sandbox_mount *m, struct error *e);

/* The caller frees *BYTES. ERROR_INPUT for a mount target that is not allowed. */
int request_make(const struct sandbox_run *r, const struct request_world *world, void **bytes,
                 size_t *size, struct error *e);
