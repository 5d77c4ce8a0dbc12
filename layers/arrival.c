#include "layers/arrival.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "layers/blob.h"
#include "layers/index.h"

struct arrival {
	struct store *store;
	const struct layer *layer;
	struct blob_writer *blob;
	struct early_tree *tree;    /* the reader's until it is joined */
	int result;                 /* the reader's, with its error */
	struct error error;

	pthread_t reader;
	bool has_reader;
	pthread_mutex_t mutex;      /* guards what follows */
	pthread_cond_t changed;
	int64_t arrived;
	bool ended, abandoned;
};

/* What has arrived of the blob; waits when that is nothing yet. */
static ssize_t fetch(void *context, void *buffer, size_t size, int64_t offset, struct error *e)
{
	struct arrival *a = context;
	int64_t there;
	bool abandoned;
	ssize_t n;

	pthread_mutex_lock(&a->mutex);
	while (a->arrived <= offset && !a->ended && !a->abandoned)
		pthread_cond_wait(&a->changed, &a->mutex);
	there = a->arrived - offset;
	abandoned = a->abandoned;
	pthread_mutex_unlock(&a->mutex);
	if (abandoned)
		return error_set(e, ERROR_CANCELLED, "the layer does not come");
	do
		n = pread(blob_writer_fd(a->blob), buffer, there < (int64_t)size ? (size_t)there : size,
		          offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(e, "read") : n;
}

static void *read_layer(void *context)
{
	struct arrival *a = context;

	a->result = index_bytes(a->store, a->layer, fetch, a, a->tree, &a->error);
	return NULL;
}

struct arrival *arrival_begin(struct store *s, const struct layer *layer,
                              const struct tree_rules *trees, struct error *e)
{
	struct arrival *a = calloc(1, sizeof *a);

	if (!a) {
		error_memory(e);
		return NULL;
	}
	a->store = s;
	a->layer = layer;
	a->blob = blob_begin(s, e);
	if (!a->blob) {
		free(a);
		return NULL;
	}
	a->tree = trees ? early_tree_begin(s, trees) : NULL;
	pthread_mutex_init(&a->mutex, NULL);
	pthread_cond_init(&a->changed, NULL);
	/* Without a thread it is read when all is here. */
	a->has_reader = pthread_create(&a->reader, NULL, read_layer, a) == 0;
	return a;
}

int arrival_write(struct arrival *a, const void *bytes, size_t size, struct error *e)
{
	if (blob_write_unhashed(a->blob, bytes, size, e) < 0)
		return -1;
	pthread_mutex_lock(&a->mutex);
	a->arrived = blob_written(a->blob);
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->mutex);
	return 0;
}

static void end(struct arrival *a, bool abandoned)
{
	pthread_mutex_lock(&a->mutex);
	a->ended = true;
	a->abandoned = abandoned;
	pthread_cond_signal(&a->changed);
	pthread_mutex_unlock(&a->mutex);
	if (a->has_reader)
		pthread_join(a->reader, NULL);
	else if (!abandoned)
		read_layer(a);
}

static void release(struct arrival *a)
{
	pthread_cond_destroy(&a->changed);
	pthread_mutex_destroy(&a->mutex);
	free(a);
}

int arrival_finish(struct arrival *a, struct error *e)
{
	int result;

	end(a, false);
	result = a->result;
	if (result < 0) {
		*e = a->error;
		blob_discard(a->blob);
		early_tree_abandon(a->tree);
	} else {
		result = blob_commit_as(a->blob, &a->layer->blob, e) < 0 ? -1 : 0;
		early_tree_finish(a->tree, &a->layer->diff_id);
	}
	release(a);
	return result;
}

void arrival_abandon(struct arrival *a)
{
	end(a, true);
	blob_discard(a->blob);
	early_tree_abandon(a->tree);
	release(a);
}
