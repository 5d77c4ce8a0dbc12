/* COPY and ADD: from a context, a stage, documents, URLs and archives straight into a layer; no
 * root filesystem is involved.
 *
 * First select: which files arrive under which names, as facts (copy_select; it adds all that the
 * result depends on to the key). When the cache does not have it, write: the selection becomes a
 * layer (copy_write). Symlinks in sources resolve inside their own root, those in the destination
 * inside the stack.
 *
 * Source: Dockerfile reference "COPY", "ADD"; BuildKit where it is silent.
 */
#pragma once
#include <stdint.h>

#include "builder/build/cache.h"
#include "builder/copy/context.h"
#include "builder/plan/plan.h"
#include "layers/stack.h"
#include "layers/tree.h"

struct copy_world {
	struct store *store;
	struct context *context; /* where ORIGIN_CONTEXT sources are; NULL when FROM is a stage */
	struct stack *from;          /* where ORIGIN_STAGE sources are; else NULL */
	struct stack *onto;          /* what the stage has so far; not touched with --link */
	int64_t epoch;               /* the time files get: SOURCE_DATE_EPOCH or -1 */
	/* The time of the file at PATH in a layer of FROM, where it is not LAYER_TIME (TREE_NO_TIME: not
	 * known); NULL: none is. */
	int64_t (*time_of)(void *context, size_t layer, const char *path);
	void *time_context;
	/* A secret of the build by id, for HTTP_AUTH_*, GIT_AUTH_*; NULL: not given. */
	const char *(*secret)(void *context, const char *id);
	void *secret_context;
	/* Bytes moved, for progress; may be NULL. */
	void (*moved)(void *context, const char *what, int64_t done, int64_t total);
	void *moved_context;
};

struct selection;

/* Consumes nothing; STEP and WORLD must outlive the copy. */
struct selection *copy_select(const struct copy_step *step, const struct copy_world *world,
                         struct key *key, struct error *e);
int copy_write(struct selection *c, struct layer *layer, struct error *e);
void copy_free(struct selection *c);

/* The times that files of a context really have, one for each entry of the layer; *COUNT of them.
 * For tree_set_times; the caller frees it. Before copy_write, what is in archives and repositories
 * does not count. NULL and E: out of memory. */
int64_t *copy_times(const struct selection *c, size_t *count, struct error *e);

/* The first file that differs between the selection and the layer an earlier build made of the same
 * step: "src/a.py changed", "src/b.py is new", "src/c.py is gone". For cache_explain; the caller
 * frees it; NULL: no difference found. */
char *copy_difference(void *copy, const struct layer *old);
