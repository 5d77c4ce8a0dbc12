#include "builder/progress/progress_view.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "builder/safe_text.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"

/* What a step may print before the rest is left out, as BuildKit has it. */
#define LOG_SIZE_MAX (2 << 20)
/* A longer line is shown in pieces, so that a gigabyte without a line end needs no memory. */
#define LINE_SIZE_MAX (16 << 10)
/* Layers of one image, at most, that are followed one by one. */
#define MOVEMENTS_MAX 512

/* Given out when memory is out: every event on it is dropped. */
static struct vertex silent = { .name = (char *)"" };

int64_t progress_now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

char *progress_size(int64_t bytes, char text[static SIZE_TEXT])
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB" };
	double n = (double)bytes;
	size_t unit = 0;

	while (n >= 1000 && unit + 1 < sizeof units / sizeof units[0]) {
		n /= 1000;
		unit++;
	}
	snprintf(text, SIZE_TEXT, unit ? "%.2f%s" : "%.0f%s", n, units[unit]);
	return text;
}

/* --- where it is written -------------------------------------------------------------------- */

/* A reader that has gone away, or a full disk, is no reason to fail a build: the text is dropped.
 * A terminal that somebody made non-blocking is waited for (H290). */
static ssize_t out_write(void *cookie, const char *bytes, size_t size)
{
	struct progress *p = cookie;
	size_t written = 0;

	while (p->fd >= 0 && written < size) {
		ssize_t n = write(p->fd, bytes + written, size - written);

		if (n >= 0)
			written += (size_t)n;
		else if (errno == EAGAIN)
			poll(&(struct pollfd){ .fd = p->fd, .events = POLLOUT }, 1, -1);
		else if (errno != EINTR)
			p->fd = -1;
	}
	return (ssize_t)size;
}

static const struct view *view_of(enum progress_mode mode, int fd)
{
	const char *term = getenv("TERM");

	if (mode == PROGRESS_AUTO)
		mode = isatty(fd) && term && strcmp(term, "dumb") != 0 ? PROGRESS_TTY
		                                                       : PROGRESS_PLAIN;
	switch (mode) {
	case PROGRESS_TTY: return &view_tty;
	case PROGRESS_RAWJSON: return &view_json;
	case PROGRESS_QUIET: return NULL;
	default: return &view_plain;
	}
}

struct progress *progress_new(enum progress_mode mode, int fd, struct error *e)
{
	struct progress *p = calloc(1, sizeof *p);

