#include "builder/build/build.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "builder/build/assemble.h"
#include "builder/build/kept.h"
#include "builder/build/leaks.h"
#include "builder/sandbox/sandbox.h"
#include "builder/build/task.h"
#include "layers/scope.h"

/* Many steps wait for a network or a disk rather than for a core. */
#define JOBS_MIN 4
#define JOBS_PER_CORE 2
#define JOBS_MAX 64

/* The one thing a signal handler may touch. */
static atomic_int cancel_fd = -1;

void build_cancel(void)
{
	uint64_t one = 1;
	int fd = cancel_fd;

	if (fd >= 0 && write(fd, &one, sizeof one) < 0)
		return;
}

struct graph {
	struct building building;
	unsigned jobs;

	pthread_mutex_t mutex;
	pthread_cond_t changed;
	struct task **ready;    /* a queue: each task enters it once */
	size_t ready_first, ready_end;
	size_t left;            /* tasks not yet ended */
	unsigned idle, workers;
	pthread_t thread[JOBS_MAX];
	struct build_failure *failure;
	bool failed;
};

/* --- which task waits for which ------------------------------------------------------------- */

static int wait_for(struct task *t, struct task *first)
{
	if (first->then_count == first->then_capacity) {
		size_t capacity = first->then_capacity ? 2 * first->then_capacity : 4;
		struct task **grown = reallocarray(first->then, capacity, sizeof *grown);

		if (!grown)
			return -1;
		first->then = grown;
		first->then_capacity = capacity;
	}
	first->then[first->then_count++] = t;
	t->waiting++;
	return 0;
}

/* A COPY --link needs nothing of what its stage has so far. */
static bool stands_alone(const struct step *step)
{
	return step->kind == STEP_COPY && step->copy.link;
}

/* T waits for the layers that lie below step NUMBER of STAGE. Past a step that itself waits for all
 * below it nobody has to look further. */
static int wait_for_layers(struct graph *g, struct task *t, size_t stage, size_t number)
{
	struct line *line = &g->building.line[stage];

	if (number > line->count)
		number = line->count;
	while (number-- > 0) {
		if (wait_for(t, &line->task[number]) < 0)
			return -1;
		if (!stands_alone(line->task[number].step))
			return 0;
	}
	if (line->has_context_task)
		return t == &line->context_task ? 0 : wait_for(t, &line->context_task);
	if (line->stage->base_kind == BASE_STAGE)
		return wait_for_layers(g, t, line->stage->base_stage, SIZE_MAX);
	return 0;
}

static int wait_for_origin(struct graph *g, struct task *t, const struct origin *from)
{
	if (from->kind != ORIGIN_STAGE)
		return 0;
	return wait_for_layers(g, t, from->stage, SIZE_MAX);
}

static int connect_task(struct graph *g, struct task *t)
{
	const struct step *step = t->step;

	if (!stands_alone(step) && wait_for_layers(g, t, step->stage, step->number) < 0)
		return -1;
	if (step->kind == STEP_COPY && wait_for_origin(g, t, &step->copy.from) < 0)
		return -1;
	for (size_t i = 0; step->kind == STEP_RUN && i < step->run.mount_count; i++)
		if (step->run.mount[i].has_from && wait_for_origin(g, t, &step->run.mount[i].from) < 0)
			return -1;
	return 0;
}

/* --- making the graph ------------------------------------------------------------------------- */

/* FROM a folder: a COPY of all of it, onto nothing. */
static void make_context_task(struct line *line, size_t index)
{
	line->has_context_task = true;
	line->context_source = (struct copy_source){ .kind = SOURCE_PATH, .text = "/" };
	line->context_step = (struct step){
		.kind = STEP_COPY,
		.in = line->stage->from,
		.name = "FROM a folder",
		.stage = index,
		.copy = { .from = { .kind = ORIGIN_CONTEXT, .context = line->stage->base_context },
		          .source = &line->context_source, .source_count = 1, .destination = "/",
		          .link = true },
	};
	line->context_task.step = &line->context_step;
}

static int make_lines(struct graph *g, struct error *e)
{
	struct building *b = &g->building;

	b->line = calloc(b->plan->count, sizeof *b->line);
	if (!b->line)
		return error_memory(e);
	for (size_t i = 0; i < b->plan->count; i++) {
		struct line *line = &b->line[i];

		line->stage = &b->plan->stage[i];
		if (!line->stage->needed)
			continue;
		line->count = line->stage->step_count;
		line->task = calloc(line->count + 1, sizeof *line->task);
		if (!line->task)
			return error_memory(e);
		if (line->stage->base_kind == BASE_CONTEXT)
			make_context_task(line, i);
		g->left += line->count + line->has_context_task;
		for (size_t k = 0; k < line->count; k++) {
			line->task[k].step = &line->stage->step[k];
			b->has_run |= line->task[k].step->kind == STEP_RUN;
		}
	}
	return 0;
}

