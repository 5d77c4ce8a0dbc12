#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/copy/context_parts.h"
#include "layers/interrupted.h"
#include "layers/readahead.h"
#include "layers/scope.h"

#define BUFFER_SIZE (256 << 10)
/* Files of one folder stand side by side: a thread takes a few and opens their folder once. */
#define FILES_AT_ONCE 16
/* A crew of two is worth starting for so many files, or so many bytes. */
#define FILES_TO_SHARE 64
#define BYTES_TO_SHARE (4 << 20)
/* Files from this size on are asked where their holes are. */
#define SPARSE_MIN (1 << 20)
/* Files from this size on are worth a thread that reads them. */
#define LARGE (16 << 20)
/* Whoever changes a file more often than this while we look does so all the time. */
#define TRIES 3
/* The kernel's clock for files ticks every 10 ms at the slowest. */
#define TICK_NS 10000000

/* --- reading ---------------------------------------------------------------------------------- */

void context_reader_release(struct context_reader *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
	r->dir = NULL;
}

/* FILE open, whatever it is by now. */
static int open_now(struct context_reader *r, const struct context_file *file, struct error *e)
{
	int fd;

	if (r->fd < 0 || r->dir != file->parent) {
		auto_free char *folder = context_file_path(file->parent);

		context_reader_release(r);
		if (!folder)
			return error_memory(e);
		r->fd = context_open_below(r->context, folder, O_PATH | O_DIRECTORY, e);
		if (r->fd < 0)
			return -1;
		r->dir = file->parent;
	}
	fd = openat(r->fd, file->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0) {
		int number = errno;
		auto_free char *path = context_file_path(file);

		errno = number;
		error_errno(e, "open %s", path ? path : file->name);
	}
	return fd;
}

static int changed(const struct context_file *file, struct error *e)
{
	auto_free char *path = context_file_path(file);

	return error_set(e, ERROR_INPUT, "%s changed while it was read", path ? path : file->name);
}

int context_unchanged(const struct context_file *file, int fd, struct error *e)
{
	struct stat st;

	if (fstat(fd, &st) < 0 || !context_matches(file, &st))
		return changed(file, e);
	return 0;
}

int context_reader_open(struct context_reader *r, const struct context_file *file,
                        struct error *e)
{
	auto_close int fd = open_now(r, file, e);

	if (fd < 0 || context_unchanged(file, fd, e) < 0)
		return -1;
	return take_fd(&fd);
}

/* --- hashing ---------------------------------------------------------------------------------- */

struct hash_crew {
	struct context *context;
	struct context_file **file;
	size_t count;
	int64_t total;
	context_moved *moved;
	void *moved_context;
	atomic_size_t next;
	atomic_llong done;
	atomic_bool failed;
};

struct hash_member {
	struct hash_crew *crew;
	pthread_t thread;
	struct context_reader reader;
	unsigned char *buffer;
	int result;
	struct error error;
};

static int64_t file_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	return context_ns(&now);
}

/* A change within the same tick of the clock would leave all numbers as they are, so a file that
 * was changed in this very tick is not read before the next. One from the future is read, but does
 * not get into the index; so does one on a file system that counts in whole seconds. */
static void wait_for_tick(struct context_file *file)
{
	int64_t now = file_clock();
	int64_t latest = file->ctime_ns > file->mtime_ns ? file->ctime_ns : file->mtime_ns;
	bool coarse = file->ctime_ns % 1000000000 == 0;

	while (!coarse && file->ctime_ns >= now && file->ctime_ns < now + TICK_NS) {
		nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		now = file_clock();
	}
	if (latest >= (coarse ? now - 2000000000 : now))
		file->flags |= FILE_RACY;
}

/* N bytes more have been read; whoever listens hears of whole megabytes. */
static void tell(struct hash_crew *crew, int64_t n)
{
	int64_t before = atomic_fetch_add(&crew->done, n), after = before + n;

	if (crew->moved && (before >> 20 != after >> 20 || after == crew->total))
		crew->moved(crew->moved_context, after, crew->total);
}

/* The bytes from AT on that are a hole in FD, which stands behind it then. What has holes uses fewer
 * blocks than its size asks for; nobody has to read them. */
static int64_t hole_at(const struct context_file *file, int fd, int64_t at)
{
	off_t data = lseek(fd, at, SEEK_DATA);

	if (data < 0 && errno == ENXIO)
		data = lseek(fd, file->size, SEEK_SET);
	return data > at ? data - at : 0;
}

static bool has_holes(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && st.st_size >= SPARSE_MIN && st.st_blocks < st.st_size / 512;
}

/* One file on its way into a digest. */
struct hashing {
	struct hash_crew *crew;
	const struct context_file *file;
	int fd;
	int64_t read; /* the bytes so far, as the file's size is counted */
	struct sha256 sha;
};

/* The next bytes of H's file: how many, 0 at its end, -1 and E. */
static ssize_t read_more(void *hashing, void *buffer, size_t size, struct error *e)
{
	struct hashing *h = hashing;
	ssize_t n;

	if (interrupted_check(e) < 0)
		return -1;
	do
		n = read(h->fd, buffer, size);
	while (n < 0 && errno == EINTR);
	if (n < 0) {
		auto_free char *path = context_file_path(h->file);

		return error_errno(e, "read %s", path ? path : h->file->name);
	}
	h->read += n;
	/* What grows while it is read has changed; nobody reads it to its end. */
	if (h->read > h->file->size)
		return changed(h->file, e);
	tell(h->crew, n);
	return n;
}