	if (!p) {
		error_memory(e);
		return NULL;
	}
	p->fd = fd;
	p->view = view_of(mode, fd);
	p->began_ns = progress_now_ns();
	STAILQ_INIT(&p->vertices);
	pthread_mutex_init(&p->lock, NULL);
	p->out = fopencookie(p, "w", (cookie_io_functions_t){ .write = out_write });
	if (!p->out) {
		error_memory(e);
	} else {
		setvbuf(p->out, NULL, _IOFBF, 1 << 16);
		if (!p->view || !p->view->begin || p->view->begin(p, e) == 0)
			return p;
		fclose(p->out);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

void progress_colour(struct progress *p, bool colour)
{
	p->colour = colour;
}

void progress_hide(struct progress *p, const struct mask *mask)
{
	p->mask = mask;
}

/* BYTES as they may be shown, by WRITE; the caller frees it. NULL when memory is out. */
static char *presented(const struct progress *p, const char *bytes, size_t size,
                       void (*write)(FILE *out, const char *bytes, size_t size))
{
	auto_free char *copy = NULL;
	char *text = NULL;
	size_t text_size;
	FILE *f;

	if (p->mask && p->mask->count > 0) {
		copy = malloc(size + 1);
		if (!copy)
			return NULL;
		memcpy(copy, bytes, size);
		size = mask_text(p->mask, copy, size);
		bytes = copy;
	}
	f = memory_stream_open(&text, &text_size);
	if (!f)
		return NULL;
	write(f, bytes, size);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static char *presentable(const struct progress *p, const char *text)
{
	return presented(p, text, strlen(text), safe_text);
}

static void tail_free(struct vertex *v)
{
	for (size_t i = 0; i < TAIL_LINES; i++) {
		free(v->tail[i]);
		v->tail[i] = NULL;
	}
	v->tail_count = 0;
}

static void movements_free(struct vertex *v)
{
	struct movement *m;

	while ((m = STAILQ_FIRST(&v->movements))) {
		STAILQ_REMOVE_HEAD(&v->movements, next);
		free(m->what);
		free(m);
	}
}

static void vertex_free(struct vertex *v)
{
	tail_free(v);
	movements_free(v);
	for (int i = 0; i < 2; i++)
		free(v->partial[i].text);
	if (v->waiting_stream)
		fclose(v->waiting_stream);
	free(v->waiting);
	free(v->failure);
	free(v->name);
	free(v);
}

void progress_free(struct progress *p, bool succeeded)
{
	struct vertex *v;

	if (!p)
		return;
	if (p->view && p->view->end)
		p->view->end(p, succeeded);
	fclose(p->out);
	while ((v = STAILQ_FIRST(&p->vertices))) {
		STAILQ_REMOVE_HEAD(&p->vertices, next);
		vertex_free(v);
	}
	pthread_mutex_destroy(&p->lock);
	free(p->warnings);
	free(p);
}

struct vertex *progress_vertex(struct progress *p, const char *name)
{
	struct vertex *v = calloc(1, sizeof *v);

	if (!v)
		return &silent;
	v->progress = p;
	v->name = presentable(p, name);
	if (!v->name) {
		free(v);
		return &silent;
	}
	STAILQ_INIT(&v->movements);
	pthread_mutex_lock(&p->lock);
	STAILQ_INSERT_TAIL(&p->vertices, v, next);
	p->known++;
	pthread_mutex_unlock(&p->lock);
	return v;
}

/* --- events --------------------------------------------------------------------------------- */

/* False: nobody hears it. Else the progress is locked until event_end. */
static bool event_begin(struct vertex *v)
{
	if (!v->progress)
		return false;
	pthread_mutex_lock(&v->progress->lock);
	return true;
}

static void event_end(struct progress *p)
{
	if (p->view)
		fflush(p->out);
	pthread_mutex_unlock(&p->lock);
}

/* A row of the view, when there is a view and it has that row. */
#define SHOW(p, row, ...) \
	do { \
		if ((p)->view && (p)->view->row) \
			(p)->view->row((p), __VA_ARGS__); \
	} while (0)

static void start(struct vertex *v)
{
	struct progress *p = v->progress;

	if (v->state != VERTEX_WAITING)
		return;
	v->state = VERTEX_RUNNING;
	v->number = ++p->started;
	v->started_ns = progress_now_ns();
	SHOW(p, started, v);
}

void vertex_start(struct vertex *v)
{
	if (!event_begin(v))
		return;
	start(v);
	event_end(v->progress);
}

void progress_tail_add(struct vertex *v, const char *text)
{
	char **slot = &v->tail[v->tail_count % TAIL_LINES];
	char *line = NULL;

	if (asprintf(&line, "%.3f %.*s", vertex_seconds(v, progress_now_ns()), TAIL_LINE_MAX,
	             text) < 0)
		return;
	free(*slot);
	*slot = line;
	v->tail_count++;
}

static void show_line(struct vertex *v, int stream, const char *bytes, size_t size)
{
	struct progress *p = v->progress;
	auto_free char *text = presented(p, bytes, size, safe_output);

	if (!text)
		return;
	progress_tail_add(v, text);
	if (v->logged <= LOG_SIZE_MAX)
		SHOW(p, line, v, stream, text);
	v->logged += (int64_t)size + 1;
	if (v->logged > LOG_SIZE_MAX && v->logged - (int64_t)size - 1 <= LOG_SIZE_MAX)
		SHOW(p, line, v, stream, "[output clipped, log limit 2MiB reached]");
}

static void partial_add(struct partial_line *l, const char *bytes, size_t size)
{
	if (l->size + size > l->capacity) {
		size_t capacity = l->size + size < 512 ? 512 : 2 * (l->size + size);
		char *text = realloc(l->text, capacity);

		if (!text)
			return;
		l->text = text;
		l->capacity = capacity;
	}
	memcpy(l->text + l->size, bytes, size);
	l->size += size;
}

/* Take what is before the next line end, return or limit; returns how much of BYTES that was. */
static size_t take_piece(struct vertex *v, int stream, const char *bytes, size_t size)
{
	struct partial_line *l = &v->partial[stream == 2];
	size_t n = 0, room;

	if (l->after_cr && *bytes != '\n' && *bytes != '\r')
		l->size = 0; /* a progress bar: only its last state is worth a line */
	if (*bytes != '\r')
		l->after_cr = false;
	room = LINE_SIZE_MAX - l->size;
	while (n < size && n < room && bytes[n] != '\n' && bytes[n] != '\r')
		n++;
	partial_add(l, bytes, n);
	if (n == size)
		return n;
	if (bytes[n] == '\r') {
		l->after_cr = true;
		return n + 1;
	}
	show_line(v, stream, l->text ? l->text : "", l->size);
	l->size = 0;
	return bytes[n] == '\n' ? n + 1 : n;
}

void vertex_output(struct vertex *v, int stream, const void *bytes, size_t size)
{
	const char *at = bytes;

	if (!event_begin(v))
		return;
	start(v);
	for (size_t taken; size > 0; at += taken, size -= taken)
		taken = take_piece(v, stream, at, size);
	event_end(v->progress);
}

static struct movement *movement_of(struct vertex *v, const char *what)
{
	struct movement *m;
	size_t count = 0;

	STAILQ_FOREACH(m, &v->movements, next) {
		if (strcmp(m->what, what) == 0)
			return m;
		count++;
	}
	if (count == MOVEMENTS_MAX || !(m = calloc(1, sizeof *m)))
		return NULL;
	m->what = safe_copy(what);
	if (!m->what) {
		free(m);
		return NULL;
	}
	m->started_ns = progress_now_ns();
	STAILQ_INSERT_TAIL(&v->movements, m, next);
	return m;
}

void vertex_bytes(struct vertex *v, const char *what, int64_t done, int64_t total)
{
	struct movement *m;

	if (!event_begin(v))
		return;
	start(v);
	m = movement_of(v, what);
	if (m) {
		m->done = done;
		m->total = total;
		SHOW(v->progress, moved, v, m);
	}
	event_end(v->progress);
}

void vertex_note(struct vertex *v, const char *text)
{
	char *safe;

	if (!event_begin(v))
		return;
	start(v);
	safe = presentable(v->progress, text);
	if (safe)
		SHOW(v->progress, note, v, safe);
	free(safe);
	event_end(v->progress);
}

static void end(struct vertex *v, enum vertex_state state, const char *failure)
{
	if (!event_begin(v))
		return;
	start(v);
	if (!vertex_ended(v)) {
		for (int i = 0; i < 2; i++)
			if (v->partial[i].size)
				show_line(v, i + 1, v->partial[i].text, v->partial[i].size);
		v->state = state;
		v->ended_ns = progress_now_ns();
		v->failure = failure ? presentable(v->progress, failure) : NULL;
		v->progress->ended++;
		SHOW(v->progress, ended, v);
		if (state != VERTEX_FAILED)
			tail_free(v);
		movements_free(v);
	}
	event_end(v->progress);
}

void vertex_cached(struct vertex *v)
{
	end(v, VERTEX_CACHED, NULL);
}

void vertex_done(struct vertex *v)
{
	end(v, VERTEX_DONE, NULL);
}

void vertex_failed(struct vertex *v, const char *text)
{
	end(v, VERTEX_FAILED, text);
}

void vertex_cancelled(struct vertex *v)
{
	end(v, VERTEX_CANCELLED, NULL);
}

void progress_warn(struct progress *p, const char *text)
{
	char *safe = presentable(p, text);

	pthread_mutex_lock(&p->lock);
	if (safe)
		SHOW(p, warned, safe);
	event_end(p);
	free(safe);
}

/* --- asked afterwards ----------------------------------------------------------------------- */

char *vertex_tail(struct vertex *v, size_t lines)
{
	char *text = NULL;
	size_t size, kept;
	FILE *f;

	if (!event_begin(v))
		return NULL;
	kept = v->tail_count < TAIL_LINES ? v->tail_count : TAIL_LINES;
	lines = lines < kept ? lines : kept;
	f = lines ? memory_stream_open(&text, &size) : NULL;
	if (f) {
		for (size_t i = v->tail_count - lines; i < v->tail_count; i++)
			fprintf(f, "%s\n", v->tail[i % TAIL_LINES]);
		if (fclose(f) != 0) {
			free(text);
			text = NULL;
		}
	}
	pthread_mutex_unlock(&v->progress->lock);
	return text;
}

const char *vertex_name(const struct vertex *v)
{
	return v->name;
}