static void enter(struct graph *g, struct task *t)
{
	if (t->waiting == 0)
		g->ready[g->ready_end++] = t;
}

static int connect_all(struct graph *g, struct error *e)
{
	struct building *b = &g->building;

	g->ready = calloc(g->left + 1, sizeof(struct task *));
	if (!g->ready)
		return error_memory(e);
	for (size_t i = 0; i < b->plan->count; i++) {
		struct line *line = &b->line[i];

		if (line->has_context_task)
			line->context_task.vertex = progress_vertex(b->options->progress,
			                                            line->context_step.name);
		for (size_t k = 0; k < line->count; k++) {
			line->task[k].vertex = progress_vertex(b->options->progress,
			                                       line->task[k].step->name);
			if (connect_task(g, &line->task[k]) < 0)
				return error_memory(e);
		}
	}
	for (size_t i = 0; i < b->plan->count; i++) {
		if (b->line[i].has_context_task)
			enter(g, &b->line[i].context_task);
		for (size_t k = 0; k < b->line[i].count; k++)
			enter(g, &b->line[i].task[k]);
	}
	return 0;
}

/* --- workers ------------------------------------------------------------------------------------ */

/* Called with the mutex held: T failed, so everything ends; the first failure is the one told. */
static void fail(struct graph *g, struct task *t, const struct error *e)
{
	struct error ignored;

	if (g->failed && *t->kept)
		kept_remove(g->building.store, t->kept, &ignored);
	if (!g->failed) {
		g->failed = true;
		g->failure->step = t->step;
		g->failure->vertex = t->vertex;
		g->failure->error = *e;
		memcpy(g->failure->kept, t->kept, sizeof t->kept);
		build_cancel();
	}
	if (e->kind == ERROR_CANCELLED || e->kind == ERROR_STALE)
		vertex_cancelled(t->vertex);
	else
		vertex_failed(t->vertex, e->text);
}

/* Is T a step of the target, or of a stage that it is built upon? */
static bool is_of_image(const struct building *b, const struct task *t)
{
	size_t stage = b->plan->target;

	while (stage != t->step->stage && b->plan->stage[stage].base_kind == BASE_STAGE)
		stage = b->plan->stage[stage].base_stage;
	return stage == t->step->stage;
}

static void tell_layer(const struct building *b, const struct task *t)
{
	const struct build_options *o = b->options;

	if (o->layer_done && t->record.has_layer && is_of_image(b, t))
		o->layer_done(o->layer_context, &t->record.layer);
}

static void *work(void *graph);

/* Called with the mutex held: one more worker when there is more to do than hands. */
static void hire(struct graph *g)
{
	size_t more = g->ready_end - g->ready_first;

	/* A step after the other: while one is performed, a second worker clears up after the last. */
	if (g->workers == 1)
		more += leftovers_count(&g->building.leftovers);
	if (more > g->idle && g->workers < g->jobs &&
	    pthread_create(&g->thread[g->workers], NULL, work, g) == 0)
		g->workers++;
}

/* Called with the mutex held, when there is no step to perform. */
static void clear_up_or_wait(struct graph *g)
{
	bool did;

	pthread_mutex_unlock(&g->mutex);
	did = leftovers_remove(&g->building.leftovers);
	pthread_mutex_lock(&g->mutex);
	if (did || g->ready_first < g->ready_end || g->left == 0 || g->failed)
		return;
	g->idle++;
	pthread_cond_wait(&g->changed, &g->mutex);
	g->idle--;
}

static void *work(void *graph)
{
	struct graph *g = graph;
	struct task *before = NULL;

	pthread_mutex_lock(&g->mutex);
	while (g->left > 0 && !g->failed) {
		struct error e = { 0 };
		struct task *t;
		int result;

		if (g->ready_first == g->ready_end) {
			clear_up_or_wait(g);
			continue;
		}
		t = g->ready[g->ready_first++];
		hire(g);
		pthread_mutex_unlock(&g->mutex);
		if (build_is_cancelled(&g->building))
			result = error_set(&e, ERROR_CANCELLED, "cancelled");
		else
			result = task_perform(&g->building, t, &e);
		/* The kernel has had the time of a step to be done with the one before. */
		if (before)
			task_bury(before);
		before = t;
		pthread_mutex_lock(&g->mutex);
		g->left--;
		if (result < 0)
			fail(g, t, &e);
		for (size_t i = 0; result == 0 && i < t->then_count; i++)
			if (--t->then[i]->waiting == 0)
				g->ready[g->ready_end++] = t->then[i];
		if (result == 0 && g->left > 0)
			tell_layer(&g->building, t);
		pthread_cond_broadcast(&g->changed);
	}
	pthread_mutex_unlock(&g->mutex);
	return NULL;
}

