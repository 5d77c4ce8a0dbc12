/* Blobs to there: mounted from a neighbour, or sent.
 *
 * POST and one PUT with a length; registries that refuse a PUT with a body get one PATCH and an
 * empty PUT, and so do all of them when bytes leave before their digest is known. Never several
 * chunks: some keep the first only (H167). What fails in the middle begins anew with another POST,
 * unless the blob is there all the same.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layers/scope.h"
#include "registry/answer.h"
#include "registry/registry.h"
#include "registry/session.h"
#include "registry/url.h"

enum outcome {
	UPLOAD_FAILED = -1,     /* E says why */
	UPLOAD_DONE,
	UPLOAD_AGAIN,           /* E says why; later, with a new POST */
	UPLOAD_UNSUPPORTED,     /* E says why; this way of sending is refused */
};

static const char *const octets[] = { "Content-Type: application/octet-stream", NULL };

static bool is_success(const struct http_response *a)
{
	return a->status >= 200 && a->status < 300;
}

/* What to do about A, which is no success. */
static enum outcome judge(const struct http_response *a, struct error *e)
{
	answer_error(a, e);
	if (http_is_transient(a->status))
		return UPLOAD_AGAIN;
	if (answer_has(a, "DIGEST_INVALID") || answer_has(a, "SIZE_INVALID"))
		return UPLOAD_FAILED;
	if (answer_has(a, "BLOB_UPLOAD_UNKNOWN") || answer_has(a, "BLOB_UPLOAD_INVALID") ||
	    a->status == 416)
		return UPLOAD_AGAIN;
	if (a->status == 404 || a->status == 405 || a->status == 411 || a->status == 415 ||
	    a->status == 501 || answer_has(a, "UNSUPPORTED"))
		return UPLOAD_UNSUPPORTED;
	if (a->status == 413)
		error_context(e, "the blob is too large for the registry or a proxy before it");
	return UPLOAD_FAILED;
}

/* Where A wants the bytes, absolute; the caller frees it. */
static char *next_location(const struct http_response *a, struct error *e)
{
	const char *location = http_header(a, "Location", 0);
	auto_free char *url = NULL;

	if (!location) {
		error_set(e, ERROR_NETWORK, "the registry does not say where to send the blob");
		return NULL;
	}
	url = url_resolve(a->url, location, e);
	if (!url || http_may_follow(a, url, e) < 0)
		return NULL;
	return take_pointer(&url);
}

/* LOCATION is kept as it came, for its query is the registry's own (H154). */
static char *with_digest(const char *location, const struct digest *d)
{
	char hex[DIGEST_HEX + 1], *url;

	if (asprintf(&url, "%s%cdigest=sha256%%3A%s", location, strchr(location, '?') ? '&' : '?',
	             digest_hex(d, hex)) < 0)
		return NULL;
	return url;
}

/* Begin. Returns UPLOAD_DONE with *LOCATION, or with NULL when the blob was mounted. */
static enum outcome begin(struct registry *r, const struct blob_source *s, bool mount,
                          char **location, struct error *e)
{
	const struct reference *to = registry_reference(r);
	char hex[DIGEST_HEX + 1];
	auto_free char *from = mount ? url_escape(s->lender->repository) : NULL;
	auto_free char *url = from ? session_url(r, e, "blobs/uploads/?mount=sha256%%3A%s&from=%s",
	                                         digest_hex(&s->digest, hex), from)
	                           : session_url(r, e, "blobs/uploads/");
	struct http_request q = HTTP_REQUEST("POST", url);
	struct http_response a;
	enum outcome result = UPLOAD_DONE;

	*location = NULL;
	if (!url)
		return UPLOAD_FAILED;
	q.body_size = 0;
	if (session_send(r, &q, &a, e) < 0)
		return UPLOAD_FAILED;
	if (a.status == 201 && mount) {
		/* mounted */
	} else if (is_success(&a)) {
		*location = next_location(&a, e);
		result = *location ? UPLOAD_DONE : UPLOAD_FAILED;
	} else if (mount) {
		result = UPLOAD_UNSUPPORTED;
	} else {
		answer_no_access(&a, e);
		if (a.status == 404 || answer_has(&a, "NAME_UNKNOWN"))
			error_context(e, "the repository %s may have to be created first", to->repository);
		result = UPLOAD_FAILED;
	}
	http_release(&a);
	return result;
}

/* Q, one request of an upload. *LOCATION (LOCATION may be NULL) is where to go on. A is the answer
 * before and becomes this one's. */
static enum outcome send_part(struct registry *r, struct http_request *q, char **location,
                              struct http_response *a, struct error *e)
{
	q->header = octets;
	q->attempts = 1;
	http_release(a);
	if (session_send(r, q, a, e) < 0)
		return e->kind == ERROR_NETWORK ? UPLOAD_AGAIN : UPLOAD_FAILED;
	if (!is_success(a))
		return judge(a, e);
	if (location && http_header(a, "Location", 0)) {
		free(*location);
		*location = next_location(a, e);
		return *location ? UPLOAD_DONE : UPLOAD_FAILED;
	}
	return UPLOAD_DONE;
}

