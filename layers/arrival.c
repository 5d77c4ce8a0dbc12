#include "layers/arrival.h"

#include <pthread.h>
#include <stdlib.h>

#include "layers/blob.h"
#include "layers/growing.h"
#include "layers/index.h"

struct arrival {
	struct store *store;
	const struct layer *layer;
	struct blob_writer *blob;
	struct growing *growing;    /* the blob, for the reader */
	struct early_tree *tree;    /* the reader's until it is joined */
	int result;                 /* the reader's, with its error */
	struct error error;

	pthread_t reader;
	bool has_reader;
};

static ssize_t fetch(void *context, void *buffer, size_t size, int64_t offset, struct error *e)
{
	struct arrival *a = context;

	return growing_read(a->growing, buffer, size, offset, e);
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
	a->growing = growing_new(e);
	a->blob = a->growing ? blob_begin(s, e) : NULL;
	if (!a->blob) {
		growing_free(a->growing);
		free(a);
		return NULL;
	}
	growing_begin(a->growing, blob_reopen(a->blob, &a->error));
	a->tree = trees ? early_tree_begin(s, trees) : NULL;
	/* Without a thread it is read when all is here. */
	a->has_reader = pthread_create(&a->reader, NULL, read_layer, a) == 0;
	return a;
}

int arrival_write(struct arrival *a, const void *bytes, size_t size, struct error *e)
{
	if (blob_write_unhashed(a->blob, bytes, size, e) < 0)
		return -1;
	growing_reach(a->growing, blob_written(a->blob));
	return 0;
}

static void end(struct arrival *a, bool abandoned)
{
	if (abandoned)
		growing_abandon(a->growing);
	else
		growing_end(a->growing, &a->layer->blob);
	if (a->has_reader)
		pthread_join(a->reader, NULL);
	else if (!abandoned)
		read_layer(a);
}

static void release(struct arrival *a)
{
	growing_free(a->growing);
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
