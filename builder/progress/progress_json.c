/* JSON lines, for programs: each line is one object of BuildKit's SolveStatus.
 *
 *     {"vertexes":[{"digest":"sha256:..","name":"[2/5] RUN make","started":"..","completed":".."}]}
 *     {"logs":[{"vertex":"sha256:..","stream":1,"data":"aGVsbG8K","timestamp":".."}]}
 *
 * Source: BuildKit, client/graph.go; buildx --progress=rawjson.
 */
#include "builder/progress/progress_view.h"

#include <string.h>
#include <time.h>

#include "layers/digest.h"

/* Text here has no control character but a tab, and is UTF-8 (safe_text.h). */
static void string(FILE *out, const char *text)
{
	fputc('"', out);
	for (; *text; text++) {
		if (*text == '\t') {
			fputs("\\t", out);
			continue;
		}
		if (*text == '"' || *text == '\\')
			fputc('\\', out);
		fputc(*text, out);
	}
	fputc('"', out);
}

/* RFC 3339 with nanoseconds. AT_NS is monotonic; the wall clock is asked now. */
static void when(FILE *out, const char *key, int64_t at_ns)
{
	struct timespec wall;
	struct tm tm;
	char text[32];
	int64_t ns;

	clock_gettime(CLOCK_REALTIME, &wall);
	ns = wall.tv_sec * INT64_C(1000000000) + wall.tv_nsec - (progress_now_ns() - at_ns);
	gmtime_r(&(time_t){ ns / 1000000000 }, &tm);
	strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(out, ",\"%s\":\"%s.%09dZ\"", key, text, (int)(ns % 1000000000));
}

/* A vertex has no digest here; its number and name make one that is stable from build to build. */
static void identity(FILE *out, const char *key, const struct vertex *v)
{
	struct sha256 s;
	struct digest d;
	char text[DIGEST_TEXT];

	sha256_begin(&s);
	sha256_add(&s, &v->number, sizeof v->number);
	sha256_add(&s, v->name, strlen(v->name));
	sha256_end(&s, &d);
	fprintf(out, "\"%s\":\"%s\"", key, digest_format(&d, text));
}

/* RFC 4648, section 4. With a line end, where BuildKit's data has one. */
static void base64(FILE *out, const char *text, bool line_end)
{
	static const char letters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	size_t length = strlen(text), size = length + line_end;

	for (size_t i = 0; i < size; i += 3) {
		unsigned n = 0;

		for (size_t k = i; k < i + 3; k++)
			n = n << 8 | (unsigned char)(k < length ? text[k] : k < size ? '\n' : 0);
		for (size_t k = 0; k < 4; k++)
			fputc(i + k > size ? '=' : letters[n >> (18 - 6 * k) & 63], out);
	}
}

static void vertex(struct progress *p, struct vertex *v)
{
	fputs("{\"vertexes\":[{", p->out);
	identity(p->out, "digest", v);
	fputs(",\"name\":", p->out);
	string(p->out, v->name);
	when(p->out, "started", v->started_ns);
	if (vertex_ended(v))
		when(p->out, "completed", v->ended_ns);
	if (v->state == VERTEX_CACHED)
		fputs(",\"cached\":true", p->out);
	if (v->state == VERTEX_FAILED || v->state == VERTEX_CANCELLED) {
		fputs(",\"error\":", p->out);
		string(p->out, v->state == VERTEX_CANCELLED ? "context canceled"
		               : v->failure                 ? v->failure
		                                            : "");
	}
	fputs("}]}\n", p->out);
}

static void log_line(struct progress *p, struct vertex *v, int stream, const char *text)
{
	fputs("{\"logs\":[{", p->out);
	identity(p->out, "vertex", v);
	fprintf(p->out, ",\"stream\":%d,\"data\":\"", stream);
	base64(p->out, text, true);
	fputs("\"", p->out);
	when(p->out, "timestamp", progress_now_ns());
	fputs("}]}\n", p->out);
}

static void status(struct progress *p, struct vertex *v, struct movement *m)
{
	bool complete = m->total >= 0 && m->done >= m->total;

	fputs("{\"statuses\":[{\"id\":", p->out);
	string(p->out, m->what);
	fputc(',', p->out);
	identity(p->out, "vertex", v);
	if (m->total >= 0)
		fprintf(p->out, ",\"total\":%lld", (long long)m->total);
	fprintf(p->out, ",\"current\":%lld", (long long)m->done);
	when(p->out, "timestamp", progress_now_ns());
	when(p->out, "started", m->started_ns);
	if (complete)
		when(p->out, "completed", progress_now_ns());
	fputs("}]}\n", p->out);
}

static void note(struct progress *p, struct vertex *v, const char *text)
{
	log_line(p, v, 2, text);
}

static void warning(struct progress *p, const char *text)
{
	fputs("{\"warnings\":[{\"level\":1,\"short\":\"", p->out);
	base64(p->out, text, false);
	fputs("\"}]}\n", p->out);
}

const struct view view_json = {
	.started = vertex,
	.line = log_line,
	.moved = status,
	.note = note,
	.ended = vertex,
	.warned = warning,
};
