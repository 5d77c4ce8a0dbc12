/* A step while it is built: its place in the graph, and what comes of it.
 *
 * Private to build.c, task.c and step_*.c. A task's result is written by the one thread that
 * performs it, before the graph's mutex tells others that it is done; they only read it then.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "builder/build/build.h"
#include "builder/build/cache.h"
#include "builder/build/leftovers.h"
#include "builder/copy/copy.h"
#include "builder/sandbox/sandbox.h"
#include "layers/tree.h"

/* The time of what a build makes itself: design: the same bytes at any time of day. */
#define NO_EPOCH (-1)

struct task {
	const struct step *step;
	struct vertex *vertex;
	struct task **then;     /* who waits for this one */
	size_t then_count, then_capacity;
	size_t waiting;         /* for how many this one waits */
	struct record record;   /* the result */
	int64_t *time;          /* of the files in its layer: builder/build/times.h; may be NULL */
	size_t time_count;
	char kept[KEPT_ID];     /* the RUN failed and was kept (builder/build/kept.h); else "" */
	bool has_remains;       /* of its sandbox (builder/sandbox/sandbox.h) there are these, */
	int remains;
	_Atomic bool buried;    /* until somebody has waited for their end */
};

/* A stage while it is built. */
struct line {
	const struct stage *stage;
	struct task *task;      /* one per step */
	size_t count;
	struct step context_step; /* FROM a folder: the COPY that stands for it, */
	struct copy_source context_source;
	struct task context_task; /* and its task */
	bool has_context_task;
};

struct building {
	const struct build_options *options;
	const struct plan *plan;
	struct store *store;
	struct shelf *shelf;    /* what is known of layers */
	struct line *line;      /* one per stage of the plan */
	struct sandbox *sandbox;
	struct tree_rules trees;
	bool has_run;           /* there is a RUN: trees are wanted */
	struct leftovers leftovers;
	_Atomic bool *secret_used; /* of each of the options' secrets */
	int cancel;             /* readable when all is to end */
};

/* The layers below STEP NUMBER of STAGE (all of the stage's with SIZE_MAX), bottom first. Lent
 * structs in an array that the caller frees. NULL when memory is out. */
struct layer *layers_below(const struct building *b, size_t stage, size_t number, size_t *count);

/* The tasks that make those layers, as an array that the caller frees; NULL for a layer of a base
 * image. NULL when memory is out. */
struct task **tasks_below(const struct building *b, size_t stage, size_t number, size_t *count);

/* A stack of the same. */
struct stack *stack_below(struct building *b, size_t stage, size_t number, struct error *e);

/* What stands for the content of those layers in a key. */
void chain_digest(const struct layer *layers, size_t count, struct digest *chain);

/* Perform T, or find its result in the cache: record, layer and events. */
int task_perform(struct building *b, struct task *t, struct error *e);

/* Wait until nothing has mounted any more what T has made; for any thread. */
void task_bury(struct task *t);

bool build_is_cancelled(const struct building *b);

/* The kinds of steps. Each first adds what it depends on to KEY, then performs; WORK carries its
 * findings from one to the other. */
struct step_kind_row {
	int (*prepare)(struct building *b, struct task *t, struct key *key, void **work,
	               struct error *e);
	int (*perform)(struct building *b, struct task *t, void *work, struct record *record,
	               struct error *e);
	void (*release)(void *work);
	char *(*difference)(void *work, const struct layer *old); /* NULL: no files to compare */
};

extern const struct step_kind_row run_row, copy_row, workdir_row;

/* The context NAME (NULL: the main one) of the build, or NULL. */
struct context *find_context(const struct building *b, const char *name);

/* A COPY of STEP's sources onto ONTO (may be NULL: nothing), for COPY itself and for mounts. */
int copy_world_of(struct building *b, const struct copy_step *step, size_t stage, size_t number,
                  struct task *t, struct copy_world *world, struct error *e);
void copy_world_release(struct copy_world *world);
