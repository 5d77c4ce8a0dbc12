/* Mount points: what every RUN has mounted on, as a tree below all layers of its root filesystem.
 *
 * Images seldom have /etc/hosts and /etc/resolv.conf. Made in a RUN's upper directory they cost it a
 * copy of /etc and three files, and the same again to take them away; in the lowest layer of the
 * overlay they are there for all. What an image has of its own, or has deleted, is above them.
 */
#pragma once
#include "layers/tree.h"

/* Make sure that the tree is there; the first RUN of a store makes it. PATH becomes its, as
 * tree_make's. Any number of threads and processes. */
int mount_points_tree(struct store *s, const struct tree_rules *rules,
                      char path[static TREE_PATH], struct error *e);
