/* RUN: the parts that step_run.c and step_mount.c share. */
#pragma once
#include "builder/sandbox/sandbox.h"
#include "builder/build/task.h"

/* The root filesystem of a stage as lower directories, uppermost first, and its tables. */
struct rootfs {
	struct stack *stack;
	char **tree;            /* the tree of each layer of the stack, relative to the store */
	const char **lower;     /* the same, uppermost first, each once; NULL-terminated */
};

/* Make sure that every layer below step NUMBER of STAGE is unpacked, and list the trees. */
int rootfs_open(struct building *b, size_t stage, size_t number, struct rootfs *root,
                struct error *e);
void rootfs_release(struct rootfs *root);

/* What a mount contributes: its ingredient, then what the sandbox is told. */
struct mounting {
	struct copy_world world;
	struct selection *copy;              /* bind: what of the origin is seen, and its content */
	struct copy_step copy_step;
	struct copy_source copy_source;
	char *source_word;              /* the source with wildcards escaped */
	bool is_file;
	struct rootfs root;             /* bind from a stage */
	char *layer_lower[2];           /* bind from a context: the tree made of it */
	int descriptor;                 /* cache folder, agent */
	int lock;                       /* a cache that is not shared */
};

int mount_prepare(struct building *b, struct task *t, const struct run_mount *m,
                  struct mounting *mounting, struct key *key, struct error *e);

/* OUT is one mount for the sandbox, or left alone and 0 returned when there is none to make (an
 * optional secret that was not given); 1 when filled. */
int mount_open(struct building *b, struct task *t, const struct run_mount *m,
               struct mounting *mounting, struct sandbox_mount *out, struct error *e);
void mounting_release(struct mounting *mounting);

const struct build_secret *find_secret(const struct building *b, const char *id);
const struct build_ssh *find_ssh(const struct building *b, const char *id);
