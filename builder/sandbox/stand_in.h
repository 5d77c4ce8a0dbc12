/* Stand-ins for mounts, where nothing can be mounted: files and directories that are put in their
 * places in a copied root filesystem before the command, and taken away after it.
 *
 * /dev has those nodes that may be made here; /proc and /sys are empty. Secrets and other small
 * files are written, images are copied, and a cache lends all it has: whoever wants the same cache
 * waits until it is back. What is read-only can be written to, to no effect except in a cache.
 * What was at such a place is moved away, and back: the command leaves no more behind than with
 * mounts. While the command does not run nobody is in that file system but us.
 */
#pragma once
#include "builder/sandbox/agent.h"
#include "builder/sandbox/copied_root.h"
#include "builder/sandbox/sandbox.h"

struct stand_ins;

/* Everything that R mounts, and what every command has, is in its place in ROOT. NULL and E, with
 * nothing to be taken away, when that is not possible. */
struct stand_ins *stand_ins_make(const struct sandbox_run *r, struct copied_root *root,
                                 struct error *e);

/* A serves the sockets from now on. */
void stand_ins_listen(struct stand_ins *s, struct agents *a);

/* Everything is as it was. Consumes S, which may be NULL. -1 and E when not all a cache has lent
 * could be given back. */
int stand_ins_remove(struct stand_ins *s, struct error *e);
