#include "layers/readahead.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "layers/chunks.h"

struct readahead {
	ssize_t (*pull)(void *context, void *buffer, size_t size, struct error *e);
	void *context;
	struct chunks memory;
	unsigned char *chunk[CHUNK_COUNT];
	size_t size[CHUNK_COUNT];

	pthread_t thread;
	bool has_thread, lent;
	pthread_mutex_t mutex; /* guards what follows, once there is a thread */
	pthread_cond_t changed;
	unsigned filled, emptied;
	bool ended, failed, stopped;
	struct error error;
};

struct readahead *readahead_begin(ssize_t (*pull)(void *, void *, size_t, struct error *),
                                  void *context, struct error *e)
{
	struct readahead *r = calloc(1, sizeof *r);

	if (!r) {
		error_memory(e);
		return NULL;
	}
	r->pull = pull;
	r->context = context;
	pthread_mutex_init(&r->mutex, NULL);
	pthread_cond_init(&r->changed, NULL);
	return r;
}

/* Fill the chunk with this NUMBER: 1, 0 when the stream ended in it, -1. */
static int fill(struct readahead *r, unsigned number, struct error *e)
{
	unsigned i = number % CHUNK_COUNT;

	r->chunk[i] = chunks_at(&r->memory, number, e);
	if (!r->chunk[i])
		return -1;
	for (r->size[i] = 0; r->size[i] < CHUNK_SIZE;) {
		ssize_t n = r->pull(r->context, r->chunk[i] + r->size[i], CHUNK_SIZE - r->size[i], e);

		if (n <= 0)
			return (int)n;
		r->size[i] += (size_t)n;
	}
	return 1;
}

static void *work(void *context)
{
	struct readahead *r = context;

	pthread_mutex_lock(&r->mutex);
	while (!r->ended && !r->failed && !r->stopped) {
		if (r->filled - r->emptied == CHUNK_COUNT) {
			pthread_cond_wait(&r->changed, &r->mutex);
			continue;
		}
		pthread_mutex_unlock(&r->mutex);
		int result = fill(r, r->filled, &r->error);

		pthread_mutex_lock(&r->mutex);
		r->filled++;
		r->ended = result == 0;
		r->failed = result < 0;
		pthread_cond_signal(&r->changed);
	}
	pthread_mutex_unlock(&r->mutex);
	return NULL;
}

/* Without a thread: the first chunk, and all of them when none can be started. */
static int fill_here(struct readahead *r, struct error *e)
{
	int result;

	if (r->ended)
		return 0;
	if (r->filled > 0)
		r->has_thread = pthread_create(&r->thread, NULL, work, r) == 0;
	if (r->has_thread)
		return 0;
	result = fill(r, r->filled, e);
	if (result < 0)
		return -1;
	r->filled++;
	r->ended = result == 0;
	return 0;
}

ssize_t readahead_next(struct readahead *r, const unsigned char **bytes, struct error *e)
{
	unsigned i;
	bool some, failed;

	pthread_mutex_lock(&r->mutex);
	r->emptied += r->lent;
	pthread_cond_signal(&r->changed);
	pthread_mutex_unlock(&r->mutex);
	r->lent = false;
	if (!r->has_thread && fill_here(r, e) < 0)
		return -1;
	pthread_mutex_lock(&r->mutex);
	while (r->has_thread && r->filled == r->emptied && !r->ended)
		pthread_cond_wait(&r->changed, &r->mutex);
	i = r->emptied % CHUNK_COUNT;
	some = r->filled != r->emptied;
	failed = r->failed && r->filled - r->emptied <= 1;
	pthread_mutex_unlock(&r->mutex);
	if (failed) {
		*e = r->error;
		return -1;
	}
	if (!some)
		return 0;
	r->lent = true;
	*bytes = r->chunk[i];
	return (ssize_t)r->size[i];
}

void readahead_end(struct readahead *r)
{
	if (!r)
		return;
	if (r->has_thread) {
		pthread_mutex_lock(&r->mutex);
		r->stopped = true;
		pthread_cond_signal(&r->changed);
		pthread_mutex_unlock(&r->mutex);
		pthread_join(r->thread, NULL);
	}
	chunks_release(&r->memory);
	pthread_cond_destroy(&r->changed);
	pthread_mutex_destroy(&r->mutex);
	free(r);
}
