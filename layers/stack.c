#include "layers/stack.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"
#include "layers/extent.h"
#include "layers/graft.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/stack_parts.h"

/* Links to links; a hard link of a hard link is legal, a long chain is an attack. */
#define HARDLINKS_MAX 8

#define BUCKETS 4096

struct stack {
	struct store *store;
	struct layer *layers;
	size_t count;
	stack_fetch *fetch;
	void *context;
	struct shelf *shelf;     /* has the tables open; NULL: the stack itself has */

	pthread_mutex_t opening; /* guards all below but BUCKET */
	struct table **tables;
	struct digest *names;    /* of the tables: diff_ids, or those of grafts */
	int *tars;               /* descriptors of uncompressed tars, -1 until needed */
	int *pieced;             /* descriptors of files that are in pieces there */
	size_t pieced_count;
	bool ready;              /* every table is open */

	pthread_rwlock_t lock;   /* guards BUCKET */
	struct folder *bucket[BUCKETS];
};

struct stack *stack_new(struct store *s, const struct layer *layers, size_t count,
                        stack_fetch *fetch, void *context, struct error *e)
{
	struct stack *st = calloc(1, sizeof *st);

	if (!st) {
		error_memory(e);
		return NULL;
	}
	pthread_mutex_init(&st->opening, NULL);
	pthread_rwlock_init(&st->lock, NULL);
	st->store = s;
	st->count = count;
	st->fetch = fetch;
	st->context = context;
	st->layers = calloc(count + 1, sizeof *st->layers);
	st->tables = calloc(count + 1, sizeof *st->tables);
	st->names = calloc(count + 1, sizeof *st->names);
	st->tars = calloc(count + 1, sizeof *st->tars);
	if (!st->layers || !st->tables || !st->names || !st->tars) {
		error_memory(e);
		stack_free(st);
		return NULL;
	}
	for (size_t i = 0; i < count; i++) {
		st->layers[i] = layers[i];
		st->names[i] = layers[i].diff_id;
		st->tars[i] = -1;
	}
	return st;
}

static void folder_free(struct folder *f)
{
	free(f->path);
	free(f->below);
	free(f);
}

void stack_free(struct stack *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct folder *f = st->bucket[i], *next; f; f = next) {
			next = f->next;
			folder_free(f);
		}
	for (size_t i = 0; st->tables && st->tars && i < st->count; i++) {
		if (st->tables[i] && !st->shelf)
			table_close(st->tables[i]);
		if (st->tars[i] >= 0)
			close(st->tars[i]);
	}
	while (st->pieced_count > 0)
		close(st->pieced[--st->pieced_count]);
	pthread_mutex_destroy(&st->opening);
	pthread_rwlock_destroy(&st->lock);
	free(st->pieced);
	free(st->layers);
	free(st->tables);
	free(st->names);
	free(st->tars);
	free(st);
}

size_t stack_count(const struct stack *st)
{
	return st->count;
}

const struct table *stack_table(const struct stack *st, size_t i)
{
	return st->tables[i];
}

const struct digest *stack_table_name(const struct stack *st, size_t i)
{
	return &st->names[i];
}

const struct layer *stack_layer(const struct stack *st, size_t i)
{
	return &st->layers[i];
}

struct store *stack_store(const struct stack *st)
{
	return st->store;
}

void stack_use_shelf(struct stack *st, struct shelf *shelf)
{
	st->shelf = shelf;
}

static bool is_whole(struct stack *st, const struct layer *layer)
{
	return st->shelf ? shelf_has_whole(st->shelf, layer) : layer_is_whole(st->store, layer);
}

static struct table *look_for_table(struct stack *st, const struct layer *layer, struct error *e)
{
	return st->shelf ? shelf_table(st->shelf, &layer->diff_id, e)
	                 : table_open(st->store, &layer->diff_id, e);
}

/* Called with OPENING held. */
static int open_table(struct stack *st, size_t i, struct error *e)
{
	const struct layer *layer = &st->layers[i];

	if (st->tables[i] || (st->tables[i] = look_for_table(st, layer, e)))
		return 0;
	/* One that was damaged is not there any more. */
	if (e->kind != ERROR_NOT_FOUND && e->kind != ERROR_DAMAGED)
		return -1;
	if (st->fetch && !is_whole(st, layer) && st->fetch(st->context, layer, e) < 0)
		return -1;
	if (!table_exists(st->store, &layer->diff_id) && layer_index(st->store, layer, e) < 0)
		return -1;
	st->tables[i] = look_for_table(st, layer, e);
	return st->tables[i] ? 0 : -1;
}