static void skip_hole(struct hashing *h)
{
	int64_t hole = h->read < h->file->size ? hole_at(h->file, h->fd, h->read) : 0;

	if (hole == 0)
		return;
	sha256_add_zeros(&h->sha, hole);
	h->read += hole;
	tell(h->crew, hole);
}

static int digest_alone(struct hashing *h, unsigned char *buffer, struct error *e)
{
	bool sparse = has_holes(h->fd);
	ssize_t n;

	do {
		if (sparse)
			skip_hole(h);
		n = read_more(h, buffer, BUFFER_SIZE, e);
		if (n > 0)
			sha256_add(&h->sha, buffer, (size_t)n);
	} while (n > 0);
	return (int)n;
}

/* One thread reads while this one hashes. */
static int digest_ahead(struct hashing *h, struct error *e)
{
	struct readahead *r = readahead_begin(read_more, h, e);
	const unsigned char *bytes;
	ssize_t n = -1;

	while (r && (n = readahead_next(r, &bytes, e)) > 0)
		sha256_add(&h->sha, bytes, (size_t)n);
	readahead_end(r);
	return (int)n;
}

static int digest_fd(struct hash_member *m, const struct context_file *file, int fd,
                     struct digest *digest, struct error *e)
{
	struct hashing h = { .crew = m->crew, .file = file, .fd = fd };

	sha256_begin(&h.sha);
	if ((file->size >= LARGE && !has_holes(fd) ? digest_ahead(&h, e)
	                                           : digest_alone(&h, m->buffer, e)) < 0)
		return -1;
	sha256_end(&h.sha, digest);
	return h.read == file->size ? 0 : changed(file, e);
}

/* The numbers and the digest of one state of FILE. */
static int hash_file(struct hash_member *m, struct context_file *file, struct error *e)
{
	for (int try = 0; try < TRIES; try++) {
		auto_close int fd = open_now(&m->reader, file, e);
		struct digest digest;
		struct stat st;

		if (fd < 0)
			return -1;
		if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
			return changed(file, e);
		file->known = NULL;
		context_take(file, &st);
		wait_for_tick(file);
		if (digest_fd(m, file, fd, &digest, e) == 0 && context_unchanged(file, fd, e) == 0) {
			file->digest = digest;
			file->flags |= FILE_HASHED;
			return 0;
		}
		if (e->kind != ERROR_INPUT)
			return -1;
	}
	return -1;
}

static void *hash_files(void *argument)
{
	struct hash_member *m = argument;
	struct hash_crew *crew = m->crew;
	size_t at;

	m->buffer = malloc(BUFFER_SIZE);
	if (!m->buffer)
		m->result = error_memory(&m->error);
	while (m->result == 0 && !crew->failed &&
	       (at = atomic_fetch_add(&crew->next, FILES_AT_ONCE)) < crew->count)
		for (size_t i = at; m->result == 0 && i < at + FILES_AT_ONCE && i < crew->count;
		     i++)
			m->result = hash_file(m, crew->file[i], &m->error);
	if (m->result < 0)
		crew->failed = true;
	context_reader_release(&m->reader);
	free(m->buffer);
	return NULL;
}

static int hash_all(struct hash_crew *crew, struct error *e)
{
	struct hash_member member[CONTEXT_THREADS] = { 0 };
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	size_t threads = 1, limit = cpus < CONTEXT_THREADS ? (size_t)cpus : CONTEXT_THREADS;
	int result = 0;

	for (size_t i = 0; i < CONTEXT_THREADS; i++) {
		member[i].crew = crew;
		member[i].reader = (struct context_reader){ .context = crew->context, .fd = -1 };
	}
	if (crew->count >= 2 && (crew->count >= FILES_TO_SHARE || crew->total >= BYTES_TO_SHARE))
		while (threads < limit && pthread_create(&member[threads].thread, NULL, hash_files,
		                                         &member[threads]) == 0)
			threads++;
	hash_files(&member[0]);
	for (size_t i = 1; i < threads; i++)
		pthread_join(member[i].thread, NULL);
	for (size_t i = 0; result == 0 && i < threads; i++) {
		result = member[i].result;
		if (result < 0)
			*e = member[i].error;
	}
	return result;
}

int context_hash(struct context *c, const struct context_file **files, size_t count,
                 context_moved *moved, void *context, struct error *e)
{
	struct hash_crew crew = {
		.context = c,
		.file = (struct context_file **)files, /* ours, lent as const */
		.moved = moved,
		.moved_context = context,
	};
	int result = 0;

	pthread_mutex_lock(&c->mutex);
	for (size_t i = 0; i < count; i++) {
		struct context_file *file = crew.file[i];

		if (!S_ISREG(file->mode) || file->flags & (FILE_HASHED | FILE_QUEUED))
			continue;
		file->flags |= FILE_QUEUED;
		crew.file[crew.count++] = file;
		crew.total += file->size;
	}
	if (crew.count > 0) {
		result = hash_all(&crew, e);
		c->changed = true;
	}
	for (size_t i = 0; i < crew.count; i++)
		crew.file[i]->flags &= (uint16_t)~FILE_QUEUED;
	pthread_mutex_unlock(&c->mutex);
	return result;
}
