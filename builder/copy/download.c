#include "builder/copy/download.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/interrupt.h"
#include "layers/blob.h"
#include "layers/json.h"
#include "layers/scope.h"
#include "registry/base64.h"
#include "registry/http.h"

/* A transfer that breaks off in the middle begins again. */
#define TRIES 3

/* --- addresses -------------------------------------------------------------------------------- */

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdefABCDEF";
	const char *at = c ? strchr(digits, c) : NULL;

	return !at ? -1 : at - digits < 16 ? (int)(at - digits) : (int)(at - digits - 6);
}

/* PATH without its percent signs, in place. False when that would put a NUL into it. */
static bool decode(char *path)
{
	char *out = path;

	for (const char *p = path; *p; p++) {
		int high = *p == '%' ? hex_value(p[1]) : -1, low = high >= 0 ? hex_value(p[2]) : -1;

		if (low >= 0) {
			*out++ = (char)(high << 4 | low);
			if (!out[-1])
				return false;
			p += 2;
		} else {
			*out++ = *p;
		}
	}
	*out = '\0';
	return true;
}

/* *PLAIN is URL without fragment, user and password; they become *BASIC, a header's value, which is
 * NULL when URL has none. Source: RFC 7617, section 2. */
static int split_address(const char *url, char **plain, char **basic, struct error *e)
{
	const char *slashes = strstr(url, "://");
	const char *user = slashes ? slashes + 3 : url;
	const char *host = memrchr(user, '@', strcspn(user, "/?#"));
	auto_free char *pair = host ? strndup(user, (size_t)(host - user) + 1) : NULL;
	auto_free char *encoded = NULL;

	host = host ? host + 1 : user;
	*basic = NULL;
	if (asprintf(plain, "%.*s%.*s", (int)(user - url), url, (int)strcspn(host, "#"), host) < 0)
		return error_memory(e);
	if (!pair)
		return 0;
	pair[strlen(pair) - 1] = '\0';
	if (!decode(pair))
		return error_set(e, ERROR_INPUT, "the user or the password has a NUL in it");
	if (!strchr(pair, ':'))
		strcat(pair, ":");
	encoded = base64_encode(pair, strlen(pair));
	if (!encoded || asprintf(basic, "Basic %s", encoded) < 0)
		return error_memory(e);
	return 0;
}

/* --- what is known from the last time --------------------------------------------------------- */

struct known {
	struct download download;
	char *etag, *modified; /* as the server wrote them; NULL: it did not */
};

static void known_release(struct known *k)
{
	free(k->etag);
	free(k->modified);
}

static void record_name(const char *url, const char *basic, char name[static DIGEST_HEX + 1])
{
	struct sha256 sha;
	struct digest digest;

	sha256_begin(&sha);
	sha256_add(&sha, "url ", 4);
	sha256_add(&sha, url, strlen(url));
	if (basic)
		sha256_add(&sha, basic, strlen(basic) + 1);
	sha256_end(&sha, &digest);
	digest_hex(&digest, name);
}

/* False when nothing is known, or its blob is gone. */
static bool recall(struct store *s, const char *name, struct known *k)
{
	const char *digest, *etag = NULL, *modified = NULL;
	struct error ignored;
	json_int_t size, time;
	size_t length;
	auto_free char *text = store_read(s, STORE_CONTEXTS, name, &length, &ignored);
	json_t *json = text ? json_parse(text, length, name, &ignored) : NULL;
	bool good;

	good = json &&
	       json_unpack(json, "{s:s, s:I, s:I, s?:s, s?:s}", "digest", &digest, "size", &size,
	                   "time", &time, "etag", &etag, "modified", &modified) == 0 &&
	       digest_parse(digest, &k->download.digest, &ignored) == 0 &&
	       blob_has(s, &k->download.digest, size);
	if (good) {
		k->download.size = size;
		k->download.modified = time;
		k->etag = etag ? strdup(etag) : NULL;
		k->modified = modified ? strdup(modified) : NULL;
	}
	json_decref(json);
	return good;
}

static int remember(struct store *s, const char *name, const struct known *k, struct error *e)
{
	char digest[DIGEST_TEXT];
	auto_free char *text = NULL;
	size_t size;
	json_t *json;

	json = json_pack("{s:s, s:I, s:I, s:s*, s:s*}", "digest",
	                 digest_format(&k->download.digest, digest), "size",
	                 (json_int_t)k->download.size, "time", (json_int_t)k->download.modified,
	                 "etag", k->etag, "modified", k->modified);
	text = json ? json_text(json, &size) : NULL;
	json_decref(json);
	return text ? store_write(s, STORE_CONTEXTS, name, text, size, e) : error_memory(e);
}

/* --- the transfer ----------------------------------------------------------------------------- */

struct transfer {
	struct blob_writer *writer;
	void (*moved)(void *context, int64_t done, int64_t total);
	void *context;
};

static int receive(void *context, const struct http_response *r, const void *data, size_t size,
                   struct error *e)
{
	struct transfer *t = context;

	if (blob_write(t->writer, data, size, e) < 0)
		return -1;
	if (t->moved)
		t->moved(t->context, blob_written(t->writer), r->content_length);
	return 0;
}