/* Called with OPENING held, all tables below being right: is table I, on these layers? */
static int graft(struct stack *st, size_t i, struct error *e)
{
	const struct digest *diff_id = &st->layers[i].diff_id;
	struct digest name = *diff_id;

	if (table_orphan_count(st->tables[i]) == 0)
		return 0;
	if (!st->shelf || !shelf_graft(st->shelf, diff_id, st->tables, i, &name)) {
		if (graft_table(st->store, st->layers, st->tables, i, &name, e) < 0)
			return -1;
		if (st->shelf)
			shelf_keep_graft(st->shelf, diff_id, st->tables, i, &name);
	}
	if (digest_equal(&name, diff_id))
		return 0;
	if (!st->shelf)
		table_close(st->tables[i]);
	st->names[i] = name;
	st->tables[i] = st->shelf ? shelf_table(st->shelf, &name, e) : table_open(st->store, &name, e);
	return st->tables[i] ? 0 : -1;
}

int stack_make_ready(struct stack *st, struct error *e)
{
	int result = 0;

	if (__atomic_load_n(&st->ready, __ATOMIC_ACQUIRE))
		return 0;
	pthread_mutex_lock(&st->opening);
	for (size_t i = 0; result == 0 && i < st->count; i++) {
		bool is_open = st->tables[i];

		result = open_table(st, i, e);
		if (result == 0 && !is_open)
			result = graft(st, i, e);
	}
	if (result == 0)
		__atomic_store_n(&st->ready, true, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&st->opening);
	return result;
}

int stack_fetch_all(struct stack *st, struct error *e)
{
	for (size_t i = 0; st->fetch && i < st->count; i++)
		if (!is_whole(st, &st->layers[i]) &&
		    st->fetch(st->context, &st->layers[i], e) < 0)
			return -1;
	return stack_make_ready(st, e);
}

size_t stack_floor(const struct stack *st)
{
	struct entry first;

	for (size_t i = st->count; i-- > 0;) {
		if (table_count(st->tables[i]) == 0)
			continue;
		table_get(st->tables[i], 0, &first);
		if (!*first.path && first.type == ENTRY_OPAQUE)
			return i;
	}
	return 0;
}

/* --- looking up ------------------------------------------------------------------------------- */

/* The entry of PATH that shows in the layers up to *LAYER, which becomes its layer. 1, 0, or -1. */
static int find_shown(const struct stack *st, const char *path, size_t *layer, struct entry *entry)
{
	for (size_t i = *layer + 1; i-- > 0;) {
		ssize_t at = table_find(st->tables[i], path);
		int hidden;

		if (at >= 0) {
			*layer = i;
			table_get(st->tables[i], (size_t)at, entry);
			return entry->type != ENTRY_WHITEOUT;
		}
		hidden = table_hides(st->tables[i], path);
		if (hidden)
			return hidden < 0 ? -1 : 0;
	}
	return 0;
}

int stack_follow_hardlink(struct stack *st, struct found *found, struct error *e)
{
	const char *path = found->entry.path;

	found->named = found->layer;
	found->linked = found->entry.type == ENTRY_HARDLINK;
	for (int hops = 0; found->entry.type == ENTRY_HARDLINK; hops++) {
		const char *link = found->entry.link;
		int shown = hops < HARDLINKS_MAX ? find_shown(st, link, &found->layer, &found->entry) : 0;

		if (shown < 0)
			return error_memory(e);
		if (shown == 0)
			return error_set(e, ERROR_CORRUPT, "/%s is a hard link to /%s, which is not there",
			                 path, link);
		if (found->entry.type == ENTRY_DIR || found->entry.type == ENTRY_OPAQUE)
			return error_set(e, ERROR_CORRUPT, "/%s is a hard link to the directory /%s", path, link);
	}
	found->entry.path = path;
	return 0;
}

