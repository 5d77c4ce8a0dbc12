#include "layers/compress.h"

#include <errno.h>
#include <libdeflate.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "layers/blob.h"
#include "layers/direct.h"
#include "layers/interrupted.h"
#include "layers/piece.h"
#include "layers/readahead.h"
#include "layers/reuse.h"
#include "layers/scope.h"
#include "layers/sink.h"

/* Beside gzip -6, pieces and all: /usr/bin 1.1% smaller, shared libraries 0.4%, Python's library
 * 0.9%; C headers 1.2% larger. Level 5 would be larger on libraries too, 7 takes 1.35 times as long. */
#define GZIP_LEVEL 6
#define ZSTD_LEVEL 3

/* What is compressed comes to about a third of its size. */
#define EXPECTED_RATIO 3

#define THREADS_MAX 64

/* Compresses one piece after the other; belongs to one thread. */
struct press {
	enum compression kind;
	struct libdeflate_compressor *gzip;
	ZSTD_CCtx *zstd;
	unsigned char *input;
	struct direct earlier;      /* the blob that was last reused from; descriptor -1: none */
	struct digest earlier_blob;
	unsigned char *window;      /* whole blocks of it */
	size_t window_size;
};

struct slot {
	unsigned char *bytes;
	struct reuse_piece piece;
	bool has_tag; /* else the piece is not to be found again */
	bool ready;
};

struct job {
	struct store *store;
	struct reuse *reuse; /* NULL: everything is compressed */
	int64_t size;
	enum compression kind;
	int level;
	bool verify;
	const atomic_bool *stop; /* may be NULL */
	size_t bound; /* of one compressed piece */

	/* The reading thread's, until that has ended. */
	struct direct file;
	int64_t read;
	struct sha256 raw; /* when it is to be verified */

	pthread_mutex_t cutting; /* guards these: pieces are cut one after the other */
	struct readahead *reader;
	const unsigned char *ahead; /* lent by it */
	size_t ahead_left;
	unsigned char *rest;        /* what the last piece left of what was gathered for it */
	size_t rest_size;
	int64_t at;
	uint64_t cut;

	pthread_mutex_t mutex; /* guards what follows; may be taken while cutting, not the reverse */
	pthread_cond_t changed;
	uint64_t written;
	struct slot *ring;
	size_t ring_size;
	unsigned at_work;
	bool failed;
	struct error error;

	struct reuse_piece *done; /* in their order; the collecting thread's */
	size_t done_count, done_capacity;
};

static int choose_level(enum compression kind, int level)
{
	if (level >= 0)
		return level;
	return kind == COMPRESSION_GZIP ? GZIP_LEVEL : ZSTD_LEVEL;
}

static void press_release(struct press *p)
{
	libdeflate_free_compressor(p->gzip);
	ZSTD_freeCCtx(p->zstd);
	free(p->input);
	free(p->window);
	if (p->earlier.fd >= 0)
		close(p->earlier.fd);
}

static int press_init(struct press *p, const struct job *job, struct error *e)
{
	*p = (struct press){
		.kind = job->kind, .earlier.fd = -1,
		.input = malloc(PIECE_MAX),
		.window_size = (job->bound / DIRECT_ALIGNMENT + 2) * DIRECT_ALIGNMENT,
	};
	p->window = direct_buffer(p->window_size);
	if (p->kind == COMPRESSION_GZIP)
		p->gzip = libdeflate_alloc_compressor(job->level);
	else
		p->zstd = ZSTD_createCCtx();
	if (!p->input || !p->window || !(p->gzip || p->zstd)) {
		press_release(p);
		*p = (struct press){ .earlier.fd = -1 };
		return error_memory(e);
	}
	if (p->zstd) {
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, job->level);
		ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_checksumFlag, 1);
	}
	return 0;
}

/* The next bytes of the layer, for whoever reads ahead: they are hashed there, too. */
static ssize_t pull_raw(void *context, void *buffer, size_t size, struct error *e)
{
	struct job *job = context;
	ssize_t n;

	if (interrupted_check(e) < 0)
		return -1;
	if (job->stop && *job->stop)
		return error_set(e, ERROR_CANCELLED, "cancelled");
	do
		n = direct_read(&job->file, buffer, size, job->read);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return error_errno(e, "read a layer to compress it");
	if (n == 0 && job->read < job->size)
		return error_set(e, ERROR_CORRUPT, "a layer was cut short while it was compressed");
	if (n > job->size - job->read)
		n = job->size - job->read;
	if (job->verify)
		sha256_add(&job->raw, buffer, (size_t)n);
	job->read += n;
	return n;
}

