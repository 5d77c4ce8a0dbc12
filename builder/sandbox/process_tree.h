/* The processes of a run, as /proc shows them. */
#pragma once
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

#include "builder/mask.h"

struct process {
	pid_t outer, outer_parent; /* as we number them, */
	pid_t pid, parent;      /* and as their own pid namespace does */
	char state;             /* R, S, D, Z, T... as ps(1) has it */
	char name[32];
	unsigned depth;         /* 0: a child of the first */
};

struct process_tree {
	struct process *item;   /* parents before their children */
	size_t count, capacity;
};

/* What descends from process FIRST, which is not in the list: it is pid 1 of the run, and ours.
 * Processes come and go meanwhile; who is gone when it is looked at is left out. The list is empty
 * where /proc is not to be had. */
void process_tree_read(struct process_tree *tree, pid_t first);
void process_tree_release(struct process_tree *tree);

/* A heading and a line for each: pid, parent, state and command line, which is cut where it is long
 * and in which secrets are hidden. */
void process_tree_print(const struct process_tree *tree, const struct mask *mask, FILE *out);
