#include "builder/build/times.h"

#include <stdlib.h>

static bool is_asked_for(const struct building *b)
{
	return b->has_run && b->plan->epoch < 0;
}

int times_note(struct building *b, struct task *t, const struct selection *copy, struct error *e)
{
	if (!is_asked_for(b))
		return 0;
	free(t->time);
	t->time = copy_times(copy, &t->time_count, e);
	return t->time ? 0 : -1;
}

/* Those of an archive that was not unpacked this time are not known. */
static const int64_t *known_times(const struct task *t, const struct table *table)
{
	return t->time_count == table_count(table) ? t->time : NULL;
}

int times_give(struct building *b, const struct task *maker, const struct layer *layer,
               const char *path, struct error *e)
{
	struct table *table;

	if (!maker || !is_asked_for(b))
		return 0;
	table = shelf_table(b->shelf, &layer->diff_id, e);
	if (!table)
		return -1;
	/* Only the second is known. Its end, then: who takes a file for too new does a little too much,
	 * who takes it for too old does the wrong thing. */
	return tree_set_times(b->store, path, table, known_times(maker, table),
	                      (maker->record.created + 1) * 1000000000 - 1, e);
}

/* --- COPY --from ------------------------------------------------------------------------------ */

static int64_t time_of(void *context, size_t layer, const char *path)
{
	struct origin_times *o = context;
	const struct task *maker = o->task[layer];
	const int64_t *time;
	struct table *table;
	struct error ignored;
	ssize_t at;

	if (!maker)
		return TREE_NO_TIME;
	table = shelf_table(o->building->shelf, &maker->record.layer.diff_id, &ignored);
	time = table ? known_times(maker, table) : NULL;
	at = time ? table_find(table, path) : -1;
	return at < 0 ? TREE_NO_TIME : time[at];
}

int origin_times_open(struct building *b, const struct copy_step *step, struct origin_times *o,
                      struct copy_world *world, struct error *e)
{
	size_t count;

	if (step->from.kind != ORIGIN_STAGE || !is_asked_for(b))
		return 0;
	*o = (struct origin_times){ b, tasks_below(b, step->from.stage, SIZE_MAX, &count) };
	if (!o->task)
		return error_memory(e);
	world->time_of = time_of;
	world->time_context = o;
	return 0;
}

void origin_times_release(struct origin_times *o)
{
	free(o->task);
}
