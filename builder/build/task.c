#include "builder/build/task.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/build/times.h"
#include "layers/blob.h"
#include "layers/scope.h"

/* How often somebody who waits for another process's step looks whether it was told to stop. */
#define LOCK_POLL_MS 20

static const struct step_kind_row *const rows[] = {
	[STEP_RUN] = &run_row,
	[STEP_COPY] = &copy_row,
	[STEP_WORKDIR] = &workdir_row,
};

bool build_is_cancelled(const struct building *b)
{
	struct pollfd p = { .fd = b->cancel, .events = POLLIN };

	return poll(&p, 1, 0) > 0;
}

void task_bury(struct task *t)
{
	if (!t->has_remains || t->buried)
		return;
	sandbox_bury(t->remains);
	t->buried = true;
}

/* Layers one upon the other, and who makes each; the arrays that are there are filled. */
struct pile {
	struct layer *layer;
	struct task **task;
	size_t count;
};

static void put_below(struct pile *pile, const struct layer *layer, struct task *maker)
{
	if (pile->layer)
		pile->layer[pile->count] = *layer;
	if (pile->task)
		pile->task[pile->count] = maker;
	pile->count++;
}

static void walk_below(const struct building *b, size_t stage, size_t number, struct pile *pile)
{
	struct line *line = &b->line[stage];
	struct task *context = &line->context_task;

	if (line->stage->base_kind == BASE_STAGE)
		walk_below(b, line->stage->base_stage, SIZE_MAX, pile);
	for (size_t i = 0; line->stage->base_kind == BASE_IMAGE && i < line->stage->base->layer_count;
	     i++)
		put_below(pile, &line->stage->base->layers[i], NULL);
	if (line->has_context_task && context->record.has_layer)
		put_below(pile, &context->record.layer, context);
	for (size_t i = 0; i < line->count && i < number; i++)
		if (line->task[i].record.has_layer)
			put_below(pile, &line->task[i].record.layer, &line->task[i]);
}

static size_t count_below(const struct building *b, size_t stage, size_t number)
{
	struct pile pile = { 0 };

	walk_below(b, stage, number, &pile);
	return pile.count;
}

/* The task that stands for FROM a folder has nothing below it. */
static size_t stage_below(const struct building *b, const struct task *t)
{
	return t == &b->line[t->step->stage].context_task ? NO_STAGE : t->step->stage;
}

struct layer *layers_below(const struct building *b, size_t stage, size_t number, size_t *count)
{
	struct pile pile = { 0 };

	*count = count_below(b, stage, number);
	pile.layer = calloc(*count + 1, sizeof *pile.layer);
	if (pile.layer)
		walk_below(b, stage, number, &pile);
	return pile.layer;
}

struct task **tasks_below(const struct building *b, size_t stage, size_t number, size_t *count)
{
	struct pile pile = { 0 };

	*count = count_below(b, stage, number);
	pile.task = calloc(*count + 1, sizeof *pile.task);
	if (pile.task)
		walk_below(b, stage, number, &pile);
	return pile.task;
}

void chain_digest(const struct layer *layers, size_t count, struct digest *chain)
{
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < count; i++)
		sha256_add(&s, layers[i].diff_id.byte, DIGEST_SIZE);
	sha256_end(&s, chain);
}

/* Will there be a RUN on what BASE has? */
static bool is_run_on(const struct plan *plan, const struct base *base)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct stage *stage = &plan->stage[i], *bottom = stage;
		bool runs = false;

		for (size_t k = 0; stage->needed && k < stage->step_count && !runs; k++)
			runs = stage->step[k].kind == STEP_RUN;
		while (runs && bottom->base_kind == BASE_STAGE)
			bottom = &plan->stage[bottom->base_stage];
		if (runs && bottom->base_kind == BASE_IMAGE && bottom->base == base)
			return true;
	}
	return false;
}

