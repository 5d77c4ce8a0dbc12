#include "parser/dockerfile.h"

#include <stdlib.h>
#include <string.h>
#include "parser/arena.h"
#include "parser/heredoc.h"
#include "parser/instruction.h"
#include "parser/place.h"

struct parser {
	struct dockerfile *file;
	struct lexer lexer;
	size_t capacity;
	bool has_stage;
	bool trigger;                   /* one instruction, to be done within a stage */
	bool out_of_memory;             /* for one more instruction; the arena knows of the rest */
};

static void record(struct dockerfile *file, const struct syntax_error *e)
{
	if (file->error_count == DOCKERFILE_ERRORS_MAX) {
		file->unreported++;
		return;
	}
	file->error = arena_room(file->memory, file->error, file->error_count, sizeof *e);
	if (file->error)
		file->error[file->error_count++] = *e;
}

static void complain(struct dockerfile *file, int line, const char *what)
{
	struct syntax_error e;

	syntax_error_set(&e, "%s", what);
	e.line = line;
	record(file, &e);
}

/* E is about IN, and what stands at its byte AT; NULL: all of it. */
static void complain_of(struct dockerfile *file, const struct instruction *in, const char *at,
                        struct syntax_error *e)
{
	struct place place = instruction_place(in, at);

	e->line = in->first_line;
	e->last_line = in->last_line;
	e->column = place.column;
	e->column_line = place.line;
	record(file, e);
}

static int append(struct parser *p, const struct instruction *instruction)
{
	struct dockerfile *file = p->file;

	if (file->count == p->capacity) {
		size_t capacity = p->capacity ? 2 * p->capacity : p->trigger ? 1 : 32;
		struct instruction *item = reallocarray(file->instruction, capacity, sizeof *item);

		if (!item) {
			p->out_of_memory = true;
			return -1;
		}
		file->instruction = item;
		p->capacity = capacity;
	}
	file->instruction[file->count++] = *instruction;
	return 0;
}

/* Find the comment check=skip=RULE,RULE; only the first counts, up to its first blank. */
static int read_check(struct arena *a, struct instruction *to)
{
	for (size_t i = 0; i < to->comments.count; i++) {
		const char *comment = to->comments.item[i], *value = comment + 5, *text;
		struct syntax_error unused;

		if (strncasecmp(comment, "check", 5) != 0)
			continue;
		value += strspn(value, " \t");
		if (*value++ != '=')
			continue;
		value += strspn(value, " \t");
		text = arena_text(a, value, strcspn(value, " \t"));
		if (!text)
			return -1;
		if (check_parse(text, &to->check, &unused) < 0)
			to->check = (struct check){ 0 };
		to->check.error = false;
		return 0;
	}
	return 0;
}

/* Whether TEXT has bytes that no text has, so that it is not worth going on. */
static bool is_garbage(const char *text)
{
	const char *end = text + strlen(text);
	uint32_t c;

	for (size_t n; (n = text_decode(text, end, &c)) > 0; text += n) {
		if (c >= TEXT_NOT_UTF8 || c < '\t' || (c > '\r' && c < ' '))
			return true;
	}
	return false;
}

static bool in_place(struct parser *p, const struct instruction *to)
{
	if (p->trigger || p->has_stage || to->keyword == KEYWORD_ARG)
		return true;
	/* A mistake above may have been the FROM. */
	if (!p->file->error_count) {
		struct syntax_error e;

		syntax_error_set(&e, "no build stage in current context");
		complain_of(p->file, to, NULL, &e);
	}
	p->has_stage = true;
	return false;
}