/* To P's input what the last piece left, and more, until the longest piece has all it wants. */
static int gather(struct job *job, struct press *p, size_t *size, struct error *e)
{
	memcpy(p->input, job->rest, job->rest_size);
	for (*size = job->rest_size; *size < PIECE_MAX;) {
		size_t part;

		if (job->ahead_left == 0) {
			ssize_t n = readahead_next(job->reader, &job->ahead, e);

			if (n <= 0)
				return (int)n;
			job->ahead_left = (size_t)n;
		}
		part = PIECE_MAX - *size < job->ahead_left ? PIECE_MAX - *size : job->ahead_left;
		memcpy(p->input + *size, job->ahead, part);
		job->ahead += part;
		job->ahead_left -= part;
		*size += part;
	}
	return 0;
}

/* The next piece to P's input; nothing is one piece too: an empty member. */
static int cut_piece(struct job *job, struct press *p, struct reuse_piece *piece, struct error *e)
{
	size_t have, size;

	if (gather(job, p, &have, e) < 0)
		return -1;
	size = piece_length(p->input, have);
	job->rest_size = have - size;
	memcpy(job->rest, p->input + size, job->rest_size);
	job->at += (int64_t)size;
	job->cut++;
	*piece = (struct reuse_piece){ .size = (uint32_t)size };
	return 0;
}

/* The bytes of SLOT's piece, by way of whole blocks. */
static bool read_packed(struct press *p, struct slot *slot)
{
	size_t before = (size_t)(slot->piece.offset % DIRECT_ALIGNMENT);
	size_t size = before + slot->piece.packed;
	ssize_t n;

	size += DIRECT_ALIGNMENT - 1 - (size + DIRECT_ALIGNMENT - 1) % DIRECT_ALIGNMENT;
	if (slot->piece.offset < 0 || size > p->window_size)
		return false;
	n = direct_read(&p->earlier, p->window, size, slot->piece.offset - (int64_t)before);
	if (n < (ssize_t)(before + slot->piece.packed))
		return false;
	memcpy(slot->bytes, p->window + before, slot->piece.packed);
	return true;
}

/* The piece in P's input as it was compressed before, if it was. */
static bool find_packed(struct press *p, const struct job *job, struct slot *slot)
{
	struct digest blob;
	struct error ignored;

	if (!reuse_find(job->reuse, &slot->piece, &blob) || slot->piece.packed > job->bound)
		return false;
	if (p->earlier.fd < 0 || !digest_equal(&blob, &p->earlier_blob)) {
		if (p->earlier.fd >= 0)
			close(p->earlier.fd);
		p->earlier = direct_of(blob_open(job->store, &blob, -1, &ignored));
		p->earlier_blob = blob;
	}
	return p->earlier.fd >= 0 && read_packed(p, slot) &&
	       reuse_sum(&slot->piece, slot->bytes) == slot->piece.sum;
}

static int press_piece(struct press *p, const struct job *job, struct slot *slot, struct error *e)
{
	size_t size = slot->piece.size, packed;

	if (!slot->bytes && !(slot->bytes = malloc(job->bound)))
		return error_memory(e);
	slot->has_tag = job->reuse && reuse_tag(job->reuse, p->input, &slot->piece);
	if (slot->has_tag && find_packed(p, job, slot))
		return 0;
	if (p->gzip) {
		packed = libdeflate_gzip_compress(p->gzip, p->input, size, slot->bytes, job->bound);
		if (packed == 0)
			return error_set(e, ERROR_SYSTEM, "gzip failed");
	} else {
		packed = ZSTD_compress2(p->zstd, slot->bytes, job->bound, p->input, size);
		if (ZSTD_isError(packed))
			return error_set(e, ERROR_SYSTEM, "zstd: %s", ZSTD_getErrorName(packed));
	}
	slot->piece.packed = (uint32_t)packed;
	slot->piece.sum = reuse_sum(&slot->piece, slot->bytes);
	return 0;
}

