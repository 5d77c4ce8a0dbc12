/* RUN: the parts that step_run.c, scene.c and step_mount.c share. */
#pragma once
#include "builder/build/rootfs.h"
#include "builder/build/task.h"
#include "builder/sandbox/sandbox.h"

/* What a mount contributes: its ingredient, then what the sandbox is told. */
struct mounting {
	struct copy_world world;
	struct selection *copy;              /* what of the origin is seen, and its content */
	struct copy_step copy_step;
	struct copy_source copy_source;
	char *source_word;              /* the source with wildcards escaped */
	bool is_file;
	struct rootfs root;             /* bind from a stage; the stack of a cache's context */
	struct stack *seed;             /* what a new cache begins with, lent; NULL: nothing */
	char *layer_lower[2];           /* bind from a context: the tree made of it */
	int descriptor;                 /* cache folder, agent */
	int lock;                       /* a cache that is not shared */
};

/* A RUN once it is prepared. */
struct running {
	struct mounting *mounting;      /* one for each mount of the step */
	size_t mounting_count;
};

int mount_prepare(struct building *b, struct task *t, const struct run_mount *m,
                  struct mounting *mounting, struct key *key, struct error *e);

/* OUT is one mount for the sandbox, or left alone and 0 returned when there is none to make (an
 * optional secret that was not given); 1 when filled. */
int mount_open(struct building *b, struct task *t, const struct run_mount *m,
               struct mounting *mounting, struct sandbox_mount *out, struct error *e);
void mounting_release(struct mounting *mounting);

/* The secret ID, which is used from now on; NULL when it was not given. */
const struct build_secret *find_secret(const struct building *b, const char *id);
const struct build_ssh *find_ssh(const struct building *b, const char *id);
