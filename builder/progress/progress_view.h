/* What a view of the progress sees: vertices, and the events that change them.
 *
 * progress.c keeps the state and hands every event to one view, a row of functions, while it holds
 * the lock. A view writes to progress->out, which is flushed after each event; text that it is given
 * is harmless already (safe_text.h).
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/queue.h>

#include "builder/progress/progress.h"

/* Lines kept per vertex for the error report; what a terminal shows of them while it runs. */
#define TAIL_LINES 20
#define TAIL_LINES_SHOWN 6
/* How much of one line is kept for the report. */
#define TAIL_LINE_MAX 1024

enum vertex_state {
	VERTEX_WAITING,
	VERTEX_RUNNING,
	VERTEX_CACHED, /* from here on it has ended */
	VERTEX_DONE,
	VERTEX_FAILED,
	VERTEX_CANCELLED,
};

/* Bytes of one thing on their way. */
struct movement {
	STAILQ_ENTRY(movement) next;
	char *what;
	int64_t done, total;             /* total -1: unknown */
	int64_t started_ns, shown_ns;    /* shown_ns: the view's, 0 when not shown yet */
};

/* A line under way: one per stream of a vertex. */
struct partial_line {
	char *text;
	size_t size, capacity;
	bool after_cr;                   /* what stands here is overwritten by what comes next */
};

struct vertex {
	struct progress *progress;       /* NULL: the silent one */
	STAILQ_ENTRY(vertex) next;
	unsigned number;                 /* from 1, in the order of starting */
	char *name;
	enum vertex_state state;
	char *failure;                   /* VERTEX_FAILED */
	int64_t started_ns, ended_ns;
	STAILQ_HEAD(, movement) movements;
	struct partial_line partial[2];  /* standard output, standard error */
	int64_t logged;                  /* bytes, for the limit */
	char *tail[TAIL_LINES];          /* a ring: line N is at N % TAIL_LINES */
	size_t tail_count;               /* lines ever */

	/* The plain view's: what waits until this vertex may speak. */
	bool introduced;
	char *waiting;
	size_t waiting_size;
	FILE *waiting_stream;
};

struct view {
	int (*begin)(struct progress *p, struct error *e);
	void (*started)(struct progress *p, struct vertex *v);
	void (*line)(struct progress *p, struct vertex *v, int stream, const char *text);
	void (*moved)(struct progress *p, struct vertex *v, struct movement *m);
	void (*note)(struct progress *p, struct vertex *v, const char *text);
	void (*ended)(struct progress *p, struct vertex *v);
	void (*warned)(struct progress *p, const char *text);
	/* Not locked any more; nothing happens after it. */
	void (*end)(struct progress *p, bool succeeded);
};

struct progress {
	const struct view *view;
	int fd;
	FILE *out;                       /* buffered; to FD, which may be gone */
	bool colour;
	const struct mask *mask;         /* secrets that nobody is to see; NULL: there are none */
	pthread_mutex_t lock;
	STAILQ_HEAD(, vertex) vertices;
	unsigned known, started, ended;  /* how many */
	int64_t began_ns;

	/* The plain view's: who speaks, since when, and when last. */
	struct vertex *speaker;
	int64_t speaker_since_ns, spoke_ns;
	bool spoke;                      /* something was written already */

	/* The terminal view's. */
	pthread_t painter;
	pthread_cond_t wake;
	bool painting, finished;
	unsigned painted_rows;           /* to go up before painting again */
	char *warnings;                  /* lines to stand above the view */
};

extern const struct view view_plain, view_tty, view_json;

int64_t progress_now_ns(void);

/* One more line of V that is shown while it runs, and when it fails. */
void progress_tail_add(struct vertex *v, const char *text);

static inline bool vertex_ended(const struct vertex *v)
{
	return v->state >= VERTEX_CACHED;
}

/* Seconds that V has run, until its end or NOW_NS. */
static inline double vertex_seconds(const struct vertex *v, int64_t now_ns)
{
	int64_t end = vertex_ended(v) ? v->ended_ns : now_ns;

	return v->started_ns ? (double)(end - v->started_ns) / 1e9 : 0;
}

/* "1.25MB", as docker writes sizes. */
#define SIZE_TEXT 24
char *progress_size(int64_t bytes, char text[static SIZE_TEXT]);
