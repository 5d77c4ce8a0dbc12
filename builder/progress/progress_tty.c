/* The terminal view: what runs now, painted over itself.
 *
 *     [+] Building 1.2s (3/7)
 *      => [stage 2/5] RUN make                                             0.9s
 *      => => # cc -c main.c
 *
 * Events only change the state; one thread paints it ten times a second, in one write, so that
 * nothing flickers and a million lines of output cost no painting. The cursor is never hidden:
 * whoever is killed leaves a usable terminal.
 */
#include "builder/progress/progress_view.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#define PAINT_NS 100000000
#define WIDTH_MIN 20

struct screen {
	int rows, columns;
};

static struct screen screen_of(const struct progress *p)
{
	struct winsize w = { 0 };

	if (ioctl(p->fd, TIOCGWINSZ, &w) < 0 || w.ws_col == 0 || w.ws_row == 0)
		return (struct screen){ 24, 80 };
	return (struct screen){ w.ws_row, w.ws_col < WIDTH_MIN ? WIDTH_MIN : w.ws_col };
}

/* How many bytes of TEXT fit in COLUMNS; *USED receives how many columns they take. Every character
 * counts as one column, those from U+1100 on as two: too narrow at worst. */
static size_t fit(const char *text, int columns, int *used)
{
	size_t i = 0;

	*used = 0;
	while (text[i]) {
		unsigned char c = (unsigned char)text[i];
		int wide = c >= 0xe2 ? 2 : 1;
		size_t next = i + 1;

		if (*used + wide > columns)
			break;
		while ((text[next] & 0xc0) == 0x80)
			next++;
		*used += wide;
		i = next;
	}
	return i;
}

/* One row, cut to the screen; RIGHT (may be "") stands at its end. */
static void row(struct progress *p, const struct screen *s, const char *colour, const char *text,
                const char *right)
{
	int room = s->columns - 1 - (int)strlen(right) - (*right ? 1 : 0), used;
	size_t size = fit(text, room, &used);
	bool paint = p->colour && *colour;

	fputs(paint ? colour : "", p->out);
	for (size_t i = 0; i < size; i++)
		fputc(text[i] == '\t' ? ' ' : text[i], p->out);
	if (*right)
		fprintf(p->out, "%*s %s", room - used, "", right);
	fputs(paint ? "\033[0m\033[K\n" : "\033[K\n", p->out);
	p->painted_rows++;
}

static void paint_movements(struct progress *p, const struct vertex *v, const struct screen *s)
{
	struct movement *m;

	STAILQ_FOREACH(m, &v->movements, next) {
		char done[SIZE_TEXT], total[SIZE_TEXT], right[2 * SIZE_TEXT + 4], text[160];

		if (m->done >= m->total && m->total >= 0)
			continue;
		snprintf(text, sizeof text, " => => %s", m->what);
		progress_size(m->done, done);
		if (m->total < 0)
			snprintf(right, sizeof right, "%s", done);
		else
			snprintf(right, sizeof right, "%s / %s", done, progress_size(m->total, total));
		row(p, s, "", text, right);
	}
}

static void paint_vertex(struct progress *p, const struct vertex *v, const struct screen *s,
                         int64_t now, bool with_log)
{
	static const struct {
		const char *word, *colour;
	} looks[] = {
		[VERTEX_WAITING] = { "", "" },         [VERTEX_RUNNING] = { "", "" },
		[VERTEX_CACHED] = { "CACHED ", "\033[34m" }, [VERTEX_DONE] = { "", "\033[34m" },
		[VERTEX_FAILED] = { "ERROR ", "\033[31m" },
		[VERTEX_CANCELLED] = { "CANCELED ", "\033[33m" },
	};
	char seconds[32];
	char *text = NULL;

	if (asprintf(&text, " => %s%s", looks[v->state].word, v->name) < 0)
		return;
	snprintf(seconds, sizeof seconds, "%.1fs", vertex_seconds(v, now));
	row(p, s, looks[v->state].colour, text, seconds);
	free(text);
	if (!with_log || vertex_ended(v))
		return;
	paint_movements(p, v, s);
	for (size_t i = v->tail_count > TAIL_LINES_SHOWN ? v->tail_count - TAIL_LINES_SHOWN : 0;
	     i < v->tail_count; i++) {
		const char *line = strchr(v->tail[i % TAIL_LINES], ' ');

		if (asprintf(&text, " => => #%s", line ? line : "") < 0)
			return;
		row(p, s, "", text, "");
		free(text);
	}
}

