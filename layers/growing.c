#include "layers/growing.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layers/direct.h"

#define WINDOW_SIZE (1 << 20)

struct growing {
	struct direct file;
	unsigned char *window; /* of a file that is written directly: the reader's; else NULL */
	int64_t window_at;
	ssize_t window_size;

	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	int64_t size;
	bool ended, failed, abandoned;
	struct digest digest;
};

struct growing *growing_new(struct error *e)
{
	struct growing *g = calloc(1, sizeof *g);

	if (!g) {
		error_memory(e);
		return NULL;
	}
	g->file.fd = -1;
	pthread_mutex_init(&g->mutex, NULL);
	pthread_cond_init(&g->changed, NULL);
	return g;
}

void growing_free(struct growing *g)
{
	if (!g)
		return;
	if (g->file.fd >= 0)
		close(g->file.fd);
	free(g->window);
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->mutex);
	free(g);
}

static void tell(struct growing *g)
{
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->mutex);
}

void growing_begin(struct growing *g, int fd)
{
	pthread_mutex_lock(&g->mutex);
	g->file.fd = fd;
	g->failed = fd < 0;
	tell(g);
}

void growing_begin_direct(struct growing *g, int fd, int64_t expected)
{
	g->file.large = expected >= DIRECT_SIZE;
	g->window = direct_buffer(WINDOW_SIZE);
	growing_begin(g, g->window ? fd : -1);
	if (!g->window && fd >= 0)
		close(fd);
}

void growing_reach(struct growing *g, int64_t size)
{
	pthread_mutex_lock(&g->mutex);
	g->size = size;
	tell(g);
}

void growing_end(struct growing *g, const struct digest *d)
{
	pthread_mutex_lock(&g->mutex);
	if (!g->ended) {
		g->ended = true;
		g->failed |= !d;
		if (d)
			g->digest = *d;
	}
	tell(g);
}

void growing_abandon(struct growing *g)
{
	pthread_mutex_lock(&g->mutex);
	g->abandoned = true;
	tell(g);
}

static int gone(struct error *e)
{
	return error_set(e, ERROR_CANCELLED, "the blob is not needed, or does not come");
}

/* Up to SIZE bytes from OFFSET on, by way of the window: all up to THERE are in the file. */
static ssize_t read_window(struct growing *g, void *buffer, size_t size, int64_t offset,
                           int64_t there)
{
	int64_t left;

	if (offset < g->window_at || offset >= g->window_at + g->window_size) {
		g->window_at = offset - offset % DIRECT_ALIGNMENT;
		g->window_size = direct_read(&g->file, g->window, WINDOW_SIZE, g->window_at);
		if (g->window_size < 0)
			return -1;
		/* What is behind it may be a part of what is being written now. */
		if (g->window_size > there - g->window_at)
			g->window_size = (ssize_t)(there - g->window_at);
	}
	left = g->window_at + g->window_size - offset;
	if (left <= 0) {
		errno = EIO; /* it has become shorter */
		return -1;
	}
	if ((int64_t)size > left)
		size = (size_t)left;
	memcpy(buffer, g->window + (offset - g->window_at), size);
	return (ssize_t)size;
}

ssize_t growing_read(struct growing *g, void *buffer, size_t size, int64_t offset, struct error *e)
{
	int64_t there;
	ssize_t n;

	pthread_mutex_lock(&g->mutex);
	while (g->size <= offset && !g->ended && !g->failed && !g->abandoned)
		pthread_cond_wait(&g->changed, &g->mutex);
	there = g->failed || g->abandoned ? gone(e) : g->size;
	pthread_mutex_unlock(&g->mutex);
	if (there < 0 || there == offset)
		return there < 0 ? -1 : 0;
	if ((int64_t)size > there - offset)
		size = (size_t)(there - offset);
	do
		n = g->window ? read_window(g, buffer, size, offset, there)
		              : pread(g->file.fd, buffer, size, offset);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(e, "read") : n;
}

int64_t growing_wait(struct growing *g, struct digest *d, struct error *e)
{
	int64_t size;

	pthread_mutex_lock(&g->mutex);
	while (!g->ended && !g->abandoned)
		pthread_cond_wait(&g->changed, &g->mutex);
	size = g->failed || g->abandoned ? gone(e) : g->size;
	*d = g->digest;
	pthread_mutex_unlock(&g->mutex);
	return size;
}
