#include "builder/image/packer.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/resource.h>

/* Steps go first; a machine with nothing else to do does not notice. */
#define NICE 10

struct parcel {
	STAILQ_ENTRY(parcel) next;
	struct layer layer;
};

struct packer {
	struct store *store;
	struct packing how;
	pthread_t thread;
	atomic_bool unwanted;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	STAILQ_HEAD(, parcel) parcels;
	bool ended;
};

/* The next layer, waited for; NULL: nobody needs any more. */
static struct parcel *next_parcel(struct packer *p)
{
	struct parcel *first = NULL;

	pthread_mutex_lock(&p->mutex);
	while (!p->ended && STAILQ_EMPTY(&p->parcels))
		pthread_cond_wait(&p->changed, &p->mutex);
	if (!p->ended) {
		first = STAILQ_FIRST(&p->parcels);
		STAILQ_REMOVE_HEAD(&p->parcels, next);
	}
	pthread_mutex_unlock(&p->mutex);
	return first;
}

static void *work(void *packer)
{
	struct packer *p = packer;
	struct parcel *parcel;

	setpriority(PRIO_PROCESS, 0, NICE); /* of this thread and those that it starts: Linux */
	while ((parcel = next_parcel(p))) {
		struct error ignored; /* is told when the image leaves */
		struct layer packed;

		packed_layer(p->store, &parcel->layer, &p->how, &packed, &ignored);
		free(parcel);
	}
	return NULL;
}

static void release(struct packer *p)
{
	struct parcel *first;

	while ((first = STAILQ_FIRST(&p->parcels))) {
		STAILQ_REMOVE_HEAD(&p->parcels, next);
		free(first);
	}
	pthread_cond_destroy(&p->changed);
	pthread_mutex_destroy(&p->mutex);
	free(p);
}

struct packer *packer_begin(struct store *s, const struct packing *how, struct error *e)
{
	struct packer *p = calloc(1, sizeof *p);

	if (!p) {
		error_memory(e);
		return NULL;
	}
	p->store = s;
	p->how = *how;
	p->how.stop = &p->unwanted;
	pthread_mutex_init(&p->mutex, NULL);
	pthread_cond_init(&p->changed, NULL);
	STAILQ_INIT(&p->parcels);
	if (pthread_create(&p->thread, NULL, work, p) != 0) {
		error_set(e, ERROR_SYSTEM, "no thread can be started");
		release(p);
		return NULL;
	}
	return p;
}

void packer_add(void *packer, const struct layer *layer)
{
	struct packer *p = packer;
	struct parcel *parcel = calloc(1, sizeof *parcel);

	if (!parcel)
		return;
	parcel->layer = *layer;
	pthread_mutex_lock(&p->mutex);
	STAILQ_INSERT_TAIL(&p->parcels, parcel, next);
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->mutex);
}

void packer_end(struct packer *p, bool wanted)
{
	if (!p)
		return;
	atomic_store(&p->unwanted, !wanted);
	pthread_mutex_lock(&p->mutex);
	p->ended = true;
	pthread_cond_signal(&p->changed);
	pthread_mutex_unlock(&p->mutex);
	pthread_join(p->thread, NULL);
	release(p);
}
