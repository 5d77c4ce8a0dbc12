/* Unpacked layers laid on one another, where no overlay does it: copied, file by file. */
#pragma once
#include "layers/error.h"

/* Make directory NAME in WORK and lay the trees LOWER (uppermost first, relative to STORE, in
 * overlay form) into it, one over the other. Returns a descriptor of it. */
int copied_tree_make(int store, const char *const *lower, int work, const char *name,
                     struct error *e);

/* Give directory TO the owner, mode, attributes and times of directory FROM. */
int copied_tree_dress(int from, int to, struct error *e);