static void implicit_directory(struct found *found, const char *path)
{
	*found = (struct found){ .entry = { .path = path, .type = ENTRY_DIR, .mode = 0755 } };
}

/* Ask the layers ABOVE (topmost first), which are those that show below PATH's parent, for PATH.
 * BELOW, if given, receives those that show below PATH in turn. */
static int probe(struct stack *st, const char *path, const size_t *above, size_t count,
                 struct found *found, size_t *below, size_t *below_count, struct error *e)
{
	bool is_there = false, is_implicit = false;

	for (size_t i = 0; i < count; i++) {
		const struct table *t = st->tables[above[i]];
		size_t at = table_lower_bound(t, path);
		struct entry entry, next;
		bool has, more;

		has = at < table_count(t) && (table_get(t, at, &entry), strcmp(entry.path, path) == 0);
		more = at + has < table_count(t) &&
		       (table_get(t, at + has, &next), path_is_below(next.path, path));
		if (more && below)
			below[(*below_count)++] = above[i];
		if (has && entry.type != ENTRY_WHITEOUT && !is_there &&
		    (!is_implicit || entry.type == ENTRY_DIR || entry.type == ENTRY_OPAQUE)) {
			found->entry = entry;
			found->layer = above[i];
			is_there = true;
		} else if (more && !is_there && !is_implicit) {
			implicit_directory(found, path);
			found->layer = above[i];
			is_implicit = true;
		}
		/* All but a plain directory hides what lower layers have here. */
		if (has && entry.type != ENTRY_DIR)
			break;
		if (is_there && !below)
			break;
	}
	if (is_there && found->entry.type == ENTRY_OPAQUE)
		found->entry.type = ENTRY_DIR;
	if (!is_there && !is_implicit)
		return 0;
	return stack_follow_hardlink(st, found, e) < 0 ? -1 : 1;
}

static size_t bucket_of(const char *path)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 1099511628211u;
	return (hash ^ hash >> 32) % BUCKETS;
}

/* The folder that holds PATH's name; the root's is the stack itself. */
static const struct folder *parent_of(struct stack *st, const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);

	if (!parent) {
		error_memory(e);
		return NULL;
	}
	return stack_folder(st, parent, e);
}

static int fill_folder(struct stack *st, struct folder *f, struct error *e)
{
	auto_free size_t *everything = NULL;
	const size_t *above;
	size_t count = st->count, *fitting;
	int result;

	if (*f->path) {
		const struct folder *parent = parent_of(st, f->path, e);

		if (!parent)
			return -1;
		above = parent->below;
		count = parent->below_count;
	} else {
		everything = calloc(count + 1, sizeof *everything);
		if (!everything)
			return error_memory(e);
		for (size_t i = 0; i < count; i++)
			everything[i] = count - 1 - i;
		above = everything;
	}
	f->below = calloc(count + 1, sizeof *f->below);
	if (!f->below)
		return error_memory(e);
	result = probe(st, f->path, above, count, &f->found, f->below, &f->below_count, e);
	if (result < 0)
		return -1;
	f->exists = result > 0;
	if (!*f->path && !f->exists)
		implicit_directory(&f->found, f->path);
	if (!*f->path)
		f->exists = true;
	f->found.entry.path = f->path;
	if (!f->exists || f->found.entry.type != ENTRY_DIR)
		f->below_count = 0;
	fitting = reallocarray(f->below, f->below_count + 1, sizeof *fitting);
	if (fitting)
		f->below = fitting;
	return 0;
}

static const struct folder *recall(struct stack *st, size_t bucket, const char *path)
{
	const struct folder *f;

	pthread_rwlock_rdlock(&st->lock);
	for (f = st->bucket[bucket]; f && strcmp(f->path, path) != 0;)
		f = f->next;
	pthread_rwlock_unlock(&st->lock);
	return f;
}

const struct folder *stack_folder(struct stack *st, const char *path, struct error *e)
{
	size_t bucket = bucket_of(path);
	const struct folder *known = recall(st, bucket, path);
	struct folder *f;

	if (known)
		return known;
	f = calloc(1, sizeof *f);
	if (!f || !(f->path = strdup(path))) {
		free(f);
		error_memory(e);
		return NULL;
	}
	if (fill_folder(st, f, e) < 0) {
		folder_free(f);
		return NULL;
	}
	/* Another thread may have found it out meanwhile: then there are two that say the same. */
	pthread_rwlock_wrlock(&st->lock);
	f->next = st->bucket[bucket];
	st->bucket[bucket] = f;
	pthread_rwlock_unlock(&st->lock);
	return f;
}

