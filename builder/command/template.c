#include "builder/command/template.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layers/memory_stream.h"
#include "layers/scope.h"

/* {{range}} in {{if}} in ...: more is a mistake. */
#define DEPTH_MAX 32
#define WORDS_MAX 8

struct writing {
	const char *at;   /* what is left of the template */
	FILE *out;
	bool trim;        /* the last action ended with "-}}" */
	int depth;
	struct error *e;
};

/* --- values ----------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_value(const json_t *value, FILE *out);

/* Go prints maps sorted by key. */
static void print_map(const json_t *map, FILE *out)
{
	size_t count = 0;
	auto_free const char **keys = calloc(json_object_size(map) + 1, sizeof *keys);
	const char *key;
	json_t *item;

	json_object_foreach((json_t *)map, key, item)
		if (keys)
			keys[count++] = key;
	if (count > 0)
		qsort(keys, count, sizeof *keys, by_key);
	fputs("map[", out);
	for (size_t i = 0; i < count; i++) {
		fprintf(out, i ? " %s:" : "%s:", keys[i]);
		print_value(json_object_get(map, keys[i]), out);
	}
	fputc(']', out);
}

static void print_value(const json_t *value, FILE *out)
{
	json_t *item;
	size_t i;

	if (!value || json_is_null(value)) {
		fputs(value ? "<nil>" : "<no value>", out);
	} else if (json_is_string(value)) {
		fwrite(json_string_value(value), json_string_length(value), 1, out);
	} else if (json_is_integer(value)) {
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
	} else if (json_is_real(value)) {
		fprintf(out, "%g", json_real_value(value));
	} else if (json_is_boolean(value)) {
		fputs(json_is_true(value) ? "true" : "false", out);
	} else if (json_is_object(value)) {
		print_map(value, out);
	} else {
		fputc('[', out);
		json_array_foreach(value, i, item) {
			if (i > 0)
				fputc(' ', out);
			print_value(item, out);
		}
		fputc(']', out);
	}
}

static bool is_true(const json_t *value)
{
	return value && !json_is_null(value) && !json_is_false(value) &&
	       !(json_is_string(value) && json_string_length(value) == 0) &&
	       !(json_is_integer(value) && json_integer_value(value) == 0) &&
	       !(json_is_array(value) && json_array_size(value) == 0) &&
	       !(json_is_object(value) && json_object_size(value) == 0);
}

/* What print_value prints, as a string value. */
static json_t *printed(const json_t *value)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

	if (!f)
		return NULL;
	print_value(value, f);
	return fclose(f) == 0 ? json_stringn_nocheck(text, size) : NULL;
}

/* --- functions -------------------------------------------------------------------------------- */

/* The arguments; a pipeline's value comes last. */
typedef json_t *function(json_t *const *argument, size_t count);

static json_t *call_json(json_t *const *argument, size_t count)
{
	auto_free char *text = argument[count - 1] ? json_text(argument[count - 1], NULL)
	                                           : strdup("null");

	return text ? json_string_nocheck(text) : NULL;
}

static json_t *call_index(json_t *const *argument, size_t count)
{
	json_t *value = argument[0];

	for (size_t i = 1; i < count; i++)
		value = json_is_array(value)
		                ? json_array_get(value, (size_t)json_integer_value(argument[i]))
		                : json_object_get(value, json_is_string(argument[i])
		                                                 ? json_string_value(argument[i])
		                                                 : "");
	return json_incref(value);
}

static json_t *call_len(json_t *const *argument, size_t count)
{
	const json_t *value = argument[count - 1];
	size_t size = json_is_string(value)  ? json_string_length(value)
	              : json_is_array(value) ? json_array_size(value)
	                                     : json_object_size(value);

	return json_integer((json_int_t)size);
}

static json_t *call_join(json_t *const *argument, size_t count)
{
	const char *between = count > 1 ? json_string_value(argument[1]) : NULL;
	auto_free char *text = NULL;
	size_t size, i;
	FILE *f = memory_stream_open(&text, &size);
	json_t *item;

	if (!f)
		return NULL;
	json_array_foreach(argument[0], i, item) {
		fputs(i > 0 && between ? between : "", f);
		print_value(item, f);
	}
	return fclose(f) == 0 ? json_stringn_nocheck(text, size) : NULL;
}

static json_t *change_case(const json_t *value, int (*change)(int))
{
	auto_free char *text = strdup(json_is_string(value) ? json_string_value(value) : "");

	for (char *p = text; p && *p; p++)
		*p = (char)change((unsigned char)*p);
	return text ? json_string_nocheck(text) : NULL;
}

static json_t *call_lower(json_t *const *argument, size_t count)
{
	return change_case(argument[count - 1], tolower);
}

static json_t *call_upper(json_t *const *argument, size_t count)
{
	return change_case(argument[count - 1], toupper);
}

static json_t *call_println(json_t *const *argument, size_t count)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; i < count; i++) {
		fputs(i ? " " : "", f);
		print_value(argument[i], f);
	}
	fputc('\n', f);
	return fclose(f) == 0 ? json_stringn_nocheck(text, size) : NULL;
}