static size_t rows_of(const struct vertex *v)
{
	size_t log = v->tail_count < TAIL_LINES_SHOWN ? v->tail_count : TAIL_LINES_SHOWN;
	struct movement *m;

	if (v->state == VERTEX_WAITING)
		return 0;
	if (vertex_ended(v))
		return 1;
	STAILQ_FOREACH(m, &v->movements, next)
		log += m->total < 0 || m->done < m->total;
	return 1 + log;
}

/* Vertices in the order they came. Where the screen is too small those that have ended are left
 * out first, oldest first; then logs; then what is last. */
static void paint_vertices(struct progress *p, const struct screen *s, int64_t now, bool all)
{
	size_t wanted = 0, room = s->rows > 3 ? (size_t)s->rows - 2 : 1;
	struct vertex *v;
	bool with_log;

	STAILQ_FOREACH(v, &p->vertices, next)
		wanted += rows_of(v);
	STAILQ_FOREACH(v, &p->vertices, next) {
		size_t rows = rows_of(v);

		if (rows == 0)
			continue;
		if (!all && wanted > room && vertex_ended(v)) {
			wanted--;
			continue;
		}
		with_log = all || wanted <= room;
		if (!with_log)
			wanted -= rows - 1;
		if (!all && p->painted_rows > room)
			return;
		paint_vertex(p, v, s, now, with_log);
	}
}

/* Over what was painted before: warnings, which stay, then heading and vertices. */
static void paint(struct progress *p, bool last)
{
	struct screen s = screen_of(p);
	int64_t now = progress_now_ns();
	char heading[80];

	if (p->painted_rows)
		fprintf(p->out, "\033[%uA\r", p->painted_rows);
	fputs("\033[J", p->out);
	if (p->warnings) {
		fputs(p->warnings, p->out);
		free(p->warnings);
		p->warnings = NULL;
	}
	p->painted_rows = 0;
	snprintf(heading, sizeof heading, "[+] Building %.1fs (%u/%u)%s",
	         (double)(now - p->began_ns) / 1e9, p->ended, p->known, last ? " FINISHED" : "");
	row(p, &s, "", heading, "");
	paint_vertices(p, &s, now, last);
	fflush(p->out);
}

static void *painter(void *argument)
{
	struct progress *p = argument;
	struct timespec until;

	pthread_mutex_lock(&p->lock);
	clock_gettime(CLOCK_MONOTONIC, &until);
	while (!p->finished) {
		until.tv_nsec += PAINT_NS;
		if (until.tv_nsec >= 1000000000) {
			until.tv_nsec -= 1000000000;
			until.tv_sec++;
		}
		pthread_cond_timedwait(&p->wake, &p->lock, &until);
		if (!p->finished && p->started)
			paint(p, false);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

/* A build without a painter is still painted: once, at its end. */
static int tty_begin(struct progress *p, struct error *e)
{
	pthread_condattr_t monotonic;

	(void)e;
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	p->painting = pthread_create(&p->painter, NULL, painter, p) == 0;
	return 0;
}

static void tty_warned(struct progress *p, const char *text)
{
	char *all = NULL;

	if (asprintf(&all, "%sWARNING: %s\n", p->warnings ? p->warnings : "", text) < 0)
		return;
	free(p->warnings);
	p->warnings = all;
}

static void tty_note(struct progress *p, struct vertex *v, const char *text)
{
	(void)p;
	progress_tail_add(v, text);
}

static void tty_end(struct progress *p, bool succeeded)
{
	(void)succeeded;
	pthread_mutex_lock(&p->lock);
	p->finished = true;
	pthread_cond_signal(&p->wake);
	pthread_mutex_unlock(&p->lock);
	if (p->painting)
		pthread_join(p->painter, NULL);
	if (p->started || p->warnings)
		paint(p, true);
	pthread_cond_destroy(&p->wake);
}

const struct view view_tty = {
	.begin = tty_begin,
	.note = tty_note,
	.warned = tty_warned,
	.end = tty_end,
};
