#include "layers/sink.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"
#include "layers/chunks.h"
#include "layers/interrupted.h"

/* Fewer zeros than this are written like other bytes. */
#define HOLE_MIN (64 << 10)

struct chunk {
	unsigned char *data;
	size_t used;
	int64_t zeros; /* that follow the data */
};

/* Takes the chunks in their order, at its own pace. */
struct taker {
	struct sink *sink;
	int (*take)(struct sink *k, const struct chunk *c, struct error *e);
	pthread_t thread;
	unsigned taken; /* chunks so far */
};

enum { HASHER, WRITER, TAKERS };

struct sink {
	struct blob_writer *blob;
	struct growing *watch; /* may be NULL */
	struct sha256 hash;
	int64_t position, expected;
	struct chunk ring[CHUNK_COUNT];
	struct chunks memory;

	bool has_threads;
	pthread_mutex_t mutex; /* guards what follows */
	pthread_cond_t changed;
	struct taker taker[TAKERS];
	unsigned filled; /* chunks so far; the producer works on ring[filled] */
	bool ended, failed;
	struct error error;
};

static int hash_chunk(struct sink *k, const struct chunk *c, struct error *e)
{
	(void)e;
	sha256_add(&k->hash, c->data, c->used);
	sha256_add_zeros(&k->hash, c->zeros);
	return 0;
}

static int write_chunk(struct sink *k, const struct chunk *c, struct error *e)
{
	if (c->used > 0 && blob_write_unhashed(k->blob, c->data, c->used, e) < 0)
		return -1;
	if (c->zeros > 0 && blob_skip_unhashed(k->blob, c->zeros, e) < 0)
		return -1;
	if (k->watch)
		growing_reach(k->watch, blob_written(k->blob));
	return 0;
}

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
	k->taker[HASHER] = (struct taker){ .sink = k, .take = hash_chunk };
	k->taker[WRITER] = (struct taker){ .sink = k, .take = write_chunk };
	return k;
}

void sink_expect(struct sink *k, int64_t size)
{
	k->expected = size;
	blob_expect(k->blob, size);
}

void sink_watch(struct sink *k, struct growing *g)
{
	struct error ignored;

	k->watch = g;
	growing_begin_direct(g, blob_reopen(k->blob, &ignored), k->expected);
}

static void *work(void *context)
{
	struct taker *t = context;
	struct sink *k = t->sink;
	struct error error;

	pthread_mutex_lock(&k->mutex);
	for (;;) {
		while (t->taken == k->filled && !k->ended && !k->failed)
			pthread_cond_wait(&k->changed, &k->mutex);
		if (t->taken == k->filled || k->failed)
			break;
		pthread_mutex_unlock(&k->mutex);
		int result = t->take(k, &k->ring[t->taken % CHUNK_COUNT], &error);

		pthread_mutex_lock(&k->mutex);
		if (result < 0) {
			k->failed = true;
			k->error = error;
		}
		t->taken++;
		pthread_cond_broadcast(&k->changed);
	}
	pthread_mutex_unlock(&k->mutex);
	return NULL;
}

/* Both or none. */
static bool start_threads(struct sink *k)
{
	struct taker *t = k->taker;

	if (pthread_create(&t[HASHER].thread, NULL, work, &t[HASHER]) != 0)
		return false;
	if (pthread_create(&t[WRITER].thread, NULL, work, &t[WRITER]) == 0)
		return true;
	pthread_mutex_lock(&k->mutex);
	k->ended = true;
	pthread_cond_broadcast(&k->changed);
	pthread_mutex_unlock(&k->mutex);
	pthread_join(t[HASHER].thread, NULL);
	k->ended = false;
	return false;
}

/* Without threads: the chunk under work is taken here and now. */
static int take_here(struct sink *k, struct error *e)
{
	struct chunk *c = &k->ring[k->filled % CHUNK_COUNT];

	for (int i = 0; i < TAKERS; i++)
		if (k->taker[i].take(k, c, e) < 0)
			return -1;
	return 0;
}

/* Called with the mutex held. */
static bool is_full(const struct sink *k)
{
	return k->filled - k->taker[HASHER].taken == CHUNK_COUNT ||
	       k->filled - k->taker[WRITER].taken == CHUNK_COUNT;
}

/* The chunk under work is full: on to the next one, which may have to be waited for. */
static int hand_over(struct sink *k, struct error *e)
{
	struct chunk *next;
	bool failed = false;

	if (interrupted_check(e) < 0)
		return -1;
	if (!k->has_threads)
		k->has_threads = start_threads(k);
	if (k->has_threads) {
		pthread_mutex_lock(&k->mutex);
		k->filled++;
		pthread_cond_broadcast(&k->changed);
		while (is_full(k) && !k->failed)
			pthread_cond_wait(&k->changed, &k->mutex);
		failed = k->failed;
		pthread_mutex_unlock(&k->mutex);
		if (failed)
			*e = k->error;
	} else if (take_here(k, e) < 0) {
		failed = true;
	}
	next = &k->ring[k->filled % CHUNK_COUNT];
	*next = (struct chunk){ .data = chunks_at(&k->memory, k->filled, e) };
	return failed || !next->data ? -1 : 0;
}

void *sink_room(struct sink *k, size_t *room, struct error *e)
{
	struct chunk *c = &k->ring[k->filled % CHUNK_COUNT];

	if (c->used == CHUNK_SIZE || c->zeros > 0) {
		if (hand_over(k, e) < 0)
			return NULL;
		c = &k->ring[k->filled % CHUNK_COUNT];
	}
	if (!c->data && !(c->data = chunks_at(&k->memory, k->filled, e)))
		return NULL;
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

/* All chunks are with the blob, and the threads are gone. */
static int settle(struct sink *k, struct error *e)
{
	if (k->has_threads) {
		pthread_mutex_lock(&k->mutex);
		k->ended = true;
		pthread_cond_broadcast(&k->changed);
		pthread_mutex_unlock(&k->mutex);
		for (int i = 0; i < TAKERS; i++)
			pthread_join(k->taker[i].thread, NULL);
		if (k->failed) {
			*e = k->error;
			return -1;
		}
	}
	return take_here(k, e);
}

static void release(struct sink *k)
{
	chunks_release(&k->memory);
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
	if (k->watch)
		growing_end(k->watch, size < 0 ? NULL : d);
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
	if (k->watch)
		growing_end(k->watch, NULL);
	release(k);
}
