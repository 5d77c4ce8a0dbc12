/* The times of files that a RUN sees.
 *
 * In a layer all files of a context have one time (LAYER_TIME), so that equal contents are equal
 * layers. A compiler that keeps its objects in a cache mount would take every edited source for
 * older than them. So a RUN sees the times that the files have in the context: its trees get them,
 * the layers do not. Files that have no time of their own, and those of which it is forgotten, have
 * the one at which their layer was made. With SOURCE_DATE_EPOCH all is as the layers say.
 */
#pragma once
#include "builder/build/task.h"

/* The times of what T copies: notes them in T, if anybody will ask. */
int times_note(struct building *b, struct task *t, const struct selection *copy, struct error *e);

/* The tree at PATH, LAYER's, gets the times that MAKER knows, or its own. */
int times_give(struct building *b, const struct task *maker, const struct layer *layer,
               const char *path, struct error *e);

/* The same for COPY --from: the times of the stage that it copies from. All zero at first. */
struct origin_times {
	struct building *building;
	struct task **task;     /* of each layer */
};
int origin_times_open(struct building *b, const struct copy_step *step, struct origin_times *o,
                      struct copy_world *world, struct error *e);
void origin_times_release(struct origin_times *o);