static bool all_cut(const struct job *job)
{
	return job->at == job->size && job->cut > 0;
}

/* Called with the mutex held. The first failure is the one that is told. */
static void fail(struct job *job, const struct error *e)
{
	if (!job->failed)
		job->error = *e;
	job->failed = true;
}

/* The slot of the next piece, once it is free; NULL after the last piece, and when one failed. */
static struct slot *next_slot(struct job *job)
{
	struct slot *slot = NULL;

	if (all_cut(job))
		return NULL;
	pthread_mutex_lock(&job->mutex);
	while (job->cut - job->written >= job->ring_size && !job->failed)
		pthread_cond_wait(&job->changed, &job->mutex);
	if (!job->failed)
		slot = &job->ring[job->cut % job->ring_size];
	pthread_mutex_unlock(&job->mutex);
	return slot;
}

static void *work(void *context)
{
	struct job *job = context;
	struct press press;
	struct error error;
	struct slot *slot;
	int result = press_init(&press, job, &error);

	while (result == 0) {
		pthread_mutex_lock(&job->cutting);
		slot = next_slot(job);
		if (slot)
			result = cut_piece(job, &press, &slot->piece, &error);
		pthread_mutex_unlock(&job->cutting);
		if (!slot)
			break;
		if (result == 0)
			result = press_piece(&press, job, slot, &error);
		pthread_mutex_lock(&job->mutex);
		slot->ready = result == 0;
		pthread_cond_broadcast(&job->changed);
		pthread_mutex_unlock(&job->mutex);
	}
	pthread_mutex_lock(&job->mutex);
	if (result < 0)
		fail(job, &error);
	job->at_work--;
	pthread_cond_broadcast(&job->changed);
	pthread_mutex_unlock(&job->mutex);
	press_release(&press);
	return NULL;
}

static int write_piece(struct job *job, struct sink *k, struct slot *slot, struct error *e)
{
	if (job->done_count == job->done_capacity) {
		size_t capacity = 2 * job->done_capacity + 16;
		struct reuse_piece *more = reallocarray(job->done, capacity, sizeof *more);

		if (!more)
			return error_memory(e);
		job->done = more;
		job->done_capacity = capacity;
	}
	slot->piece.offset = sink_position(k);
	if (slot->has_tag)
		job->done[job->done_count++] = slot->piece;
	return sink_write(k, slot->bytes, slot->piece.packed, e);
}

/* Write the pieces in their order, as they become ready: the last one is written when nobody is at
 * work any more and none is ready. */
static int collect(struct job *job, struct sink *k, struct error *e)
{
	int result;

	pthread_mutex_lock(&job->mutex);
	while (!job->failed) {
		struct slot *slot = &job->ring[job->written % job->ring_size];

		if (!slot->ready && job->at_work == 0)
			break;
		if (!slot->ready) {
			pthread_cond_wait(&job->changed, &job->mutex);
			continue;
		}
		pthread_mutex_unlock(&job->mutex);
		result = write_piece(job, k, slot, e);
		pthread_mutex_lock(&job->mutex);
		slot->ready = false;
		job->written++;
		if (result < 0)
			fail(job, e);
		pthread_cond_broadcast(&job->changed);
	}
	result = job->failed ? -1 : 0;
	if (result < 0)
		*e = job->error;
	pthread_mutex_unlock(&job->mutex);
	return result;
}

static int press_all(struct job *job, unsigned threads, struct sink *k, struct error *e)
{
	pthread_t crew[THREADS_MAX];
	unsigned count = 0;
	int result;

	if (threads > THREADS_MAX)
		threads = THREADS_MAX;
	job->ring_size = 2 * threads;
	job->ring = calloc(job->ring_size, sizeof *job->ring);
	if (!job->ring)
		return error_memory(e);
	job->at_work = threads;
	while (count < threads && pthread_create(&crew[count], NULL, work, job) == 0)
		count++;
	pthread_mutex_lock(&job->mutex);
	job->at_work -= threads - count;
	pthread_mutex_unlock(&job->mutex);
	if (count == 0)
		result = error_set(e, ERROR_SYSTEM, "compress: no thread can be started");
	else
		result = collect(job, k, e);
	for (unsigned i = 0; i < count; i++)
		pthread_join(crew[i], NULL);
	for (size_t i = 0; i < job->ring_size; i++)
		free(job->ring[i].bytes);
	free(job->ring);
	return result;
}

