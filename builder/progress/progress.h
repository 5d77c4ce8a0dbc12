/* Progress is events. Steps emit them from any thread; one renderer turns them into a terminal view,
 * plain lines, JSON lines or nothing. Nothing else prints while a build runs.
 *
 * A vertex is one line of work that people follow: a step, a pull, an export. Output is rendered in
 * whole lines, so parallel steps never mix within one; control characters that could harm a
 * terminal are escaped.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/mask.h"
#include "layers/error.h"

enum progress_mode {
	PROGRESS_AUTO,    /* TTY on a terminal, else PLAIN */
	PROGRESS_PLAIN,
	PROGRESS_TTY,
	PROGRESS_RAWJSON,
	PROGRESS_QUIET,   /* nothing while it runs */
};

struct progress;
struct vertex; /* belongs to the progress it came from; freed with it */

/* Render to FD (borrowed). $BUILDKIT_PROGRESS and NO_COLOR are looked at by the caller. */
struct progress *progress_new(enum progress_mode mode, int fd, struct error *e);

/* Is colour welcome on a terminal? Not unless said. */
void progress_colour(struct progress *p, bool colour);

/* Hide these secrets in whatever is shown from now on. MASK (borrowed) outlives P. */
void progress_hide(struct progress *p, const struct mask *mask);

/* Everything is shown; the last summary line is printed. */
void progress_free(struct progress *p, bool succeeded);

/* A new vertex; shown when it starts. NAME is copied. Never NULL: without memory it is a silent
 * one. */
struct vertex *progress_vertex(struct progress *p, const char *name);

void vertex_start(struct vertex *v);
/* STREAM is 1 or 2. Any bytes, in any portions. */
void vertex_output(struct vertex *v, int stream, const void *bytes, size_t size);
/* Bytes moved of TOTAL (-1: unknown) for the thing called WHAT ("sha256:..", "layer 2"). */
void vertex_bytes(struct vertex *v, const char *what, int64_t done, int64_t total);
/* A line about it from us: why the cache missed, a warning. */
void vertex_note(struct vertex *v, const char *text);
void vertex_cached(struct vertex *v);
void vertex_done(struct vertex *v);
void vertex_failed(struct vertex *v, const char *text);
void vertex_cancelled(struct vertex *v);

/* A warning that belongs to no vertex. */
void progress_warn(struct progress *p, const char *text);

/* The last lines that V printed, for the error report; the caller frees it. NULL: none. */
char *vertex_tail(struct vertex *v, size_t lines);
const char *vertex_name(const struct vertex *v);