/* "Wed, 21 Oct 2015 07:28:00 GMT"; -1 when it is something else. */
static int64_t parse_date(const char *text)
{
	struct tm tm = { 0 };
	const char *end = text ? strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm) : NULL;

	return end && !*end ? timegm(&tm) : -1;
}

/* The answer's body becomes D's blob. Consumes the writer. */
static int accept(struct transfer *t, const struct http_response *r, const struct digest *want,
                  struct known *k, struct error *e)
{
	const char *etag = http_header(r, "ETag", 0),
		   *modified = http_header(r, "Last-Modified", 0);
	char expected[DIGEST_TEXT], got[DIGEST_TEXT];

	k->download.size = blob_commit(t->writer, NULL, &k->download.digest, e);
	t->writer = NULL;
	if (k->download.size < 0)
		return -1;
	if (want && !digest_equal(want, &k->download.digest))
		return error_set(e, ERROR_CORRUPT, "digest mismatch %s: %s",
		                 digest_format(&k->download.digest, got),
		                 digest_format(want, expected));
	k->etag = etag ? strdup(etag) : NULL;
	k->modified = modified ? strdup(modified) : NULL;
	k->download.modified = parse_date(modified);
	return 0;
}

/* One request: 1 when there is something new in NEW, 0 when OLD (may be NULL) is still true. */
static int ask(struct http *h, struct store *s, struct http_request *q, struct transfer *t,
               const struct known *old, const struct digest *want, struct known *new,
               struct error *e)
{
	struct http_response r;
	int result;

	t->writer = blob_begin(s, e);
	if (!t->writer)
		return -1;
	result = http_send(h, q, &r, e);
	if (result == 0) {
		if (old && r.status == 304)
			result = 0;
		else if (r.status < 200 || r.status >= 300)
			result = error_set(e, ERROR_NOT_FOUND, "invalid response status %d",
			                   r.status);
		else
			result = accept(t, &r, want, new, e) < 0 ? -1 : 1;
		http_release(&r);
	}
	if (t->writer)
		blob_discard(t->writer);
	return result;
}

static int fetch(struct store *s, struct http_request *q, const struct known *old,
                 const struct digest *want, struct known *new, struct error *e)
{
	static const struct http_settings settings = { .cancelled = &interrupted };
	struct http *h = http_open(&settings, e);
	int result = -1;

	if (!h)
		return -1;
	for (int try = 1; try <= TRIES; try++) {
		result = ask(h, s, q, q->context, old, want, new, e);
		if (result >= 0 || e->kind != ERROR_NETWORK || interrupted)
			break;
	}
	http_close(h);
	return result;
}

int download(struct store *s, const char *url, const char *authorization,
             const struct digest *want, void (*moved)(void *context, int64_t done, int64_t total),
             void *context, struct download *d, struct error *e)
{
	auto_free char *plain = NULL, *basic = NULL, *condition = NULL;
	struct transfer t = { .moved = moved, .context = context };
	struct http_request q = HTTP_REQUEST("GET", NULL);
	struct known old = { 0 }, new = { 0 };
	const char *headers[2] = { NULL, NULL };
	char name[DIGEST_HEX + 1];
	bool is_known;
	int result = 0;

	if (split_address(url, &plain, &basic, e) < 0)
		return -1;
	record_name(plain, basic, name);
	is_known = recall(s, name, &old);
	*d = old.download;
	if (is_known && want && digest_equal(want, &old.download.digest)) {
		known_release(&old);
		return 0;
	}
	if (is_known && !want && (old.etag || old.modified)) {
		result = old.etag ? asprintf(&condition, "If-None-Match: %s", old.etag)
		                  : asprintf(&condition, "If-Modified-Since: %s", old.modified);
		headers[0] = condition;
	}
	q.url = plain;
	q.header = headers;
	q.authorization = authorization ? authorization : basic;
	q.sink = receive;
	q.context = &t;
	result = result < 0 ? error_memory(e)
	                    : fetch(s, &q, headers[0] ? &old : NULL, want, &new, e);
	if (result > 0) {
		*d = new.download;
		result = remember(s, name, &new, e);
	}
	known_release(&old);
	known_release(&new);
	return result < 0 ? error_context(e, "%.*s", (int)strcspn(plain, "?"), plain) : 0;
}

/* --- names ------------------------------------------------------------------------------------ */

static char *refuse_name(struct error *e)
{
	error_set(e, ERROR_INPUT, "the URL ends in no name for a file");
	return NULL;
}

char *download_name(const char *url, struct error *e)
{
	const char *authority = strstr(url, "://");
	const char *path = authority ? authority + 3 + strcspn(authority + 3, "/?#") : url;
	auto_free char *decoded = strndup(path, strcspn(path, "?#"));
	const char *slash, *last;
	char *name;

	if (!decoded) {
		error_memory(e);
		return NULL;
	}
	if (!decode(decoded))
		return refuse_name(e);
	for (size_t end = strlen(decoded); end > 0 && decoded[end - 1] == '/';)
		decoded[--end] = '\0';
	slash = strrchr(decoded, '/');
	last = slash ? slash + 1 : decoded;
	if (strcmp(last, ".") == 0 || strcmp(last, "..") == 0 || strlen(last) > 255)
		return refuse_name(e);
	for (const char *p = last; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			return refuse_name(e);
	name = strdup(*last ? last : "__unnamed__");
	if (!name)
		error_memory(e);
	return name;
}