/* The end: Q, without or with a body, makes a blob with digest D of what was sent to LOCATION. */
static enum outcome commit(struct registry *r, const char *location, const struct digest *d,
                           struct http_request *q, struct http_response *a, struct error *e)
{
	auto_free char *url = with_digest(location, d);

	if (!url) {
		error_memory(e);
		return UPLOAD_FAILED;
	}
	q->method = "PUT";
	q->url = url;
	return send_part(r, q, NULL, a, e);
}

/* All bytes of S, by PUT or by PATCH and PUT. */
static enum outcome send_bytes(struct registry *r, const struct blob_source *s, bool patch,
                               char **location, http_progress *progress, void *context,
                               struct http_response *a, struct error *e)
{
	auto_close int fd = s->open(s->context, e);
	struct http_request bytes = { .method = "PATCH", .url = *location, .fd = fd,
		                      .body_size = s->size, .progress = progress,
		                      .context = context };
	struct http_request nothing = { .fd = -1 };
	enum outcome result;

	if (fd < 0)
		return UPLOAD_FAILED;
	if (!patch)
		return commit(r, *location, &s->digest, &bytes, a, e);
	result = send_part(r, &bytes, location, a, e);
	return result == UPLOAD_DONE ? commit(r, *location, &s->digest, &nothing, a, e) : result;
}

/* From POST to the end. *MOUNT becomes false once that way is closed. A is the last answer to what
 * was sent. */
static enum outcome upload(struct registry *r, const struct blob_source *s, bool *mount, bool patch,
                           bool *mounted, http_progress *progress, void *context,
                           struct http_response *a, struct error *e)
{
	auto_free char *location = NULL;
	enum outcome result = begin(r, s, *mount, &location, e);

	if (result == UPLOAD_UNSUPPORTED) {
		*mount = false;
		result = begin(r, s, false, &location, e);
	}
	if (result != UPLOAD_DONE)
		return result;
	if (!location) {
		if (mounted)
			*mounted = true;
		return UPLOAD_DONE;
	}
	return send_bytes(r, s, patch, &location, progress, context, a, e);
}

int registry_put_blob(struct registry *r, const struct blob_source *s, bool *mounted,
                      http_progress *progress, void *context, struct error *e)
{
	struct http *http = auth_http(session_auth(r));
	const struct reference *to = registry_reference(r);
	bool mount = s->lender && reference_same_registry(s->lender, to) &&
	             strcmp(s->lender->repository, to->repository) != 0;
	struct http_response a = { 0 };
	bool patch = false, again = true, done = false;
	char text[DIGEST_TEXT];

	if (mounted)
		*mounted = false;
	if (mount && session_borrow(r, s->lender->repository, e) < 0)
		return -1;
	for (unsigned attempt = 1; again; attempt++) {
		enum outcome result = upload(r, s, &mount, patch, mounted, progress, context, &a, e);

		done = result == UPLOAD_DONE;
		again = result == UPLOAD_UNSUPPORTED && !patch;
		if (again)
			patch = true;
		if (result != UPLOAD_AGAIN || http_pause(http, attempt, &a, e) < 0)
			continue;
		/* The answer may be lost and the blob there: a proxy has less patience than a disk. */
		done = registry_has_blob(r, &s->digest);
		again = !done;
	}
	http_release(&a);
	return done ? 0 : session_about(r, digest_format(&s->digest, text), e);
}

/* --- before it is a blob --- */

/* What was begun at LOCATION has no end. Registries forget it some day by themselves. */
static void cancel(struct registry *r, const char *location)
{
	struct http_request q = HTTP_REQUEST("DELETE", location);
	struct http_response a;
	struct error ignored;

	q.attempts = 1;
	if (session_send(r, &q, &a, &ignored) == 0)
		http_release(&a);
}

int registry_stream_blob(struct registry *r, const struct blob_stream *stream, struct error *e)
{
	struct http_request nothing = { .fd = -1 };
	struct http_request bytes = { .method = "PATCH", .fd = -1, .body_size = -1,
		                      .source = stream->read, .context = stream->context };
	auto_free char *location = NULL;
	enum outcome result = begin(r, NULL, false, &location, e);
	struct http_response a = { 0 };
	struct digest digest;

	if (result != UPLOAD_DONE)
		return -1;
	bytes.url = location;
	result = send_part(r, &bytes, &location, &a, e);
	if (result == UPLOAD_DONE && stream->end(stream->context, &digest, e) < 0)
		result = UPLOAD_FAILED;
	if (result == UPLOAD_DONE)
		result = commit(r, location, &digest, &nothing, &a, e);
	http_release(&a);
	if (result != UPLOAD_DONE && location)
		cancel(r, location);
	return result == UPLOAD_DONE ? 0 : -1;
}
