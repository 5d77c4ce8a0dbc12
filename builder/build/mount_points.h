/* Mount points: what every RUN has mounted on, as a tree below all layers of its root filesystem.
 *
 * Images seldom have /etc/hosts and /etc/resolv.conf. Made in a RUN's upper directory they cost it a
 * copy of /etc and three files, and the same again to take them away; in the lowest layer of the
 * overlay they are there for all. What an image has of its own, or has deleted, is above them.
 */
#pragma once
#include <pthread.h>

#include "layers/store.h"

struct mount_points {
	pthread_mutex_t mutex; /* guards what follows: the first RUN makes it */
	struct store_temp temp;
	char *path;            /* below the store's folder; NULL: not made yet */
};

void mount_points_init(struct mount_points *m);

/* The tree's path, lent; NULL and E. Any number of threads. */
const char *mount_points_tree(struct mount_points *m, struct store *s, struct error *e);

/* Nothing runs any more: the tree goes. */
void mount_points_release(struct mount_points *m);