/* A layer is missing: it is a base's, and its registry has it. */
static int fetch(void *context, const struct layer *layer, struct error *e)
{
	struct building *b = context;

	for (size_t i = 0; i < b->plan->count; i++) {
		const struct base *base = b->plan->stage[i].base;

		if (!b->plan->stage[i].needed || b->plan->stage[i].base_kind != BASE_IMAGE)
			continue;
		for (size_t k = 0; k < base->layer_count; k++)
			/* Two bases may have the same tar, compressed differently. */
			if (digest_equal(&base->layers[k].blob, &layer->blob))
				return b->options->fetch(base, k, is_run_on(b->plan, base) ? &b->trees : NULL,
				                         e);
	}
	/* The table of a layer that was built is made from its blob. */
	if (blob_has(b->store, &layer->blob, layer->blob_size))
		return 0;
	return error_set(e, ERROR_DAMAGED, "a layer of this build has gone from the store");
}

struct stack *stack_below(struct building *b, size_t stage, size_t number, struct error *e)
{
	size_t count;
	auto_free struct layer *layers = layers_below(b, stage, number, &count);
	struct stack *stack;

	if (!layers) {
		error_memory(e);
		return NULL;
	}
	stack = stack_new(b->store, layers, count, fetch, b, e);
	if (stack)
		stack_use_shelf(stack, b->shelf);
	return stack;
}

struct context *find_context(const struct building *b, const char *name)
{
	for (size_t i = 0; i < b->options->context_count; i++) {
		const struct build_context *c = &b->options->context[i];

		if (name ? c->name && strcmp(c->name, name) == 0 : !c->name)
			return c->context;
	}
	return NULL;
}

/* The place of a step, for explaining misses: the same in the next build of this Dockerfile. */
static void slot_of(const struct building *b, const struct task *t, struct digest *slot)
{
	const char *identity = b->options->identity ? b->options->identity : "";
	const char *stage = b->plan->stage[t->step->stage].name;
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, identity, strlen(identity) + 1);
	sha256_add(&s, stage, strlen(stage) + 1);
	sha256_add(&s, &t->step->number, sizeof t->step->number);
	sha256_end(&s, slot);
}

/* Only one process or thread performs a step; the others wait for its result. */
static int lock_step(struct building *b, const struct digest *key, struct error *e)
{
	for (;;) {
		int fd = store_lock(b->store, key, false, e);
		struct pollfd p = { .fd = b->cancel, .events = POLLIN };

		if (fd >= 0 || e->kind != ERROR_CANCELLED)
			return fd;
		if (poll(&p, 1, LOCK_POLL_MS) > 0)
			return error_set(e, ERROR_CANCELLED, "cancelled");
	}
}

/* Can it be seen afterwards that T began, whatever became of it? In a cache mount it can. Then it does
 * not begin before it is certain that its base is still the one that is wanted. */
static bool leaves_traces(const struct task *t)
{
	const struct run_step *run = &t->step->run;

	for (size_t i = 0; t->step->kind == STEP_RUN && i < run->mount_count; i++)
		if (run->mount[i].mount.type == MOUNT_CACHE)
			return true;
	return false;
}

static int confirm(const struct building *b, enum confirm how, struct error *e)
{
	return b->options->confirm ? b->options->confirm(b->options->confirm_context, how, e) : 0;
}

static void take_cached(const struct building *b, const struct task *t)
{
	struct error told_again;

	vertex_cached(t->vertex);
	confirm(b, CONFIRM_SOON, &told_again);
}

static int perform_locked(struct building *b, struct task *t, struct key *key,
                          const struct digest *digest, void *work, struct error *e)
{
	const struct step_kind_row *row = rows[t->step->kind];
	auto_close int lock = lock_step(b, digest, e);
	struct record record = { .created = b->plan->epoch };
	auto_free char *why = NULL;
	struct digest slot;
	int found;

	if (lock < 0)
		return -1;
	found = t->step->no_cache ? 0 : cache_find(b->store, digest, &t->record, e);
	if (found > 0)
		take_cached(b, t);
	if (found)
		return found > 0 ? 0 : -1;
	if (confirm(b, leaves_traces(t) ? CONFIRM_ALL : CONFIRM_SO_FAR, e) < 0)
		return -1;
	slot_of(b, t, &slot);
	vertex_start(t->vertex);
	why = t->step->no_cache ? NULL : cache_explain(b->store, key, &slot, row->difference, work);
	if (why && strcmp(why, "first build") != 0)
		vertex_note(t->vertex, why);
	if (record.created < 0)
		record.created = time(NULL);
	if (row->perform(b, t, work, &record, e) < 0)
		return -1;
	t->record = record;
	if (cache_save(b->store, key, &slot, &record, e) < 0)
		return -1;
	vertex_done(t->vertex);
	return 0;
}

