/* Resolve a path beneath a root without openat2, component by component: the same answers as
 * RESOLVE_IN_ROOT, for kernels and sandboxes that do not have the call.
 */
#pragma once
#include <sys/types.h>

/* As open(2): a descriptor, or -1 and errno. ELOOP after 40 links. */
int walk_open(int root, const char *path, int flags, mode_t mode);
