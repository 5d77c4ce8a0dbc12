/* Trees: layers unpacked, so that a RUN can have a root filesystem.
 *
 * trees/DIFF_ID holds what one layer adds, in the form overlayfs wants of a lower folder: deleted
 * names are character devices 0:0, opaque directories carry trusted.overlay.opaque (user.overlay.
 * in a user namespace). A disposable cache of blobs: absent or complete.
 *
 * Unpacking walks by directory descriptors and never follows a link of the layer; metadata is set
 * by descriptor or without following. Source: kernel Documentation/filesystems/overlayfs.rst.
 */
#pragma once
#include <stdbool.h>

#include "layers/layer.h"
#include "layers/owner.h"
#include "layers/stack.h"
#include "layers/store.h"

#define TREE_FORM 12

/* Room for "trees/DIFF_ID.BELOW.FORM" */
#define TREE_PATH (96 + TREE_FORM)

/* How this process may unpack: decided once by whoever knows what the place allows. */
struct tree_rules {
	bool user_xattrs;  /* user.overlay.* instead of trusted.overlay.* */
	bool keep_owners;  /* chown as the layer says; else all is the caller's, see owner.h */
	bool make_devices; /* mknod as the layer says; else devices are left out */
	char form[TREE_FORM]; /* trees are shared by those to whom ids mean the same: "" is root's */
};

/* Make sure that LAYER is unpacked; PATH becomes the tree's, relative to the store's folder, for an
 * overlay's lower list. It is number BELOW of STACK: what a directory is like that the layer only
 * implies, and a file that it links to but does not have, is found in the layers below it (such a
 * layer has a tree for each base it lies on). STACK may be NULL: there are none. Two threads or
 * processes may want the same tree: both make it, the first to finish counts. */
int tree_make(struct store *s, const struct layer *layer, struct stack *stack, size_t below,
              const struct tree_rules *rules, char path[static TREE_PATH], struct error *e);

/* Is there a tree of DIFF_ID, a layer that needs none below it? PATH becomes its, as tree_make's. */
bool tree_find(struct store *s, const struct digest *diff_id, const struct tree_rules *rules,
               char path[static TREE_PATH]);

/* A time that nobody knows. */
#define TREE_NO_TIME INT64_MIN

/* The files in the tree at PATH get the times TIME (nanoseconds since 1970, one for each entry of
 * its layer's TABLE; NULL: none is known), and those that have LAYER_TIME and no other get OTHERWISE:
 * a compiler that finds its objects in a cache mount compares times. Their layer stays as it is. */
int tree_set_times(struct store *s, const char *path, const struct table *table,
                   const int64_t *time, int64_t otherwise, struct error *e);

/* What a command stood on. */
struct tree_base {
	struct stack *stack;
	int store;               /* the store's folder */
	const char *const *tree; /* of each layer of STACK, in STORE; NULL: no tree was given times */
};

/* Write what changed in UPPER, an overlay's upper folder over BASE (NULL: over nothing), to W: new
 * and changed entries, whiteouts, opaque directories; hard links among changed files. A directory of
 * BASE that is there with the same mode, owner, xattrs and mtime is left out unless something
 * below it changed; the root is left out whatever its mtime. A file whose time is still that of its
 * tree has that of its layer.
 * With EPOCH >= 0 later times become EPOCH. Sockets are left out; files named .wh.* are refused;
 * overlay's own xattrs never leave; file capabilities become version 2 (H106). Without owners,
 * those that are noted count, and what has none is MAKER's and gets a note. */
int tree_changes(int upper, const struct tree_base *base, const struct tree_rules *rules,
                 const struct owner *maker, int64_t epoch, struct layer_writer *w,
                 struct error *e);

/* UPPER (a directory named by T) becomes the tree of DIFF_ID: no unpacking later. */
int tree_adopt(struct store *s, struct store_temp *t, const struct digest *diff_id,
               const struct tree_rules *rules, struct error *e);