static json_t *call_slice(json_t *const *argument, size_t count)
{
	const char *text = json_is_string(argument[0]) ? json_string_value(argument[0]) : "";
	size_t length = strlen(text);
	size_t from = count > 1 ? (size_t)json_integer_value(argument[1]) : 0;
	size_t to = count > 2 ? (size_t)json_integer_value(argument[2]) : length;

	if (to > length)
		to = length;
	return json_stringn_nocheck(text + (from < to ? from : to), from < to ? to - from : 0);
}

static json_t *call_eq(json_t *const *argument, size_t count)
{
	return json_boolean(count == 2 && json_equal(argument[0], argument[1]));
}

static json_t *call_print(json_t *const *argument, size_t count)
{
	return printed(argument[count - 1]);
}

static const struct {
	const char *name;
	function *call;
} functions[] = {
	{ "json", call_json },   { "index", call_index },     { "len", call_len },
	{ "join", call_join },   { "lower", call_lower },     { "upper", call_upper },
	{ "slice", call_slice }, { "println", call_println }, { "print", call_print },
	{ "eq", call_eq },
};

static function *function_named(const char *name, size_t length)
{
	for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
		if (strlen(functions[i].name) == length && strncmp(functions[i].name, name, length) == 0)
			return functions[i].call;
	return NULL;
}

/* --- actions ---------------------------------------------------------------------------------- */

/* ".Config.Env" of VALUE. */
static json_t *follow_path(const char *path, size_t length, json_t *value)
{
	const char *end = path + length;

	while (path < end && value) {
		const char *dot = memchr(path + 1, '.', (size_t)(end - path - 1));
		auto_free char *key = strndup(path + 1, (size_t)((dot ? dot : end) - path - 1));

		if (key && *key)
			value = json_object_get(value, key);
		path = dot ? dot : end;
	}
	return json_incref(value);
}

static int unexpected(struct writing *w, const char *text, size_t length)
{
	return error_set(w->e, ERROR_INPUT, "template parsing error: unexpected \"%.*s\"",
	                 (int)length, text);
}

/* The word at *TEXT as a value: a path, a string, a number; *CALL instead when it is a function. */
static int read_word(struct writing *w, const char **text, const char *end, json_t *dot,
                     json_t **value, function **call)
{
	const char *start = *text;
	size_t length;

	*call = NULL;
	if (*start == '"' || *start == '`') {
		const char *close = memchr(start + 1, *start, (size_t)(end - start - 1));

		if (!close)
			return unexpected(w, start, (size_t)(end - start));
		*value = json_stringn(start + 1, (size_t)(close - start - 1));
		*text = close + 1;
		return 0;
	}
	while (*text < end && !isspace((unsigned char)**text) && **text != '|')
		(*text)++;
	length = (size_t)(*text - start);
	if (*start == '.')
		*value = follow_path(start, length, dot);
	else if (isdigit((unsigned char)*start))
		*value = json_integer(strtoll(start, NULL, 10));
	else if ((*call = function_named(start, length)))
		*value = NULL;
	else
		return error_set(w->e, ERROR_INPUT,
		                 "template parsing error: function \"%.*s\" not defined", (int)length, start);
	return 0;
}

/* One command of a pipeline, "index .A 3"; *VALUE is what came before and what comes out. */
static int run_command(struct writing *w, const char **text, const char *end, json_t *dot,
                       bool piped, json_t **value)
{
	json_t *word[WORDS_MAX + 1] = { NULL };
	function *call = NULL;
	size_t count = 0;
	int result = 0;

	while (result == 0 && *text < end && **text != '|') {
		function *other;

		if (isspace((unsigned char)**text)) {
			(*text)++;
			continue;
		}
		if (count == WORDS_MAX)
			result = unexpected(w, *text, (size_t)(end - *text));
		else
			result = read_word(w, text, end, dot, &word[count], &other);
		if (result == 0 && other && (call || count > 0))
			result = unexpected(w, *text, 0);
		else if (result == 0 && other)
			call = other;
		else if (result == 0)
			count++;
	}
	if (result == 0 && piped)
		word[count++] = json_incref(*value);
	if (result == 0 && (count == 0 || (!call && count > 1)))
		result = error_set(w->e, ERROR_INPUT, "template parsing error: missing value for command");
	json_decref(*value);
	*value = NULL;
	if (result == 0)
		*value = call ? call(word, count) : json_incref(word[0]);
	for (size_t i = 0; i < count; i++)
		json_decref(word[i]);
	return result;
}

/* A whole pipeline. The caller drops *VALUE, which may be NULL. */
static int evaluate(struct writing *w, const char *text, const char *end, json_t *dot,
                    json_t **value)
{
	bool piped = false;

	*value = NULL;
	for (;; piped = true) {
		if (run_command(w, &text, end, dot, piped, value) < 0)
			return -1;
		if (text >= end)
			return 0;
		text++; /* the '|' */
	}
}