int stack_lookup(struct stack *st, const char *path, struct found *found, struct error *e)
{
	const struct folder *f;
	int result;

	if (stack_make_ready(st, e) < 0)
		return -1;
	if (*path) {
		f = parent_of(st, path, e);
		if (!f)
			return -1;
		result = probe(st, path, f->below, f->below_count, found, NULL, NULL, e);
		if (result <= 0 || found->entry.path != path)
			return result;
		/* PATH is the caller's: what is lent must be ours. */
	}
	f = stack_folder(st, path, e);
	if (!f)
		return -1;
	*found = f->found;
	return f->exists;
}

/* --- content ---------------------------------------------------------------------------------- */

/* A file that is in pieces in its tar, put together in a file of its own. */
static int expand(struct stack *st, int tar, const struct entry *entry, struct error *e)
{
	int *grown = reallocarray(st->pieced, st->pieced_count + 1, sizeof *grown), fd;

	if (!grown)
		return error_memory(e);
	st->pieced = grown;
	fd = layer_expand(st->store, tar, entry, e);
	if (fd >= 0)
		st->pieced[st->pieced_count++] = fd;
	return fd;
}

/* Are the bytes of FOUND at CONTENT those that its table speaks of? */
static int check_content(const struct found *found, const struct content *content, struct error *e)
{
	struct digest is;

	if (extent_digest(content->fd, content->offset, found->entry.size, &is, e) < 0)
		return error_context(e, "/%s", found->entry.path);
	return digest_equal(&is, &found->entry.digest)
	               ? 0
	               : error_set(e, ERROR_CORRUPT, "/%s is damaged in its layer", found->entry.path);
}

int stack_content(struct stack *st, const struct found *found, struct content *content,
                  struct error *e)
{
	const struct layer *layer = &st->layers[found->layer];
	int *tar = &st->tars[found->layer];

	pthread_mutex_lock(&st->opening);
	/* A table may be here without its blob: after a prune, or pulled by another tag. */
	if (*tar < 0 && st->fetch && !is_whole(st, layer) && st->fetch(st->context, layer, e) < 0) {
		pthread_mutex_unlock(&st->opening);
		return -1;
	}
	if (*tar < 0)
		*tar = layer_open_tar(st->store, layer, e);
	*content = (struct content){ .fd = *tar, .offset = found->entry.offset };
	if (*tar >= 0 && content->offset < 0)
		*content = (struct content){ .fd = expand(st, *tar, &found->entry, e) };
	pthread_mutex_unlock(&st->opening);
	if (content->fd >= 0 &&
	    (blob_is_fresh(st->store, &layer->blob) || check_content(found, content, e) == 0))
		return 0;
	return layer_blame(st->store, layer, e);
}

char *stack_read(struct stack *st, const char *path, size_t limit, size_t *size, struct error *e)
{
	auto_free char *resolved = NULL;
	auto_free char *data = NULL;
	struct content content;
	struct found found;
	int result = stack_resolve(st, path, true, &resolved, &found, e);

	if (result < 0)
		return NULL;
	if (result == 0) {
		error_set(e, ERROR_NOT_FOUND, "/%s is not in the image", resolved);
		return NULL;
	}
	if (found.entry.type != ENTRY_FILE || (uint64_t)found.entry.size > limit) {
		error_set(e, ERROR_INPUT, "/%s is no regular file of at most %zu bytes", resolved, limit);
		return NULL;
	}
	data = malloc((size_t)found.entry.size + 1);
	if (!data) {
		error_memory(e);
		return NULL;
	}
	if (stack_content(st, &found, &content, e) < 0)
		return NULL;
	if (path_read_at(content.fd, data, (size_t)found.entry.size, content.offset) != found.entry.size) {
		error_set(e, ERROR_CORRUPT, "/%s is cut short in its layer", resolved);
		return NULL;
	}
	data[found.entry.size] = '\0';
	if (size)
		*size = (size_t)found.entry.size;
	return take_pointer(&data);
}
