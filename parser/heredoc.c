#include "parser/heredoc.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include "parser/arena.h"
#include "parser/expand.h"

static size_t quotes(const char *text)
{
	size_t n = 0;

	for (; *text; text++)
		n += *text == '\'' || *text == '"';
	return n;
}

/* The word that REST is, in memory of A, or NULL when it is none or several; RAW keeps quotes. */
static const char *only_word(struct arena *a, const char *rest, bool raw, struct syntax_error *e)
{
	size_t count;
	char **words = expand_nothing(rest, raw, &count, e);
	const char *word = words && count == 1 ? arena_text(a, *words, strlen(*words)) : NULL;

	free(words);
	return word;
}

int heredoc_opener(struct arena *a, const char *word, struct heredoc *doc, struct syntax_error *e)
{
	const char *p = word + strspn(word, "0123456789");
	long descriptor = p > word ? strtol(word, NULL, 10) : 0;
	struct syntax_error cause = { 0 };
	const char *raw;

	if (strncmp(p, "<<", 2) != 0)
		return 0;
	p += 2;
	*doc = (struct heredoc){ .chomp = *p == '-' };
	p += doc->chomp;
	p += strspn(p, "\t\n\f\r ");
	if (!*p || strchr(p, '<'))
		return 0;
	doc->name = only_word(a, p, false, &cause);
	raw = doc->name ? only_word(a, p, true, &cause) : NULL;
	if (!raw && !cause.text[0])
		return 0;
	if (!raw)
		return syntax_error_set(e, "%s", cause.text);
	doc->expand = quotes(raw) == quotes(doc->name);
	doc->descriptor = descriptor < INT_MAX ? (int)descriptor : INT_MAX;
	return 1;
}

/* CONTENT without the tabs that its lines begin with. */
static const char *without_tabs(struct arena *a, const char *content)
{
	char *body = arena_text(a, content, strlen(content)), *out = body;

	if (!body)
		return NULL;
	for (const char *p = content, *end; *p; p = end) {
		p += strspn(p, "\t");
		end = strchrnul(p, '\n');
		end += *end == '\n';
		out = mempcpy(out, p, end - p);
	}
	*out = '\0';
	return body;
}

static bool closes(struct slice line, const struct heredoc *doc)
{
	size_t size = strlen(doc->name);

	line = lexer_without_end(line);
	while (doc->chomp && line.at < line.end && *line.at == '\t')
		line.at++;
	return (size_t)(line.end - line.at) == size && memcmp(line.at, doc->name, size) == 0;
}

static int read_body(struct lexer *l, struct heredoc *doc, struct syntax_error *e)
{
	const char *start = l->at;
	bool failed = false;
	struct slice line;
	int status;

	doc->first_line = l->line + 1;
	while ((status = lexer_raw(l, &line, failed ? NULL : e)) != 0) {
		failed |= status < 0;
		if (!closes(line, doc))
			continue;
		doc->content = arena_text(l->file->memory, start, line.at - start);
		if (!doc->content)
			return -1;
		doc->body = doc->chomp ? without_tabs(l->file->memory, doc->content) : doc->content;
		return failed || !doc->body ? -1 : 0;
	}
	return failed ? -1 : syntax_error_set(e, "unterminated heredoc");
}

/* Of WORD in LINE, from 1; 0 when it does not stand there like that. */
static int column_of(const char *line, const char *word)
{
	const char *at = strstr(line, word);

	return at ? at - line + 1 : 0;
}

int heredoc_read(struct lexer *l, const char *line, struct heredocs *docs, struct syntax_error *e)
{
	struct arena *a = l->file->memory;
	char **words;
	size_t count;
	int status = 0;

	/* What a shell could not read has no here-documents: the shell will say so. */
	errno = 0;
	words = expand_nothing(line, true, &count, NULL);
	if (!words)
		return errno == ENOMEM ? syntax_error_set(e, "out of memory") : 0;
	for (size_t i = 0; status >= 0 && i < count; i++) {
		struct heredoc doc;

		status = heredoc_opener(a, words[i], &doc, e);
		if (status > 0) {
			if (!docs->item)
				docs->item = arena_array(a, count - i, sizeof doc);
			status = docs->item ? read_body(l, &doc, e) : -1;
			if (status == 0)
				docs->item[docs->count++] = doc;
		}
		if (status < 0 && e)
			e->column = column_of(line, words[i]);
	}
	free(words);
	return status < 0 ? -1 : 0;
}
