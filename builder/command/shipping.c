#include "builder/command/shipping.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/queue.h>

#include "registry/registry.h"

struct shipment {
	STAILQ_ENTRY(shipment) next;
	struct digest diff_id;
	struct growing *growing;
	struct registry *registry; /* lent */
	pthread_t thread;
	bool joined;
	int result;
};

struct shipping {
	struct registry *registry;
	STAILQ_HEAD(, shipment) shipments;
};

struct shipping *shipping_new(struct auth *a, const struct reference *to, struct error *e)
{
	struct shipping *s = calloc(1, sizeof *s);

	if (!s) {
		error_memory(e);
		return NULL;
	}
	STAILQ_INIT(&s->shipments);
	s->registry = registry_open(a, to, REGISTRY_PUSH, e);
	if (!s->registry) {
		free(s);
		return NULL;
	}
	return s;
}

static void join(struct shipment *s)
{
	if (!s->joined)
		pthread_join(s->thread, NULL);
	s->joined = true;
}

void shipping_free(struct shipping *s)
{
	struct shipment *first;

	if (!s)
		return;
	while ((first = STAILQ_FIRST(&s->shipments))) {
		growing_abandon(first->growing);
		join(first);
		growing_free(first->growing);
		STAILQ_REMOVE_HEAD(&s->shipments, next);
		free(first);
	}
	registry_close(s->registry);
	free(s);
}

static ssize_t read_grown(void *context, void *buffer, size_t size, int64_t offset, struct error *e)
{
	struct shipment *s = context;

	return growing_read(s->growing, buffer, size, offset, e);
}

static int end_of(void *context, struct digest *d, struct error *e)
{
	struct shipment *s = context;

	return growing_wait(s->growing, d, e) < 0 ? -1 : 0;
}

static void *ship(void *context)
{
	struct shipment *s = context;
	struct blob_stream stream = { read_grown, end_of, s };
	struct error ignored; /* the blob is sent another way, which will say what is wrong */

	s->result = registry_stream_blob(s->registry, &stream, &ignored);
	return NULL;
}

struct growing *shipping_begin(void *shipping, const struct layer *layer)
{
	struct shipping *all = shipping;
	struct shipment *s = calloc(1, sizeof *s);
	struct error ignored;

	if (s)
		s->growing = growing_new(&ignored);
	if (!s || !s->growing) {
		free(s);
		return NULL;
	}
	s->diff_id = layer->diff_id;
	s->registry = all->registry;
	if (pthread_create(&s->thread, NULL, ship, s) != 0) {
		growing_free(s->growing);
		free(s);
		return NULL;
	}
	STAILQ_INSERT_TAIL(&all->shipments, s, next);
	return s->growing;
}

struct shipment *shipping_of(struct shipping *s, const struct layer *layer)
{
	struct shipment *one;

	STAILQ_FOREACH(one, &s->shipments, next)
		if (digest_equal(&one->diff_id, &layer->diff_id))
			return one;
	return NULL;
}

bool shipment_arrived(struct shipment *s)
{
	struct digest digest;
	struct error ignored;

	if (growing_wait(s->growing, &digest, &ignored) >= 0 &&
	    registry_has_blob(s->registry, &digest))
		growing_abandon(s->growing);
	join(s);
	return s->result == 0;
}
