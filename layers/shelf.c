#include "layers/shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 256 /* the first byte of a digest is as good as any hash */

struct kept {
	struct kept *next;
	struct digest diff_id, blob;
	struct table *table; /* NULL until asked for */
	bool whole;
	struct table **below; /* what GRAFT holds for; each table is open once, so a pointer tells */
	size_t below_count;
	struct digest graft;
};

struct kept_tree {
	struct kept_tree *next;
	struct digest chain;
	char *path;
};

struct shelf {
	struct store *store;
	pthread_mutex_t lock;
	struct kept *bucket[BUCKETS];
	struct kept_tree *tree[BUCKETS];
};

struct shelf *shelf_new(struct store *s, struct error *e)
{
	struct shelf *shelf = calloc(1, sizeof *shelf);

	if (!shelf) {
		error_memory(e);
		return NULL;
	}
	shelf->store = s;
	pthread_mutex_init(&shelf->lock, NULL);
	return shelf;
}

void shelf_free(struct shelf *shelf)
{
	if (!shelf)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct kept *k = shelf->bucket[i], *next; k; k = next) {
			next = k->next;
			if (k->table)
				table_close(k->table);
			free(k->below);
			free(k);
		}
		for (struct kept_tree *t = shelf->tree[i], *next; t; t = next) {
			next = t->next;
			free(t->path);
			free(t);
		}
	}
	pthread_mutex_destroy(&shelf->lock);
	free(shelf);
}

/* Called with the lock held. BLOB is of no interest when NULL. NULL: memory is out. */
static struct kept *find(struct shelf *shelf, const struct digest *diff_id,
                         const struct digest *blob)
{
	struct kept **first = &shelf->bucket[diff_id->byte[0]], *k;

	for (k = *first; k; k = k->next)
		if (digest_equal(&k->diff_id, diff_id) && (!blob || digest_equal(&k->blob, blob)))
			return k;
	k = calloc(1, sizeof *k);
	if (!k)
		return NULL;
	k->diff_id = *diff_id;
	if (blob)
		k->blob = *blob;
	k->next = *first;
	*first = k;
	return k;
}

bool shelf_has_whole(struct shelf *shelf, const struct layer *layer)
{
	struct kept *k;
	bool whole;

	pthread_mutex_lock(&shelf->lock);
	k = find(shelf, &layer->diff_id, &layer->blob);
	whole = k && k->whole;
	pthread_mutex_unlock(&shelf->lock);
	if (whole)
		return true;
	whole = layer_is_whole(shelf->store, layer);
	pthread_mutex_lock(&shelf->lock);
	if (k)
		k->whole = whole;
	pthread_mutex_unlock(&shelf->lock);
	return whole;
}

struct table *shelf_table(struct shelf *shelf, const struct digest *diff_id, struct error *e)
{
	struct table *table = NULL;
	struct kept *k;

	pthread_mutex_lock(&shelf->lock);
	k = find(shelf, diff_id, NULL);
	if (!k)
		error_memory(e);
	else if (!k->table)
		k->table = table_open(shelf->store, diff_id, e);
	if (k)
		table = k->table;
	pthread_mutex_unlock(&shelf->lock);
	return table;
}

/* Called with the lock held. */
static struct kept_tree *find_tree(struct shelf *shelf, const struct digest *chain)
{
	struct kept_tree *t = shelf->tree[chain->byte[0]];

	while (t && !digest_equal(&t->chain, chain))
		t = t->next;
	return t;
}

const char *shelf_tree(struct shelf *shelf, const struct digest *chain)
{
	struct kept_tree *t;

	pthread_mutex_lock(&shelf->lock);
	t = find_tree(shelf, chain);
	pthread_mutex_unlock(&shelf->lock);
	return t ? t->path : NULL;
}

const char *shelf_keep_tree(struct shelf *shelf, const struct digest *chain, const char *path)
{
	struct kept_tree *t;

	pthread_mutex_lock(&shelf->lock);
	t = find_tree(shelf, chain);
	if (!t && (t = calloc(1, sizeof *t))) {
		t->chain = *chain;
		t->path = strdup(path);
		t->next = shelf->tree[chain->byte[0]];
		shelf->tree[chain->byte[0]] = t;
	}
	pthread_mutex_unlock(&shelf->lock);
	return t ? t->path : NULL;
}

bool shelf_graft(struct shelf *shelf, const struct digest *diff_id, struct table *const *below,
                 size_t count, struct digest *name)
{
	struct kept *k;
	bool known;

	pthread_mutex_lock(&shelf->lock);
	k = find(shelf, diff_id, NULL);
	known = k && k->below && k->below_count == count &&
	        memcmp(k->below, below, count * sizeof *below) == 0;
	if (known)
		*name = k->graft;
	pthread_mutex_unlock(&shelf->lock);
	return known;
}

void shelf_keep_graft(struct shelf *shelf, const struct digest *diff_id, struct table *const *below,
                      size_t count, const struct digest *name)
{
	struct table **copy = malloc((count + 1) * sizeof *copy);
	struct kept *k;

	if (copy)
		memcpy(copy, below, count * sizeof *copy);
	pthread_mutex_lock(&shelf->lock);
	k = find(shelf, diff_id, NULL);
	if (k) {
		free(k->below);
		k->below = copy;
		k->below_count = count;
		k->graft = *name;
		copy = NULL;
	}
	pthread_mutex_unlock(&shelf->lock);
	free(copy);
}
