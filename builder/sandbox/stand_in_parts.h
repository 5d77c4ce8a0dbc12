/* What stand_in.c, which finds the places, and stand_in_make.c, which makes what is put there, share. */
#pragma once
#include "builder/sandbox/stand_in.h"

/* Something that the image has not. */
struct stand_in {
	char *path;       /* in the root, clean and without links; NULL until it is there */
	int parent;       /* the directory that holds it, -1 until it is there */
	bool on_the_way;  /* a directory that only leads to another one */
	bool hides;       /* what the image has there is in the work directory meanwhile */
	ino_t inode;
	int lender, lent; /* a cache, borrowed, and the directory that has its content, or -1 */
	int listening;    /* an agent's socket, -1: none, or it is served already */
	int source;       /* the agent */
};

struct stand_ins {
	const struct sandbox_run *run;
	struct copied_root *copy;
	int root;
	struct sandbox_mount *mount;  /* outer targets first; sources of caches are our own, locked */
	size_t mount_count;
	struct stand_in *item;
	size_t count, capacity;
};

/* Make what stands in for M under NAME in the work directory. */
int stand_in_make(const struct stand_ins *s, const char *name, const struct sandbox_mount *m,
                  struct stand_in *item, struct error *e);

/* Fill the directory DEV with what /dev has. */
int stand_in_fill_dev(int dev, struct error *e);

/* All names of the directory FROM go to TO. */
int stand_in_move_all(int from, int to, struct error *e);
