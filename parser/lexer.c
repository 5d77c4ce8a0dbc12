#include "parser/lexer.h"

#include <ctype.h>
#include <string.h>
#include "parser/arena.h"
#include "parser/json.h"
#include "parser/words.h"

void lexer_start(struct lexer *l, struct dockerfile *file, const char *text, size_t size)
{
	*l = (struct lexer){ .at = text, .end = text + size, .file = file };
	if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		l->mark_size = 3;
	l->at += l->mark_size;
}

struct slice lexer_without_end(struct slice line)
{
	while (line.end > line.at && (line.end[-1] == '\n' || line.end[-1] == '\r'))
		line.end--;
	return line;
}

int lexer_raw(struct lexer *l, struct slice *with_end, struct syntax_error *e)
{
	const char *newline;

	if (l->at == l->end)
		return 0;
	newline = memchr(l->at, '\n', l->end - l->at);
	*with_end = (struct slice){ l->at, newline ? newline + 1 : l->end };
	l->at = with_end->end;
	l->line++;
	if (with_end->end - with_end->at - (newline != NULL) <= DOCKERFILE_LINE_MAX)
		return 1;
	syntax_error_set(e, "dockerfile line greater than max allowed size of %d",
	                 DOCKERFILE_LINE_MAX);
	if (e)
		e->line = l->line;
	return -1;
}

/* --- directives ------------------------------------------------------------------------------ */

/* Keep VALUE of the directive KEY. Returns 1, 0 when there is no such directive, -1 and E. */
static int directive(struct lexer *l, struct slice key, const char *value, struct syntax_error *e)
{
	struct dockerfile *file = l->file;
	const char *escape;
	struct {
		const char *name, **value;
		int *line;
	} known[] = {
		{ "syntax", &file->syntax, &file->syntax_line },
		{ "check", &file->check_text, &file->check_line },
		{ "escape", &escape, &file->escape_line },
	};
	size_t size = key.end - key.at;

	for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
		if (strncasecmp(known[i].name, key.at, size) != 0 || known[i].name[size])
			continue;
		if (*known[i].line)
			return syntax_error_set(e, "only one %s parser directive can be used",
			                        known[i].name);
		*known[i].value = value;
		*known[i].line = l->line;
		if (known[i].line == &file->check_line)
			return check_parse(value, &file->check, e) < 0 ? -1 : 1;
		if (known[i].line != &file->escape_line)
			return 1;
		if (l->is_script) {
			file->escape_line = 0;
			return 1;
		}
		if (strcmp(value, "\\") != 0 && strcmp(value, "`") != 0)
			return syntax_error_set(e, "invalid escape token '%s' does not match "
			                           "` or \\", value);
		file->escape = *value;
		return 1;
	}
	return 0;
}

/* Read the COMMENT, which begins with MARK bytes, "#" or "//", as "key = value". Returns 1 when it
 * is a directive, 0 when it is none, after which none can follow, or -1 and E, whose column is that
 * of the value in COMMENT.
 */
static int read_directive(struct lexer *l, struct slice comment, size_t mark,
                          struct syntax_error *e)
{
	struct slice key = text_trim_left((struct slice){ comment.at + mark, comment.end }), value;
	const char *text, *at = key.at;
	int status;

	while (at < key.end && isascii(*at) && (at > key.at ? isalnum(*at) : isalpha(*at)))
		at++;
	value = text_trim_left((struct slice){ at, key.end });
	key.end = at;
	if (key.end == key.at || value.at == value.end || *value.at != '=')
		return 0;
	value = text_trim((struct slice){ value.at + 1, value.end });
	if (value.at == value.end)
		return 0;
	text = arena_text(l->file->memory, value.at, value.end - value.at);
	status = text ? directive(l, key, text, e) : -1;
	if (status < 0 && e)
		e->column = value.at - comment.at + 1;
	return status;
}

/* The syntax directive in the spellings that files of other languages have: "// syntax = value" and
 * a line {"syntax": "value"}. Returns as read_directive does.
 */
static int read_foreign_syntax(struct lexer *l, struct slice line, struct syntax_error *e)
{
	static const char name[] = "syntax";
	const char *text, *value;
	struct slice key;

	if (line.end - line.at > 2 && memcmp(line.at, "//", 2) == 0) {
		key = text_trim_left((struct slice){ line.at + 2, line.end });
		if ((size_t)(key.end - key.at) <= strlen(name) ||
		    strncasecmp(key.at, name, strlen(name)) != 0)
			return 0;
		return read_directive(l, line, 2, e);
	}
	if (line.at == line.end || *line.at != '{')
		return 0;
	text = arena_text(l->file->memory, line.at, line.end - line.at);
	value = text ? json_member(l->file->memory, text, name) : NULL;
	return value ? directive(l, (struct slice){ name, name + strlen(name) }, value, e) : 0;
}