static unsigned choose_jobs(unsigned wanted)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned jobs = wanted ? wanted : (unsigned)(cores > 0 ? cores : 1) * JOBS_PER_CORE;

	if (!wanted && jobs < JOBS_MIN)
		jobs = JOBS_MIN;
	return jobs > JOBS_MAX ? JOBS_MAX : jobs;
}

static void tell(void *progress, const char *text)
{
	progress_warn(progress, text);
}

static int begin(struct graph *g, const struct build_options *options, struct error *e)
{
	struct building *b = &g->building;
	const struct sandbox_options sandbox = {
		.way = options->isolation, .because = options->because, .notice = tell,
		.context = options->progress,
	};

	b->options = options;
	b->plan = options->plan;
	b->store = options->store;
	b->secret_used = calloc(options->secret_count + 1, sizeof *b->secret_used);
	if (!b->secret_used)
		return error_memory(e);
	b->cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (b->cancel < 0)
		return error_errno(e, "eventfd");
	cancel_fd = b->cancel;
	b->sandbox = sandbox_open(&sandbox, e);
	b->shelf = b->sandbox ? shelf_new(b->store, e) : NULL;
	if (!b->shelf)
		return -1;
	b->trees = (struct tree_rules){
		.user_xattrs = strncmp(sandbox_xattrs(), "user.", 5) == 0,
		.keep_owners = sandbox_keeps_owners(),
		.make_devices = strncmp(sandbox_xattrs(), "user.", 5) != 0,
	};
	sandbox_form(b->trees.form);
	if (make_lines(g, e) < 0)
		return -1;
	return connect_all(g, e);
}

static void task_release(struct task *t)
{
	free(t->then);
	free(t->time);
	task_bury(t);
	if (t->has_remains)
		close(t->remains);
}

static void dismiss_workers(struct graph *g)
{
	for (; g->workers > 1; g->workers--)
		pthread_join(g->thread[g->workers - 1], NULL);
}

static void end(struct graph *g)
{
	struct building *b = &g->building;

	dismiss_workers(g);
	leftovers_release(&b->leftovers);
	for (size_t i = 0; b->line && i < b->plan->count; i++) {
		for (size_t k = 0; b->line[i].task && k < b->line[i].count; k++)
			task_release(&b->line[i].task[k]);
		task_release(&b->line[i].context_task);
		free(b->line[i].task);
	}
	free(b->line);
	free(g->ready);
	free(b->secret_used);
	sandbox_close(b->sandbox);
	shelf_free(b->shelf);
	cancel_fd = -1;
	if (b->cancel >= 0)
		close(b->cancel);
	pthread_mutex_destroy(&g->mutex);
	pthread_cond_destroy(&g->changed);
}

/* The last word is whether the plan was good: what failed on a base that is old did not fail. Who
 * would cancel has ended then. */
static int settle(const struct build_options *options, int result, struct image *image,
                  struct build_failure *failure)
{
	struct error stale, ignored;

	if (!options->confirm || options->confirm(options->confirm_context, CONFIRM_ALL, &stale) == 0)
		return result;
	if (result == 0)
		image_release(image);
	if (*failure->kept)
		kept_remove(options->store, failure->kept, &ignored);
	*failure = (struct build_failure){ .error = stale };
	return -1;
}

int build_perform(const struct build_options *options, struct image *image,
                  struct build_failure *failure)
{
	struct graph g = { .jobs = choose_jobs(options->jobs), .failure = failure,
	                   .building.cancel = -1 };
	int result;

	memset(failure, 0, sizeof *failure);
	pthread_mutex_init(&g.mutex, NULL);
	pthread_cond_init(&g.changed, NULL);
	leftovers_init(&g.building.leftovers);
	result = begin(&g, options, &failure->error);
	if (result == 0) {
		/* This thread is the first worker; the others come when there is work for them. */
		g.workers = 1;
		work(&g);
		/* Others may be at work still, and be what failed. */
		if (g.failed)
			dismiss_workers(&g);
		result = g.failed ? -1 : 0;
	}
	if (result == 0)
		result = assemble_image(&g.building, image, &failure->error);
	if (result == 0) {
		result = leaks_search(&g.building, image, &failure->step, &failure->error);
		if (result < 0)
			image_release(image);
	}
	result = settle(options, result, image, failure);
	end(&g);
	return result;
}
