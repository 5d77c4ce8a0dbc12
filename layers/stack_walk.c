/* The merged walk: the tables of a stack read side by side, as in a merge sort. */
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "layers/stack_parts.h"

/* A place in one layer's table. */
struct cursor {
	size_t layer;
	size_t at;
	struct entry entry; /* the one at AT */
};

/* Below PATH, layers under FLOOR do not show: a whiteout, an opaque directory or a file hides them.
 * FLOOR counts what the barriers around this one hide, too. */
struct barrier {
	const char *path;
	size_t floor;
};

struct walk {
	struct stack *stack;
	const char *dir;
	bool deep;
	int (*visit)(void *context, const struct found *found, struct error *e);
	void *context;

	struct cursor *heap; /* the earliest path first; of equal paths the topmost layer */
	size_t count;
	struct barrier *barrier; /* around the current path, outermost first */
	size_t barriers, capacity;
	const char *last;   /* the path that was visited last */
	const char *pruned; /* nothing below it is wanted */
};

/* --- the heap --------------------------------------------------------------------------------- */

static bool comes_before(const struct cursor *a, const struct cursor *b)
{
	int order = path_order(a->entry.path, b->entry.path);

	return order < 0 || (order == 0 && a->layer > b->layer);
}

static void sink(struct walk *w, size_t i)
{
	struct cursor moving = w->heap[i];

	for (size_t child; (child = 2 * i + 1) < w->count; i = child) {
		if (child + 1 < w->count && comes_before(&w->heap[child + 1], &w->heap[child]))
			child++;
		if (!comes_before(&w->heap[child], &moving))
			break;
		w->heap[i] = w->heap[child];
	}
	w->heap[i] = moving;
}

/* Put the earliest cursor at AT of its table; it leaves when nothing below DIR is there. */
static void move_first(struct walk *w, size_t at)
{
	struct cursor *c = &w->heap[0];
	const struct table *t = stack_table(w->stack, c->layer);

	c->at = at;
	if (at < table_count(t)) {
		table_get(t, at, &c->entry);
		if (path_is_below(c->entry.path, w->dir)) {
			sink(w, 0);
			return;
		}
	}
	w->heap[0] = w->heap[--w->count];
	if (w->count > 0)
		sink(w, 0);
}

/* Pass over all that is below the pruned path. */
static int leave_pruned(struct walk *w, struct error *e)
{
	auto_free char *behind = NULL;

	if (!w->pruned || w->count == 0 || !path_is_below(w->heap[0].entry.path, w->pruned))
		return 0;
	/* In path_order the names below "a" come before "a\1". */
	if (asprintf(&behind, "%s\001", w->pruned) < 0)
		return error_memory(e);
	while (w->count > 0 && path_is_below(w->heap[0].entry.path, w->pruned)) {
		const struct table *t = stack_table(w->stack, w->heap[0].layer);

		move_first(w, table_lower_bound(t, behind));
	}
	return 0;
}

/* --- what hides what -------------------------------------------------------------------------- */