/* --- lines ----------------------------------------------------------------------------------- */

static bool is_comment(struct slice line)
{
	line = text_trim_left(line);
	return line.at < line.end && *line.at == '#';
}

/* Take the escape and the blanks behind it off a line that is continued. Two escapes do not
 * continue, nor do three, as in BuildKit.
 */
static bool is_continued(struct slice *line, char escape)
{
	const char *end = line->end;

	while (end > line->at && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	if (end == line->at || end[-1] != escape || (end - line->at > 1 && end[-2] == escape))
		return false;
	line->end = end - 1;
	return true;
}

/* Join FIRST with the lines that continue it, to OUT with their JOINTS, or nowhere when these are
 * NULL. Returns the size, or -1 and E, behind the whole line in every case.
 */
static long join(struct lexer *l, struct slice first, struct logical_line *line, char *out,
                 struct joint *joint, struct syntax_error *e)
{
	bool continued = is_continued(&first, l->file->escape), failed = false;
	long size = first.end - first.at;
	struct slice part;
	int status;

	line->joint_count = 0;
	if (out)
		out = mempcpy(out, first.at, size);
	while (continued && (status = lexer_raw(l, &part, failed ? NULL : e)) != 0) {
		failed |= status < 0;
		part = lexer_without_end(part);
		if (failed || is_comment(part))
			continue;
		if (text_trim_left(part).at == part.end) {
			line->empty_line = line->empty_line ? line->empty_line : l->line;
			continue;
		}
		continued = is_continued(&part, l->file->escape);
		if (out) {
			joint[line->joint_count] = (struct joint){ size, l->line };
			out = mempcpy(out, part.at, part.end - part.at);
		}
		line->joint_count++;
		size += part.end - part.at;
	}
	line->last_line = l->line;
	return failed ? -1 : size;
}

static int add_comment(struct lexer *l, struct slice line)
{
	struct slice comment = text_trim((struct slice){ line.at + 1, line.end });
	const char *text;

	if (comment.at == comment.end) {        /* a lone # parts those above from those below */
		l->comments = (struct words){ 0 };
		return 0;
	}
	text = arena_text(l->file->memory, comment.at, comment.end - comment.at);
	return text ? words_add(l->file->memory, &l->comments, text) : -1;
}

/* A line that is a comment, perhaps a directive. */
static int comment(struct lexer *l, struct slice line, struct syntax_error *e)
{
	int status;

	l->is_script |= l->line == 1 && line.end - line.at > 1 && line.at[1] == '!';
	if (l->is_script && l->line == 1)
		return 0;
	status = l->directives_done ? 0 : read_directive(l, line, 1, e);
	if (status < 0 && e)
		e->line = l->line;
	l->directives_done |= status == 0;
	return status == 0 ? add_comment(l, line) : status < 0 ? -1 : 0;
}

/* Pass by comments and blank lines. Returns 1 and the FIRST line of an instruction, of which only
 * blanks in front are gone, 0 at the end, or -1 and E.
 */
static int first_line(struct lexer *l, struct slice *first, int *column, struct syntax_error *e)
{
	struct slice line;
	int status;

	while ((status = lexer_raw(l, &line, e)) > 0) {
		line = lexer_without_end(line);
		*first = text_trim_left(line);
		*column = first->at - line.at + 1 + (l->line == 1 ? l->mark_size : 0);
		if (is_comment(line)) {
			if (comment(l, *first, e) < 0) {
				if (e)
					e->column += *column - 1;
				return -1;
			}
			continue;
		}
		status = l->directives_done ? 0 : read_foreign_syntax(l, *first, e);
		if (status < 0) {
			if (e)
				e->line = l->line;
			return -1;
		}
		if (status > 0)
			continue;
		l->directives_done = true;
		if (first->at < first->end)
			return 1;
	}
	return status;
}

int lexer_next(struct lexer *l, struct logical_line *line, struct syntax_error *e)
{
	struct joint *joint = NULL;
	struct slice first;
	struct lexer ahead;
	char *text;
	long size;
	int status;

	*line = (struct logical_line){ 0 };
	status = first_line(l, &first, &line->column, e);
	if (status <= 0)
		return status;
	line->first_line = l->line;
	line->comments = l->comments;
	l->comments = (struct words){ 0 };
	ahead = *l;
	size = join(&ahead, first, line, NULL, NULL, e);
	if (size < 0) {
		*l = ahead;
		return -1;
	}
	text = arena_array(l->file->memory, size + 1, 1);
	if (line->joint_count > 0)
		joint = arena_array(l->file->memory, line->joint_count, sizeof *joint);
	if (!text || (line->joint_count > 0 && !joint))
		return -1;
	join(l, first, line, text, joint, e);
	line->text = text;
	line->joint = joint;
	line->size = size;
	return 1;
}