int task_perform(struct building *b, struct task *t, struct error *e)
{
	const struct step_kind_row *row = rows[t->step->kind];
	struct key *key = key_new(e);
	struct digest digest;
	void *work = NULL;
	int found = -1;

	if (!key)
		return -1;
	if (row->prepare(b, t, key, &work, e) == 0 && key_digest(key, &digest, e) == 0) {
		found = t->step->no_cache ? 0 : cache_find(b->store, &digest, &t->record, e);
		if (found > 0)
			take_cached(b, t);
		if (found == 0)
			found = perform_locked(b, t, key, &digest, work, e);
	}
	row->release(work);
	key_free(key);
	return found < 0 ? -1 : 0;
}

/* --- COPY and ADD: copy.c does the work, here is the world it happens in ------------------------- */

static const char *secret_text(void *context, const char *id)
{
	const struct building *b = context;

	for (size_t i = 0; i < b->options->secret_count; i++)
		if (strcmp(b->options->secret[i].id, id) == 0) {
			b->secret_used[i] = true;
			return b->options->secret[i].value;
		}
	return NULL;
}

static void moved(void *context, const char *what, int64_t done, int64_t total)
{
	vertex_bytes(context, what, done, total);
}

int copy_world_of(struct building *b, const struct copy_step *step, size_t stage, size_t number,
                  struct task *t, struct copy_world *world, struct error *e)
{
	*world = (struct copy_world){
		.store = b->store,
		.epoch = b->plan->epoch,
		.secret = secret_text,
		.secret_context = b,
		.moved = moved,
		.moved_context = t->vertex,
	};
	if (step->from.kind == ORIGIN_STAGE) {
		world->from = stack_below(b, step->from.stage, SIZE_MAX, e);
		if (!world->from)
			return -1;
	} else {
		world->context = find_context(b, step->from.context);
	}
	if (stage == NO_STAGE)
		world->onto = stack_new(b->store, NULL, 0, NULL, NULL, e);
	else
		world->onto = stack_below(b, stage, number, e);
	return world->onto ? 0 : -1;
}

void copy_world_release(struct copy_world *world)
{
	stack_free(world->from);
	stack_free(world->onto);
}

struct copying {
	struct copy_world world;
	struct origin_times times;
	struct selection *copy;
};

static void copy_release(void *work)
{
	struct copying *c = work;

	if (!c)
		return;
	copy_free(c->copy);
	copy_world_release(&c->world);
	origin_times_release(&c->times);
	free(c);
}

static int copy_prepare(struct building *b, struct task *t, struct key *key, void **work,
                        struct error *e)
{
	struct copying *c = calloc(1, sizeof *c);
	const struct copy_step *step = &t->step->copy;

	*work = c;
	if (!c)
		return error_memory(e);
	if (copy_world_of(b, step, stage_below(b, t), t->step->number, t, &c->world, e) < 0)
		return -1;
	key_add_number(key, "SOURCE_DATE_EPOCH", b->plan->epoch);
	if (origin_times_open(b, step, &c->times, &c->world, e) < 0)
		return -1;
	c->copy = copy_select(step, &c->world, key, e);
	return c->copy ? times_note(b, t, c->copy, e) : -1;
}

static int copy_perform(struct building *b, struct task *t, void *work, struct record *record,
                        struct error *e)
{
	struct copying *c = work;

	record->has_layer = true;
	if (copy_write(c->copy, &record->layer, e) < 0)
		return -1;
	/* What was in archives and repositories is known now. */
	return times_note(b, t, c->copy, e);
}

static char *copy_compare(void *work, const struct layer *old)
{
	struct copying *c = work;

	return copy_difference(c->copy, old);
}

const struct step_kind_row copy_row = { copy_prepare, copy_perform, copy_release, copy_compare };
