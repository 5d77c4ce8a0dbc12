/* The plain view: lines that can be read in a log, in BuildKit's format.
 *
 *     #5 [stage 2/5] RUN make
 *     #5 0.123 cc -c main.c
 *     #5 DONE 0.3s
 *
 * One vertex speaks at a time. Others that run beside it wait with their lines until it ends, has
 * been silent for a while, or has spoken long enough; so parallel steps can be read. Who waits with
 * too much is heard at once: that bounds the memory.
 */
#include "builder/progress/progress_view.h"
#include "layers/memory_stream.h"

#include <stdlib.h>
#include <string.h>

#define SPEAK_NS_MAX INT64_C(5000000000)
#define SILENCE_NS INT64_C(500000000)
#define WAITING_SIZE_MAX (64 << 10)
/* How often bytes on their way are worth a line, and how many are worth one at their end. */
#define MOVED_NS INT64_C(1000000000)
#define MOVED_SIZE_MIN 1000000

static bool may_speak(const struct progress *p, const struct vertex *v, int64_t now)
{
	return !p->speaker || p->speaker == v || vertex_ended(p->speaker) ||
	       now - p->speaker_since_ns > SPEAK_NS_MAX || now - p->spoke_ns > SILENCE_NS ||
	       v->waiting_size > WAITING_SIZE_MAX;
}

/* V speaks from now on: its heading, then what has waited. */
static void give_word(struct progress *p, struct vertex *v, int64_t now)
{
	if (p->speaker == v)
		return;
	if (p->speaker && !vertex_ended(p->speaker))
		fprintf(p->out, "#%u ...\n", p->speaker->number);
	if (p->spoke)
		fputc('\n', p->out);
	fprintf(p->out, "#%u %s\n", v->number, v->name);
	v->introduced = true;
	p->spoke = true;
	p->speaker = v;
	p->speaker_since_ns = now;
	if (v->waiting_stream) {
		fclose(v->waiting_stream);
		fwrite(v->waiting, 1, v->waiting_size, p->out);
		free(v->waiting);
		v->waiting_stream = NULL;
		v->waiting = NULL;
		v->waiting_size = 0;
	}
}

/* Where V writes now: to the reader, or to what waits. NULL when memory is out. */
static FILE *voice(struct progress *p, struct vertex *v)
{
	int64_t now = progress_now_ns();

	if (may_speak(p, v, now)) {
		give_word(p, v, now);
		p->spoke_ns = now;
		return p->out;
	}
	if (!v->waiting_stream)
		v->waiting_stream = memory_stream_open(&v->waiting, &v->waiting_size);
	return v->waiting_stream;
}

/* What was written to a stream in memory is counted when it is flushed. */
static void spoken(struct vertex *v, FILE *f)
{
	if (f == v->waiting_stream)
		fflush(f);
}

static void plain_started(struct progress *p, struct vertex *v)
{
	if (!p->speaker || vertex_ended(p->speaker)) {
		give_word(p, v, v->started_ns);
		p->spoke_ns = v->started_ns;
	}
}

static void plain_line(struct progress *p, struct vertex *v, int stream, const char *text)
{
	FILE *f = voice(p, v);

	(void)stream;
	if (!f)
		return;
	fprintf(f, "#%u %.3f %s\n", v->number, vertex_seconds(v, progress_now_ns()), text);
	spoken(v, f);
}

static void plain_moved(struct progress *p, struct vertex *v, struct movement *m)
{
	char done[SIZE_TEXT], total[SIZE_TEXT];
	int64_t now = progress_now_ns();
	bool complete = m->total >= 0 && m->done >= m->total;
	FILE *f;

	if (m->shown_ns == INT64_MAX)
		return;
	if ((!complete || m->total < MOVED_SIZE_MIN) &&
	    now - (m->shown_ns ? m->shown_ns : m->started_ns) < MOVED_NS)
		return;
	f = voice(p, v);
	if (!f)
		return;
	progress_size(m->done, done);
	fprintf(f, "#%u %s %s", v->number, m->what, done);
	if (m->total >= 0)
		fprintf(f, " / %s", progress_size(m->total, total));
	fprintf(f, " %.1fs%s\n", (double)(now - m->started_ns) / 1e9, complete ? " done" : "");
	spoken(v, f);
	m->shown_ns = complete ? INT64_MAX : now;
}

static void plain_note(struct progress *p, struct vertex *v, const char *text)
{
	FILE *f = voice(p, v);

	if (!f)
		return;
	fprintf(f, "#%u %s\n", v->number, text);
	spoken(v, f);
}

static void plain_ended(struct progress *p, struct vertex *v)
{
	struct vertex *next;

	give_word(p, v, v->ended_ns);
	fprintf(p->out, "#%u ", v->number);
	switch (v->state) {
	case VERTEX_CACHED: fputs("CACHED\n", p->out); break;
	case VERTEX_FAILED: fprintf(p->out, "ERROR: %s\n", v->failure ? v->failure : ""); break;
	case VERTEX_CANCELLED: fputs("CANCELED\n", p->out); break;
	default: fprintf(p->out, "DONE %.1fs\n", vertex_seconds(v, v->ended_ns));
	}
	STAILQ_FOREACH(next, &p->vertices, next) {
		if (next->waiting_stream && !vertex_ended(next)) {
			give_word(p, next, v->ended_ns);
			p->spoke_ns = v->ended_ns;
			return;
		}
	}
}

static void plain_warned(struct progress *p, const char *text)
{
	fprintf(p->out, "WARNING: %s\n", text);
}

const struct view view_plain = {
	.started = plain_started,
	.line = plain_line,
	.moved = plain_moved,
	.note = plain_note,
	.ended = plain_ended,
	.warned = plain_warned,
};