/* Most layers of a build are a piece or a few: they need no thread of their own. */
static int press_here(struct job *job, struct sink *k, struct error *e)
{
	struct press press;
	struct slot slot = { .bytes = NULL };
	int result;

	if (press_init(&press, job, e) < 0)
		return -1;
	do {
		result = cut_piece(job, &press, &slot.piece, e);
		if (result == 0)
			result = press_piece(&press, job, &slot, e);
		if (result == 0)
			result = write_piece(job, k, &slot, e);
	} while (result == 0 && !all_cut(job));
	free(slot.bytes);
	press_release(&press);
	return result;
}

static int check_raw(struct job *job, const struct digest *raw, struct error *e)
{
	char text[DIGEST_TEXT];
	struct digest got;

	sha256_end(&job->raw, &got);
	return digest_equal(&got, raw) ? 0
	                               : error_set(e, ERROR_CORRUPT, "the bytes of layer %s are damaged",
	                                           digest_format(raw, text));
}

uint64_t compress_method(enum compression kind, int level)
{
	bool gzip = kind == COMPRESSION_GZIP;
	uint64_t version = gzip ? LIBDEFLATE_VERSION_MAJOR << 16 | LIBDEFLATE_VERSION_MINOR
	                        : ZSTD_versionNumber();

	level = choose_level(kind, level);
	return version << 32 | (uint64_t)kind << 16 | (uint16_t)level;
}

static int press_into(struct job *job, const struct compress_how *how, struct digest *blob,
                      int64_t *blob_size, struct error *e)
{
	struct sink *k = sink_begin(job->store, e);
	int result;

	if (!k)
		return -1;
	sink_expect(k, job->size / EXPECTED_RATIO);
	if (how->growing)
		sink_watch(k, how->growing);
	result = how->threads == 1 || job->size <= PIECE_MIN ? press_here(job, k, e)
	                                                     : press_all(job, how->threads, k, e);
	if (result == 0 && how->raw)
		result = check_raw(job, how->raw, e);
	if (result < 0) {
		sink_abandon(k);
		return -1;
	}
	*blob_size = sink_finish(k, blob, e);
	for (size_t i = 0; *blob_size >= 0 && i < job->done_count; i++)
		reuse_note(job->reuse, &job->done[i], blob);
	return *blob_size < 0 ? -1 : 0;
}

static void job_release(struct job *job)
{
	readahead_end(job->reader);
	reuse_close(job->reuse);
	pthread_cond_destroy(&job->changed);
	pthread_mutex_destroy(&job->mutex);
	pthread_mutex_destroy(&job->cutting);
	free(job->rest);
	free(job->done);
}

static int job_begin(struct job *job, struct store *s, int fd, const struct compress_how *how,
                     struct error *e)
{
	bool gzip = how->kind == COMPRESSION_GZIP;
	struct stat st;

	*job = (struct job){ .store = s, .file = direct_of(fd), .kind = how->kind,
		             .level = choose_level(how->kind, how->level), .verify = how->raw,
		             .stop = how->stop };
	job->reuse = reuse_open(s, compress_method(how->kind, how->level));
	job->bound = gzip ? libdeflate_gzip_compress_bound(NULL, PIECE_MAX)
	                  : ZSTD_compressBound(PIECE_MAX);
	sha256_begin(&job->raw);
	pthread_mutex_init(&job->cutting, NULL);
	pthread_mutex_init(&job->mutex, NULL);
	pthread_cond_init(&job->changed, NULL);
	if (fstat(fd, &st) < 0)
		return error_errno(e, "stat a layer to compress it");
	job->size = st.st_size;
	job->rest = malloc(PIECE_MAX);
	if (!job->rest)
		return error_memory(e);
	job->reader = readahead_begin(pull_raw, job, e);
	return job->reader ? 0 : -1;
}

int compress_blob(struct store *s, int fd, const struct compress_how *how, struct digest *blob,
                  int64_t *blob_size, struct error *e)
{
	struct job job;
	int result = job_begin(&job, s, fd, how, e);

	if (result == 0)
		result = press_into(&job, how, blob, blob_size, e);
	job_release(&job);
	return result;
}
