/* Root filesystems: the layers of a stage as unpacked trees, for a RUN to stand on. */
#pragma once
#include "builder/build/task.h"
#include "builder/sandbox/passwd.h"

/* Lower directories, uppermost first, and what the tables say of them. */
struct rootfs {
	struct stack *stack;
	const char **tree;      /* the tree of each layer of the stack, relative to the store */
	const char **lower;     /* the same, uppermost first, each once; NULL-terminated */
};

/* Make sure that every layer below step NUMBER of STAGE is unpacked and free to be mounted, and list the
 * trees. */
int rootfs_open(struct building *b, size_t stage, size_t number, struct rootfs *root,
                struct error *e);
void rootfs_release(struct rootfs *root);

/* A new upper directory, T, to be laid on BELOW: it is what "/" looks like in the merged view, so
 * it has the mode, owner and attributes of "/". Returns a descriptor of it. */
int rootfs_upper(struct building *b, struct stack *below, struct store_temp *t, struct error *e);

/* Who SPEC (USER's value) is, by the image's own files. STORE is the store's folder. */
int rootfs_user(int store, const struct rootfs *root, const char *spec, struct passwd_user *user,
                struct error *e);