/* --- blocks ----------------------------------------------------------------------------------- */

enum stop { STOP_FAILED = -1, STOP_END_OF_TEXT, STOP_ELSE, STOP_END };

static enum stop write_block(struct writing *w, json_t *dot, bool show);

static int write_if(struct writing *w, const char *text, const char *end, json_t *dot, bool show)
{
	json_t *value;
	bool holds;
	enum stop stop;

	if (evaluate(w, text, end, dot, &value) < 0)
		return -1;
	holds = is_true(value);
	json_decref(value);
	stop = write_block(w, dot, show && holds);
	if (stop == STOP_ELSE)
		stop = write_block(w, dot, show && !holds);
	if (stop == STOP_END_OF_TEXT)
		error_set(w->e, ERROR_INPUT, "template parsing error: unexpected EOF");
	return stop == STOP_END ? 0 : -1;
}

static int write_range(struct writing *w, const char *text, const char *end, json_t *dot, bool show)
{
	const char *body = w->at, *key;
	enum stop stop = STOP_END;
	bool trim = w->trim, any = false;
	json_t *value, *item;
	size_t i;

	if (evaluate(w, text, end, dot, &value) < 0)
		return -1;
	json_array_foreach(value, i, item) {
		w->at = body;
		w->trim = trim;
		any = true;
		if ((stop = write_block(w, item, show)) < 0)
			break;
	}
	json_object_foreach(value, key, item) {
		w->at = body;
		w->trim = trim;
		any = true;
		if ((stop = write_block(w, item, show)) < 0)
			break;
	}
	json_decref(value);
	if (!any)
		stop = write_block(w, dot, false);
	if (stop == STOP_ELSE)
		stop = write_block(w, dot, show && !any);
	if (stop == STOP_END_OF_TEXT)
		error_set(w->e, ERROR_INPUT, "template parsing error: unexpected EOF");
	return stop == STOP_END ? 0 : -1;
}

static bool begins(const char *text, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - text) >= length && strncmp(text, word, length) == 0 &&
	       (text + length == end || isspace((unsigned char)text[length]));
}

/* One {{action}} between TEXT and END. */
static enum stop write_action(struct writing *w, const char *text, const char *end, json_t *dot,
                              bool show)
{
	json_t *value;
	int result;

	while (text < end && isspace((unsigned char)*text))
		text++;
	while (end > text && isspace((unsigned char)end[-1]))
		end--;
	if (begins(text, end, "end"))
		return STOP_END;
	if (begins(text, end, "else"))
		return STOP_ELSE;
	if (begins(text, end, "range"))
		result = write_range(w, text + 5, end, dot, show);
	else if (begins(text, end, "if"))
		result = write_if(w, text + 2, end, dot, show);
	else if ((result = evaluate(w, text, end, dot, &value)) == 0) {
		if (show)
			print_value(value, w->out);
		json_decref(value);
	}
	return result < 0 ? STOP_FAILED : STOP_END_OF_TEXT;
}

static void write_text(struct writing *w, const char *end, bool trim_end, bool show)
{
	const char *from = w->at;

	while (w->trim && from < end && isspace((unsigned char)*from))
		from++;
	while (trim_end && end > from && isspace((unsigned char)end[-1]))
		end--;
	if (show)
		fwrite(from, (size_t)(end - from), 1, w->out);
	w->trim = false;
}

/* Up to the {{end}} or {{else}} that belongs to it, or the end. */
static enum stop write_block(struct writing *w, json_t *dot, bool show)
{
	enum stop stop = STOP_END_OF_TEXT;

	if (++w->depth > DEPTH_MAX)
		return error_set(w->e, ERROR_INPUT, "template parsing error: nested too deep");
	while (stop == STOP_END_OF_TEXT && *w->at) {
		const char *open = strstr(w->at, "{{"), *close, *start, *end;

		if (!open) {
			write_text(w, w->at + strlen(w->at), false, show);
			w->at += strlen(w->at);
			break;
		}
		close = strstr(open + 2, "}}");
		if (!close)
			return error_set(w->e, ERROR_INPUT, "template parsing error: unclosed action");
		start = open + 2;
		end = close;
		if (start[0] == '-' && isspace((unsigned char)start[1]))
			start++;
		write_text(w, open, start > open + 2, show);
		if (end - 1 > start && end[-1] == '-' && isspace((unsigned char)end[-2])) {
			w->trim = true;
			end--;
		}
		w->at = close + 2;
		stop = write_action(w, start, end, dot, show);
	}
	w->depth--;
	return stop;
}

int template_write(const char *template, const json_t *value, FILE *out, struct error *e)
{
	struct writing w = { .at = template, .out = out, .e = e };
	enum stop stop = write_block(&w, (json_t *)value, true);

	if (stop == STOP_END || stop == STOP_ELSE)
		return error_set(e, ERROR_INPUT, "template parsing error: unexpected {{%s}}",
		                 stop == STOP_END ? "end" : "else");
	return stop == STOP_FAILED ? -1 : 0;
}