static int add_barrier(struct walk *w, const char *path, size_t floor, struct error *e)
{
	if (w->barriers == w->capacity) {
		size_t capacity = w->capacity ? 2 * w->capacity : 16;
		struct barrier *grown = reallocarray(w->barrier, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		w->barrier = grown;
		w->capacity = capacity;
	}
	w->barrier[w->barriers++] = (struct barrier){ path, floor };
	return 0;
}

/* The lowest layer that shows at PATH. */
static size_t floor_at(struct walk *w, const char *path)
{
	while (w->barriers > 0 && !path_is_below(path, w->barrier[w->barriers - 1].path))
		w->barriers--;
	return w->barriers > 0 ? w->barrier[w->barriers - 1].floor : 0;
}

/* Has a layer above LAYER something below PATH without naming PATH itself? */
static bool is_implied_above(const struct walk *w, const char *path, size_t layer)
{
	if (w->count == 0 || !path_is_below(w->heap[0].entry.path, path))
		return false;
	for (size_t i = 0; i < w->count; i++)
		if (w->heap[i].layer > layer && path_is_below(w->heap[i].entry.path, path))
			return true;
	return false;
}

/* --- visiting --------------------------------------------------------------------------------- */

static int tell(struct walk *w, const struct found *found, struct error *e)
{
	int result = w->visit(w->context, found, e);

	w->last = found->entry.path;
	if (result > 0 || (result == 0 && !w->deep))
		w->pruned = w->last;
	return result < 0 ? -1 : 0;
}

/* Visit the directories on the way to PATH that no layer names. */
static int tell_implied(struct walk *w, const char *path, struct error *e)
{
	size_t from = *w->dir ? strlen(w->dir) + 1 : 0;

	for (const char *slash = path + from; (slash = strchr(slash, '/')); slash++) {
		size_t length = (size_t)(slash - path);
		auto_free char *parent = NULL;
		const struct folder *f;

		if (w->last && strncmp(w->last, path, length) == 0 &&
		    (w->last[length] == '\0' || w->last[length] == '/'))
			continue;
		parent = strndup(path, length);
		if (!parent)
			return error_memory(e);
		f = stack_folder(w->stack, parent, e);
		if (!f || tell(w, &f->found, e) < 0)
			return -1;
		if (w->pruned == w->last)
			break;
	}
	return 0;
}

enum { HIDDEN = 0, SHOWN = 1, GONE = 2 };

/* Take all entries of the earliest path off the heap and find what shows. A path that is GONE
 * leaves the directory that it was deleted from. */
static int take_path(struct walk *w, struct found *found, struct error *e)
{
	const char *path = w->heap[0].entry.path;
	size_t floor = floor_at(w, path), new_floor = 0;
	bool is_there = false, is_hidden = false;

	while (w->count > 0 && strcmp(w->heap[0].entry.path, path) == 0) {
		struct cursor *c = &w->heap[0];

		if (c->layer >= floor && !is_hidden) {
			if (!is_there && c->entry.type != ENTRY_WHITEOUT) {
				found->entry = c->entry;
				found->layer = c->layer;
				is_there = true;
			}
			if (c->entry.type != ENTRY_DIR) {
				/* What its own layer has below a whiteout or an opaque directory shows. */
				is_hidden = true;
				new_floor = c->entry.type == ENTRY_WHITEOUT || c->entry.type == ENTRY_OPAQUE
				                    ? c->layer : c->layer + 1;
			}
		}
		move_first(w, c->at + 1);
	}
	if (is_hidden && add_barrier(w, path, new_floor, e) < 0)
		return -1;
	if (!is_there)
		return is_hidden ? GONE : HIDDEN;
	if (found->entry.type == ENTRY_OPAQUE)
		found->entry.type = ENTRY_DIR;
	/* A file under a directory that only its content implies is not seen. */
	if (found->entry.type != ENTRY_DIR && is_implied_above(w, path, found->layer))
		return HIDDEN;
	return stack_follow_hardlink(w->stack, found, e) < 0 ? -1 : SHOWN;
}

static int begin(struct walk *w, struct error *e)
{
	const struct folder *f;

	if (stack_make_ready(w->stack, e) < 0)
		return -1;
	f = stack_folder(w->stack, w->dir, e);
	if (!f)
		return -1;
	w->heap = calloc(f->below_count + 1, sizeof *w->heap);
	if (!w->heap)
		return error_memory(e);
	for (size_t i = 0; i < f->below_count; i++) {
		const struct table *t = stack_table(w->stack, f->below[i]);
		struct cursor *c = &w->heap[w->count];

		c->layer = f->below[i];
		c->at = table_lower_bound(t, w->dir);
		table_get(t, c->at, &c->entry);
		if (strcmp(c->entry.path, w->dir) == 0 && ++c->at < table_count(t))
			table_get(t, c->at, &c->entry);
		w->count++;
	}
	for (size_t i = w->count / 2; i-- > 0;)
		sink(w, i);
	return 0;
}

int stack_walk(struct stack *st, const char *dir, bool deep,
               int (*visit)(void *context, const struct found *found, struct error *e),
               void *context, struct error *e)
{
	struct walk w = { .stack = st, .dir = dir, .deep = deep, .visit = visit, .context = context };
	int result = begin(&w, e);

	while (result == 0 && (result = leave_pruned(&w, e)) == 0 && w.count > 0) {
		struct found found;
		const char *path = w.heap[0].entry.path;
		int answer = take_path(&w, &found, e);

		if (answer < 0)
			result = -1;
		else if (answer != HIDDEN)
			result = tell_implied(&w, path, e);
		if (result == 0 && answer == SHOWN && (!w.pruned || !path_is_below(path, w.pruned)))
			result = tell(&w, &found, e);
	}
	free(w.heap);
	free(w.barrier);
	return result;
}
