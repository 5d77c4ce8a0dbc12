/* A root filesystem without overlay: the lower trees merged into one copy, and afterwards what the
 * command changed, in the form an overlay would have left in its upper directory.
 *
 * Slow, and the same layers. What changed is told by inode number, birth and ctime, which no command
 * can set back. One difference remains: of a file with several names an overlay parts the one that
 * is written to, or linked again, and here all stay one file. The copy and the upper directory must be on one filesystem.
 */
#pragma once
#include "layers/error.h"

struct copied_root;

/* Merge the trees LOWER (uppermost first, relative to STORE) in a new directory "root" in WORK,
 * with the owner and mode that UPPER has. NULL and E when that fails. */
struct copied_root *copied_root_make(int store, const char *const *lower, int upper, int work,
                                     struct error *e);
void copied_root_free(struct copied_root *c);

/* The directory, to be mounted as "/"; borrowed. */
int copied_root_directory(const struct copied_root *c);

/* What is at PATH (without leading slash) was moved away and back: that is no change of it. */
void copied_root_forgive(struct copied_root *c, const char *path);

/* Move what is new or changed to UPPER, and note there what was deleted. */
int copied_root_changes(struct copied_root *c, int upper, struct error *e);
