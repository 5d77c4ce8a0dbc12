/* Files with several names: which name came first.
 *
 * A layer holds such a file once, under its first name, and hard links for the others.
 */
#pragma once
#include <sys/stat.h>

/* All zero at first. */
struct inodes {
	void *tree;
};

/* The path that the file ST was first met under, lent; PATH itself, copied, when this is the
 * first time. NULL when memory is out. */
const char *inodes_first(struct inodes *inodes, const struct stat *st, const char *path);

void inodes_release(struct inodes *inodes);
