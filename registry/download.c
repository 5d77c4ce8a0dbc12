/* Blobs from there: hashed on the way, resumed where a connection broke. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/answer.h"
#include "registry/registry.h"
#include "registry/session.h"

/* What an attempt must bring to count as progress. */
#define RESUME_BYTES_MIN (64 << 10)

struct download {
	struct registry *registry;
	const struct digest *digest;
	int64_t size;
	registry_sink *sink;
	void *context;
	struct sha256 hash;
	int64_t received;       /* by the sink */
	int64_t position;       /* in the blob, of the next byte of this answer; -1: not known yet */
	int64_t asked;          /* from where on this answer was asked for; 0: no range */
};

/* Where the bytes of A begin: RFC 9110, "Content-Range". */
static int64_t begin_of(const struct download *d, const struct http_response *a)
{
	const char *range = http_header(a, "Content-Range", 0);
	long long first, last;

	if (a->status != 206)
		return 0;
	if (!range || sscanf(range, "bytes %lld-%lld/", &first, &last) != 2 || first < 0 ||
	    first > d->received)
		return -1;
	return first;
}

static int download_sink(void *context, const struct http_response *a, const void *data,
                         size_t size, struct error *e)
{
	struct download *d = context;
	const char *from = data;

	if (d->position < 0) {
		if (answer_is_page(a))
			return answer_page(e);
		d->position = begin_of(d, a);
		if (d->position < 0)
			return error_set(e, ERROR_NETWORK, "the answer is another range than was asked for");
	}
	if (d->position < d->received) { /* it began anew: what we have is dropped */
		size_t known = (size_t)(d->received - d->position);

		known = known < size ? known : size;
		d->position += (int64_t)known;
		from += known;
		size -= known;
	}
	if ((int64_t)size > d->size - d->received)
		return error_set(e, ERROR_CORRUPT, "more than its %lld bytes", (long long)d->size);
	if (size == 0)
		return 0;
	sha256_add(&d->hash, from, size);
	d->received += (int64_t)size;
	d->position += (int64_t)size;
	return d->sink(d->context, from, size, e);
}

/* One request for what is missing. 1: answered to its end; 0: broken off; -1: no use. */
static int download_once(struct download *d, const char *url, bool ranged, struct error *e)
{
	struct http_request q = HTTP_REQUEST("GET", url);
	const char *header[] = { NULL, NULL };
	struct http_response a;
	char range[64];
	int result = 1;

	d->position = -1;
	d->asked = ranged ? d->received : 0;
	if (d->asked > 0) {
		snprintf(range, sizeof range, "Range: bytes=%lld-", (long long)d->asked);
		header[0] = range;
	}
	q.header = header;
	q.sink = download_sink;
	q.context = d;
	if (session_send(d->registry, &q, &a, e) < 0)
		return e->kind == ERROR_NETWORK ? 0 : -1;
	if (a.status != 200 && a.status != 206)
		result = answer_error(&a, e);
	if (result < 0 && d->asked > 0)
		result = 0;
	/* Without a length its end may have been an accident. */
	if (result > 0 && a.content_length < 0 && d->received < d->size)
		result = error_set(e, ERROR_NETWORK, "the connection closed early") + 1;
	http_release(&a);
	return result;
}

static int check_download(struct download *d, struct error *e)
{
	struct digest found;
	char text[DIGEST_TEXT];

	sha256_end(&d->hash, &found);
	if (d->received != d->size)
		return error_set(e, ERROR_CORRUPT, "it has %lld bytes, not %lld", (long long)d->received,
		                 (long long)d->size);
	if (!digest_equal(&found, d->digest))
		return error_set(e, ERROR_CORRUPT, "digest mismatch: got %s", digest_format(&found, text));
	return 0;
}

/* Until all is here. http.c repeats what brought nothing; here goes on what broke in the middle. */
static int download(struct download *d, const char *url, struct error *e)
{
	struct http *http = auth_http(session_auth(d->registry));
	bool ranged = true;

	for (unsigned attempt = 1;;) {
		int64_t before = d->received;
		int result = download_once(d, url, ranged, e);

		if (result > 0 || (result == 0 && d->received == d->size))
			return check_download(d, e);
		if (result < 0)
			return -1;
		attempt = d->received - before >= RESUME_BYTES_MIN ? 1 : attempt + 1;
		if (d->received == before) {
			if (!ranged || before == 0)
				return -1;
			ranged = false; /* it may not know how to resume */
		}
		if (http_pause(http, attempt, NULL, e) < 0)
			return -1;
	}
}

int registry_blob(struct registry *r, const struct digest *digest, int64_t size,
                  registry_sink *sink, void *context, struct error *e)
{
	char text[DIGEST_TEXT];
	auto_free char *url = session_url(r, e, "blobs/%s", digest_format(digest, text));
	struct download d = { .registry = r, .digest = digest, .size = size, .sink = sink,
		              .context = context };

	sha256_begin(&d.hash);
	if (!url || download(&d, url, e) < 0)
		return session_about(r, text, e);
	return 0;
}

struct memory {
	char *bytes;
	size_t size;
};

static int memory_sink(void *context, const void *data, size_t size, struct error *e)
{
	struct memory *m = context;

	(void)e;
	memcpy(m->bytes + m->size, data, size);
	m->size += size;
	return 0;
}

char *registry_blob_read(struct registry *r, const struct digest *d, int64_t size, size_t limit,
                         struct error *e)
{
	char text[DIGEST_TEXT];
	struct memory m = { 0 };

	if (size < 0 || (uint64_t)size > limit) {
		error_set(e, ERROR_CORRUPT, "%lld bytes, more than the %zu that are allowed",
		          (long long)size, limit);
		session_about(r, digest_format(d, text), e);
		return NULL;
	}
	m.bytes = malloc((size_t)size + 1);
	if (!m.bytes) {
		error_memory(e);
		return NULL;
	}
	if (registry_blob(r, d, size, memory_sink, &m, e) < 0) {
		free(m.bytes);
		return NULL;
	}
	m.bytes[m.size] = '\0';
	return m.bytes;
}