/* Parse one logical line. Returns -1 when it makes no sense to go on. */
static int parse_line(struct parser *p, const struct logical_line *line)
{
	struct dockerfile *file = p->file;
	struct instruction to = { .comments = line->comments, .empty_line = line->empty_line };
	struct syntax_error e = { 0 };
	struct reading r = {
		.memory = file->memory, .escape = file->escape, .to = &to,
		/* What nobody will read need not be written. */
		.e = file->error_count < DOCKERFILE_ERRORS_MAX ? &e : NULL,
	};
	int status = instruction_split(&r, line);

	if (status < 0 && !r.form && to.name && is_garbage(to.name)) {
		complain(file, line->first_line,
		         "this is not a Dockerfile: it has bytes that are no text");
		return -1;
	}
	if (status == 0 && instruction_takes_heredocs(&r)) {
		status = heredoc_read(&p->lexer, to.text, &to.heredocs, r.e);
		if (status < 0 && e.column)
			r.at = to.text + e.column - 1;
	}
	/* Of a document without an end nobody needs to see the rest of the file. */
	to.last_line = status < 0 ? line->last_line : p->lexer.line;
	if (r.form && to.keyword == KEYWORD_FROM)
		p->has_stage = true;
	if (status == 0)
		status = instruction_type(&r);
	if (status == 0)
		status = read_check(file->memory, &to);
	if (arena_exhausted(file->memory))
		return -1;
	if (status < 0)
		complain_of(file, &to, r.at, &e);
	else if (in_place(p, &to))
		return append(p, &to);
	return 0;
}

/* What is wrong with TEXT as a whole, or NULL; LINE is where. */
static const char *unreadable(const char *text, size_t size, int *line)
{
	const char *nul = size ? memchr(text, '\0', size) : NULL;

	*line = 1;
	if (size == 0)
		return "the Dockerfile cannot be empty";
	if (size > DOCKERFILE_SIZE_MAX)
		return "the Dockerfile is larger than 16 MiB";
	for (const char *p = text; nul && (p = memchr(p, '\n', nul - p)); p++)
		++*line;
	return nul ? "the Dockerfile has a NUL byte: it is not a text file, or not in UTF-8" : NULL;
}

/* Whether what is there makes a Dockerfile. */
static void check_whole(struct parser *p)
{
	struct dockerfile *file = p->file;
	const struct instruction *only = file->instruction;

	if (file->error_count)
		return;
	if (!file->count)
		complain(file, p->lexer.line, "file with no instructions");
	else if (!p->trigger && !p->has_stage)
		complain(file, p->lexer.line, "dockerfile contains no stages to build");
	else if (p->trigger && file->count > 1)
		complain(file, 1, "onbuild trigger should be a single expression");
	else if (p->trigger && (only->keyword == KEYWORD_FROM || only->keyword == KEYWORD_ONBUILD ||
	                        only->keyword == KEYWORD_MAINTAINER))
		complain(file, 1,
		         "FROM, ONBUILD and MAINTAINER aren't allowed as an ONBUILD trigger");
}

static int parse(struct parser *p, const char *text, size_t size)
{
	struct dockerfile *file = p->file;
	struct logical_line line;
	struct syntax_error e;
	const char *what;
	int status, where;

	what = unreadable(text, size, &where);
	if (what) {
		complain(file, where, what);
		return 0;
	}
	lexer_start(&p->lexer, file, text, size);
	while ((status = lexer_next(&p->lexer, &line, &e)) != 0) {
		if (arena_exhausted(file->memory))
			return -1;
		if (status < 0)
			record(file, &e);
		else if (parse_line(p, &line) < 0)
			break;
	}
	check_whole(p);
	return p->out_of_memory || arena_exhausted(file->memory) ? -1 : 0;
}

static struct dockerfile *start(const char *text, size_t size, bool trigger)
{
	struct dockerfile *file = calloc(1, sizeof *file);
	struct parser p = { .file = file, .trigger = trigger };

	if (!file)
		return NULL;
	file->escape = '\\';
	file->memory = arena_new();
	if (file->memory && parse(&p, text, size) == 0)
		return file;
	dockerfile_free(file);
	return NULL;
}

struct dockerfile *dockerfile_parse(const char *text, size_t size)
{
	return start(text, size, false);
}

struct dockerfile *dockerfile_parse_trigger(const char *text)
{
	return start(text, strlen(text), true);
}

void dockerfile_free(struct dockerfile *d)
{
	if (!d)
		return;
	arena_free(d->memory);
	free(d->instruction);
	free(d);
}
