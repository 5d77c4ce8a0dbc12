#include "layers/sink.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"

#define CHUNK_SIZE (256 << 10)
#define CHUNK_COUNT 8

/* Fewer zeros than this are written like other bytes. */
#define HOLE_MIN (64 << 10)

struct chunk {
	unsigned char *data;
	size_t used;
	int64_t zeros; /* that follow the data */
};

struct sink {
	struct blob_writer *blob;
	struct sha256 hash;
	int64_t position;
	struct chunk ring[CHUNK_COUNT];

	pthread_t thread;
	bool has_thread;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	unsigned filled, emptied; /* chunks so far; the producer works on ring[filled] */
	bool ended, failed;
	struct error error;
};

struct sink *sink_begin(struct store *s, struct error *e)
{
	struct sink *k = calloc(1, sizeof *k);

	if (!k) {
		error_memory(e);
		return NULL;
	}
	k->blob = blob_begin(s, e);
	if (!k->blob) {
		free(k);
		return NULL;
	}
	sha256_begin(&k->hash);
	pthread_mutex_init(&k->mutex, NULL);
	pthread_cond_init(&k->changed, NULL);
	return k;
}

static int empty(struct sink *k, struct chunk *c, struct error *e)
{
	int result = 0;

	sha256_add(&k->hash, c->data, c->used);
	sha256_add_zeros(&k->hash, c->zeros);
	if (c->used > 0)
		result = blob_write_unhashed(k->blob, c->data, c->used, e);
	if (result == 0 && c->zeros > 0)
		result = blob_skip_unhashed(k->blob, c->zeros, e);
	c->used = 0;
	c->zeros = 0;
	return result;
}

static void *work(void *context)
{
	struct sink *k = context;

	pthread_mutex_lock(&k->mutex);
	for (;;) {
		while (k->emptied == k->filled && !k->ended)
			pthread_cond_wait(&k->changed, &k->mutex);
		if (k->emptied == k->filled || k->failed)
			break;
		pthread_mutex_unlock(&k->mutex);
		int result = empty(k, &k->ring[k->emptied % CHUNK_COUNT], &k->error);

		pthread_mutex_lock(&k->mutex);
		k->failed = result < 0;
		k->emptied++;
		pthread_cond_signal(&k->changed);
	}
	pthread_mutex_unlock(&k->mutex);
	return NULL;
}

/* The chunk under work is full: on to the next one, which may have to be waited for. */
static int hand_over(struct sink *k, struct error *e)
{
	bool failed;

	if (!k->has_thread)
		k->has_thread = pthread_create(&k->thread, NULL, work, k) == 0;
	if (!k->has_thread)
		return empty(k, &k->ring[k->filled % CHUNK_COUNT], e);
	pthread_mutex_lock(&k->mutex);
	k->filled++;
	pthread_cond_signal(&k->changed);
	while (k->filled - k->emptied == CHUNK_COUNT && !k->failed)
		pthread_cond_wait(&k->changed, &k->mutex);
	failed = k->failed;
	pthread_mutex_unlock(&k->mutex);
	if (failed)
		*e = k->error;
	return failed ? -1 : 0;
}

void *sink_room(struct sink *k, size_t *room, struct error *e)
{
	struct chunk *c = &k->ring[k->filled % CHUNK_COUNT];

	if (c->used == CHUNK_SIZE || c->zeros > 0) {
		if (hand_over(k, e) < 0)
			return NULL;
		c = &k->ring[k->filled % CHUNK_COUNT];
	}
	if (!c->data && !(c->data = malloc(CHUNK_SIZE))) {
		error_memory(e);
		return NULL;
	}
	*room = CHUNK_SIZE - c->used;
	return c->data + c->used;
}

void sink_advance(struct sink *k, size_t filled)
{
	k->ring[k->filled % CHUNK_COUNT].used += filled;
	k->position += (int64_t)filled;
}

int sink_write(struct sink *k, const void *data, size_t size, struct error *e)
{
	const char *from = data;

	while (size > 0) {
		size_t room;
		void *to = sink_room(k, &room, e);

		if (!to)
			return -1;
		if (room > size)
			room = size;
		memcpy(to, from, room);
		sink_advance(k, room);
		from += room;
		size -= room;
	}
	return 0;
}

int sink_zeros(struct sink *k, int64_t size, struct error *e)
{
	static const char zeros[HOLE_MIN];
	size_t room;

	if (size < HOLE_MIN)
		return sink_write(k, zeros, (size_t)size, e);
	if (!sink_room(k, &room, e))
		return -1;
	k->ring[k->filled % CHUNK_COUNT].zeros = size;
	k->position += size;
	return 0;
}

int64_t sink_position(const struct sink *k)
{
	return k->position;
}

/* All chunks are with the blob, and the thread is gone. */
static int settle(struct sink *k, struct error *e)
{
	if (k->has_thread) {
		pthread_mutex_lock(&k->mutex);
		k->ended = true;
		pthread_cond_signal(&k->changed);
		pthread_mutex_unlock(&k->mutex);
		pthread_join(k->thread, NULL);
		if (k->failed) {
			*e = k->error;
			return -1;
		}
	}
	return empty(k, &k->ring[k->filled % CHUNK_COUNT], e);
}

static void release(struct sink *k)
{
	for (int i = 0; i < CHUNK_COUNT; i++)
		free(k->ring[i].data);
	pthread_cond_destroy(&k->changed);
	pthread_mutex_destroy(&k->mutex);
	free(k);
}

int64_t sink_finish(struct sink *k, struct digest *d, struct error *e)
{
	int64_t size = -1;

	if (settle(k, e) < 0) {
		blob_discard(k->blob);
	} else {
		sha256_end(&k->hash, d);
		size = blob_commit_as(k->blob, d, e);
	}
	release(k);
	return size;
}

void sink_abandon(struct sink *k)
{
	struct error ignored;

	if (!k)
		return;
	settle(k, &ignored);
	blob_discard(k->blob);
	release(k);
}
