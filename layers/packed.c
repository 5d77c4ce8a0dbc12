#include "layers/packed.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/blob.h"
#include "layers/path.h"
#include "layers/piece.h"
#include "layers/scope.h"

/* From here on one layer has pieces enough for all threads. */
#define LARGE (8 * (int64_t)PIECE_MAX)

#define THREADS_MAX 16

static bool is_right_already(const struct layer *layer, const struct packing *how)
{
	return layer->compression == how->kind ||
	       (layer->compression != COMPRESSION_NONE && !how->force);
}

static void record_name(const struct layer *layer, const struct packing *how,
                        char name[static DIGEST_HEX + 1])
{
	char text[DIGEST_TEXT + 32];
	struct digest d;

	digest_format(&layer->diff_id, text);
	snprintf(text + strlen(text), 32, " %d %d", how->kind, how->level);
	digest_of(text, strlen(text), &d);
	digest_hex(&d, name);
}

/* The remembered blob to OUT. */
static bool recall(struct store *s, const char *name, struct layer *out)
{
	struct error ignored;
	auto_free char *text = store_read(s, STORE_PACKED, name, NULL, &ignored);
	char digest[DIGEST_TEXT];
	int64_t size;

	if (!text || sscanf(text, "%*71s %71s %" SCNd64, digest, &size) != 2 ||
	    digest_parse(digest, &out->blob, &ignored) < 0 || !blob_has(s, &out->blob, size))
		return false;
	out->blob_size = size;
	return true;
}

static int remember(struct store *s, const char *name, const struct layer *out, struct error *e)
{
	char text[2 * DIGEST_TEXT + 32], diff_id[DIGEST_TEXT], digest[DIGEST_TEXT];
	int size = snprintf(text, sizeof text, "%s %s %" PRId64 "\n",
	                    digest_format(&out->diff_id, diff_id), digest_format(&out->blob, digest),
	                    out->blob_size);

	return store_write(s, STORE_PACKED, name, text, (size_t)size, e);
}

/* The uncompressed tar as a blob; its digest is the diff_id. */
static int expand(struct store *s, const struct layer *layer, struct layer *out, struct error *e)
{
	auto_close int tar = layer_open_tar(s, layer, e);
	auto_free char *buffer = malloc(PIECE_MAX);
	struct blob_writer *w;
	off_t at = 0;
	ssize_t n;

	if (tar < 0)
		return layer_blame(s, layer, e);
	w = buffer ? blob_begin(s, e) : NULL;
	if (!w)
		return buffer ? -1 : error_memory(e);
	while ((n = path_read_at(tar, buffer, PIECE_MAX, at)) > 0 &&
	       blob_write(w, buffer, (size_t)n, e) == 0)
		at += n;
	if (n != 0) {
		blob_discard(w);
		return n < 0 ? error_errno(e, "read a layer") : -1;
	}
	out->blob = layer->diff_id;
	out->blob_size = blob_commit(w, &layer->diff_id, NULL, e);
	return out->blob_size < 0 ? layer_blame(s, layer, e) : 0;
}

static int compress(struct store *s, const struct layer *layer, const struct packing *how,
                    struct layer *out, struct error *e)
{
	auto_close int tar = layer_open_tar(s, layer, e);
	struct compress_how press = {
		.kind = how->kind, .level = how->level, .threads = how->threads, .stop = how->stop,
		.raw = blob_is_fresh(s, &layer->blob) ? NULL : &layer->diff_id,
	};
	int result;

	if (tar < 0)
		return -1;
	if (how->watch && layer->blob_size >= LARGE)
		press.growing = how->watch->begin(how->watch->context, layer);
	result = compress_blob(s, tar, &press, &out->blob, &out->blob_size, e);
	if (press.growing)
		growing_end(press.growing, result < 0 ? NULL : &out->blob);
	return result;
}

int packed_layer(struct store *s, const struct layer *layer, const struct packing *how,
                 struct layer *out, struct error *e)
{
	char name[DIGEST_HEX + 1];

	*out = *layer;
	if (is_right_already(layer, how))
		return 0;
	out->compression = how->kind;
	if (how->kind == COMPRESSION_NONE)
		return expand(s, layer, out, e);
	record_name(layer, how, name);
	if (recall(s, name, out))
		return 0;
	if (compress(s, layer, how, out, e) < 0)
		return layer_blame(s, layer, e);
	return remember(s, name, out, e);
}

/* The small layers, taken by a crew; each slot has its own result. */
struct slot {
	const struct layer *layer;
	struct layer *out;
	struct error error;
	int result;
};

struct crew {
	struct store *store;
	struct packing how;
	struct slot *slot;
	size_t count, next;
};

static void *work(void *context)
{
	struct crew *crew = context;
	size_t i;

	while ((i = __atomic_fetch_add(&crew->next, 1, __ATOMIC_RELAXED)) < crew->count) {
		struct slot *slot = &crew->slot[i];

		slot->result = packed_layer(crew->store, slot->layer, &crew->how, slot->out, &slot->error);
	}
	return NULL;
}

static int pack_side_by_side(struct crew *crew, unsigned threads, struct error *e)
{
	pthread_t thread[THREADS_MAX];
	unsigned started = 0;

	while (started + 1 < threads && started + 1 < crew->count &&
	       pthread_create(&thread[started], NULL, work, crew) == 0)
		started++;
	work(crew);
	for (unsigned i = 0; i < started; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; i < crew->count; i++)
		if (crew->slot[i].result < 0) {
			*e = crew->slot[i].error;
			return -1;
		}
	return 0;
}

int packed_layers(struct store *s, const struct layer *layers, size_t count,
                  const struct packing *how, struct layer *out, struct error *e)
{
	auto_free struct slot *slots = calloc(count + 1, sizeof *slots);
	struct crew crew = { .store = s, .how = *how, .slot = slots };
	struct packing large = *how;

	if (!slots)
		return error_memory(e);
	crew.how.threads = 1;
	if (how->threads < 1 || how->threads > THREADS_MAX)
		large.threads = how->threads < 1 ? 1 : THREADS_MAX;
	for (size_t i = 0; i < count; i++) {
		if (is_right_already(&layers[i], how))
			out[i] = layers[i];
		else if (layers[i].blob_size < LARGE)
			slots[crew.count++] = (struct slot){ .layer = &layers[i], .out = &out[i] };
		else if (packed_layer(s, &layers[i], &large, &out[i], e) < 0)
			return -1;
	}
	return pack_side_by_side(&crew, large.threads, e);
}

static void proof_name(const struct layer *layer, char name[static DIGEST_HEX + 1])
{
	struct sha256 s;
	struct digest d;

	sha256_begin(&s);
	sha256_add(&s, layer->diff_id.byte, DIGEST_SIZE);
	sha256_add(&s, layer->blob.byte, DIGEST_SIZE);
	sha256_end(&s, &d);
	digest_hex(&d, name);
}

int packed_prove(struct store *s, const struct layer *layer, struct error *e)
{
	char name[DIGEST_HEX + 1];

	if (layer->compression == COMPRESSION_NONE)
		return 0;
	proof_name(layer, name);
	return remember(s, name, layer, e);
}

bool packed_is_proven(struct store *s, const struct layer *layer)
{
	char name[DIGEST_HEX + 1];

	if (layer->compression == COMPRESSION_NONE)
		return digest_equal(&layer->blob, &layer->diff_id);
	proof_name(layer, name);
	return store_has(s, STORE_PACKED, name);
}
