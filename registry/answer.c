#include "registry/answer.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "layers/json.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "registry/url.h"

/* Enough for every sentence a registry has to say. */
#define WORDS_MAX 400

static json_t *errors_of(const struct http_response *r)
{
	struct error ignored;
	json_t *json = json_parse(r->body, r->body_size, "", &ignored);
	json_t *errors = json_incref(json_object_get(json, "errors"));

	json_decref(json);
	return errors;
}

bool answer_has(const struct http_response *r, const char *code)
{
	json_t *errors = errors_of(r), *one;
	bool found = false;
	size_t i;

	json_array_foreach(errors, i, one) {
		const char *is = json_string_value(json_object_get(one, "code"));

		found = found || (is && strcmp(is, code) == 0);
	}
	json_decref(errors);
	return found;
}

bool answer_shows_page(const struct http_response *r)
{
	const char *body = r->body + strspn(r->body, " \t\r\n");

	return strncasecmp(body, "<!doctype", 9) == 0 || strncasecmp(body, "<html", 5) == 0;
}

bool answer_is_page(const struct http_response *r)
{
	const char *type = http_header(r, "Content-Type", 0);

	return answer_shows_page(r) || (type && strncasecmp(type, "text/html", 9) == 0);
}

int answer_page(struct error *e)
{
	return error_set(e, ERROR_NETWORK, "the answer is a web page; is this a registry?");
}

/* Add TEXT without control characters and bytes that are no ASCII, up to WORDS_MAX. */
static void add_words(FILE *out, const char *text)
{
	for (size_t i = 0; text[i] && i < WORDS_MAX; i++) {
		unsigned char c = (unsigned char)text[i];

		fputc(c == '\n' || c == '\t' ? ' ' : c < ' ' || c > '~' ? '?' : c, out);
	}
}

static void add_errors(FILE *out, const struct http_response *r)
{
	json_t *errors = errors_of(r), *first = json_array_get(errors, 0);
	const char *code = json_string_value(json_object_get(first, "code"));
	const char *message = json_string_value(json_object_get(first, "message"));

	if (code && *code) {
		fputs(": ", out);
		add_words(out, code);
	}
	if (message && *message) {
		fputs(": ", out);
		add_words(out, message);
	}
	if (!code && !message && answer_is_page(r)) {
		fputs(", and a web page; is this a registry?", out);
	} else if (!code && !message && r->body[0]) {
		fputs(": ", out);
		add_words(out, r->body);
	}
	json_decref(errors);
}

static const char *meaning(int status)
{
	static const struct {
		int status;
		const char *words;
	} known[] = {
		{ 301, " Moved Permanently" },   { 302, " Found" },
		{ 303, " See Other" },           { 407, " Proxy Authentication Required" },
		{ 400, " Bad Request" },         { 401, " Unauthorized" },
		{ 403, " Forbidden" },           { 404, " Not Found" },
		{ 405, " Method Not Allowed" },  { 413, " Content Too Large" },
		{ 416, " Range Not Satisfiable" }, { 429, " Too Many Requests" },
		{ 500, " Internal Server Error" }, { 502, " Bad Gateway" },
		{ 503, " Service Unavailable" }, { 504, " Gateway Timeout" },
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].status == status)
			return known[i].words;
	return "";
}

/* Where R points to; its path and query may be secret. */
static void add_place(FILE *out, const struct http_response *r)
{
	const char *location = http_header(r, "Location", 0);
	char origin[URL_ORIGIN];
	struct error ignored;
	auto_free char *there = location ? url_resolve(r->url, location, &ignored) : NULL;
	struct url u;

	if (there && url_parse(there, &u, &ignored) == 0)
		fprintf(out, " to %s, where nothing is sent", url_origin(&u, origin));
}

int answer_error(const struct http_response *r, struct error *e)
{
	const char *limit = http_header(r, "ratelimit-limit", 0);
	const char *wait = http_header(r, "Retry-After", 0);
	enum error_kind kind = ERROR_INPUT;
	auto_free char *text = NULL;
	size_t size;
	FILE *out = memory_stream_open(&text, &size);

	if (!out)
		return error_memory(e);
	fprintf(out, "the registry answers %d%s", r->status, meaning(r->status));
	if (r->status / 100 == 3)
		add_place(out, r);
	add_errors(out, r);
	if (r->status == 429 && limit) {
		fputs(" (limit ", out);
		add_words(out, limit);
		fputc(')', out);
	}
	if (r->status == 429 && wait) {
		fputs(" (retry after ", out);
		add_words(out, wait);
		fputc(')', out);
	}
	if (fclose(out) != 0)
		return error_memory(e);
	if (r->status == 401 || r->status == 403)
		kind = ERROR_DENIED;
	else if (r->status == 404)
		kind = ERROR_NOT_FOUND;
	else if (http_is_transient(r->status))
		kind = ERROR_NETWORK;
	return error_set(e, kind, "%s", text);
}

int answer_no_access(const struct http_response *r, struct error *e)
{
	answer_error(r, e);
	if (e->kind == ERROR_DENIED)
		error_context(e, "the repository does not exist or may require 'cairn login'");
	return -1;
}
