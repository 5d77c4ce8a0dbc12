#include "builder/build/base_parts.h"

#include <stdlib.h>
#include <string.h>

#include "layers/arrival.h"
#include "layers/blob.h"
#include "layers/scope.h"

/* Registries answer 429 to more. */
#define CREW_MAX 4

void base_crew_run(struct crew *c, void *(*work)(void *))
{
	pthread_t thread[CREW_MAX];
	size_t hired = 0;

	while (hired + 1 < CREW_MAX && hired + 1 < c->count &&
	       pthread_create(&thread[hired], NULL, work, c) == 0)
		hired++;
	work(c);
	while (hired > 0)
		pthread_join(thread[--hired], NULL);
}

struct moving {
	struct arrival *arrival;
	struct vertex *vertex;
	char what[DIGEST_TEXT];
	int64_t done, size;
};

static int take(void *context, const void *bytes, size_t size, struct error *e)
{
	struct moving *m = context;

	if (arrival_write(m->arrival, bytes, size, e) < 0)
		return -1;
	m->done += (int64_t)size;
	vertex_bytes(m->vertex, m->what, m->done, m->size);
	return 0;
}

static int download(struct crew *c, const struct layer *layer, struct error *e)
{
	struct moving m = { .vertex = c->vertex, .size = layer->blob_size };

	digest_format(&layer->blob, m.what);
	if (!c->registry)
		return error_set(e, ERROR_NOT_FOUND, "layer %s is not on this machine", m.what);
	m.arrival = arrival_begin(c->of->bases->store, layer, c->trees, e);
	if (!m.arrival)
		return -1;
	if (registry_blob(c->registry, &layer->blob, layer->blob_size, take, &m, e) == 0)
		return arrival_finish(m.arrival, e);
	arrival_abandon(m.arrival);
	return -1;
}

/* Another process, or another base with the same layer, may be at it: one does, the rest wait. */
static int fetch_one(struct crew *c, size_t i, struct error *e)
{
	struct store *s = c->of->bases->store;
	const struct layer *layer = &c->of->image.layers[i];
	auto_close int lock = store_lock(s, &layer->blob, true, e);

	if (lock < 0)
		return -1;
	if (layer_is_whole(s, layer))
		return 0;
	if (blob_has(s, &layer->blob, layer->blob_size)) {
		int result = layer_index(s, layer, e);

		if (result == 0 || e->kind != ERROR_DAMAGED)
			return result;
	}
	return download(c, layer, e);
}

static void *fetch_next(void *argument)
{
	struct crew *c = argument;
	size_t i;

	while ((i = c->next++) < c->count)
		/* What succeeds may have used its error to ask whether something is there. */
		if (!layer_is_whole(c->of->bases->store, &c->of->image.layers[i]) &&
		    fetch_one(c, i, &c->error[i]) == 0)
			c->error[i].kind = ERROR_NONE;
	return NULL;
}

static int fetch_all(struct known_base *k, const struct tree_rules *trees, struct error *e)
{
	struct crew crew = { .of = k, .trees = trees, .count = k->image.layer_count };
	auto_free struct error *errors = calloc(crew.count + 1, sizeof *errors);
	auto_free char *name = NULL;
	int result = 0;

	if (!errors)
		return error_memory(e);
	crew.error = errors;
	if (k->has_reference) {
		struct auth *auth = remote_auth(k->bases->way, e);

		crew.registry = auth ? registry_open(auth, &k->reference, REGISTRY_PULL, e) : NULL;
		if (!crew.registry)
			return -1;
	}
	if (asprintf(&name, "FROM %s", k->base.name) < 0)
		name = NULL;
	crew.vertex = progress_vertex(k->bases->progress, name ? name : k->text);
	vertex_start(crew.vertex);
	base_crew_run(&crew, fetch_next);
	for (size_t i = 0; result == 0 && i < crew.count; i++) {
		if (errors[i].kind != ERROR_NONE) {
			*e = errors[i];
			result = error_context(e, "%s", k->base.name);
		}
	}
	if (crew.registry)
		registry_close(crew.registry);
	if (result < 0)
		vertex_failed(crew.vertex, e->text);
	else
		vertex_done(crew.vertex);
	return result;
}

int bases_fetch(const struct base *base, size_t layer, const struct tree_rules *trees,
                struct error *e)
{
	struct known_base *k = base->source;
	int result = 0;

	pthread_mutex_lock(&k->lock);
	if (!layer_is_whole(k->bases->store, &base->layers[layer]))
		result = bases_confirm(k->bases, CONFIRM_ALL, e) < 0 ? -1 : fetch_all(k, trees, e);
	pthread_mutex_unlock(&k->lock);
	return result;
}

/* The base that LAYER belongs to, its number in *INDEX; NULL: none. */
static struct known_base *owner_of(struct bases *b, const struct layer *layer, size_t *index)
{
	struct known_base *k, *owner = NULL;

	pthread_mutex_lock(&b->lock);
	STAILQ_FOREACH(k, &b->known, next)
		for (size_t i = 0; !owner && i < k->base.layer_count; i++)
			if (digest_equal(&k->base.layers[i].diff_id, &layer->diff_id)) {
				owner = k;
				*index = i;
			}
	pthread_mutex_unlock(&b->lock);
	return owner;
}

int bases_fetch_layer(void *bases, const struct layer *layer, struct error *e)
{
	struct bases *b = bases;
	char text[DIGEST_TEXT];
	size_t index;
	struct known_base *owner = owner_of(b, layer, &index);

	if (!owner && blob_has(b->store, &layer->blob, layer->blob_size))
		return layer_index(b->store, layer, e);
	if (!owner)
		return error_set(e, ERROR_DAMAGED, "layer %s has gone from the store",
		                 digest_format(&layer->diff_id, text));
	return bases_fetch(&owner->base, index, NULL, e);
}

const struct reference *bases_lender(struct bases *b, const struct layer *layer)
{
	size_t index;
	const struct known_base *owner = owner_of(b, layer, &index);

	return owner && owner->has_reference ? &owner->reference : NULL;
}
