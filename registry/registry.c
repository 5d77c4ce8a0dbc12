#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/answer.h"
#include "registry/session.h"

void manifest_release(struct manifest *m)
{
	free(m->bytes);
	free(m->media_type);
	memset(m, 0, sizeof *m);
}

static char *manifest_url(struct registry *r, const char *which, struct error *e)
{
	return session_url(r, e, "manifests/%s", which);
}

static char *media_type_of(const struct http_response *a)
{
	const char *type = http_header(a, "Content-Type", 0);

	return type ? strndup(type, strcspn(type, "; \t")) : strdup("");
}

static int take_manifest(struct http_response *a, const char *which, struct manifest *m,
                         struct error *e)
{
	struct digest want;

	if (a->status != 200)
		return answer_no_access(a, e);
	if (answer_is_page(a))
		return answer_page(e);
	digest_of(a->body, a->body_size, &m->digest);
	if (strchr(which, ':')) {
		char text[DIGEST_TEXT];

		if (digest_parse(which, &want, e) < 0)
			return -1;
		if (!digest_equal(&want, &m->digest))
			return error_set(e, ERROR_CORRUPT, "digest mismatch: got %s",
			                 digest_format(&m->digest, text));
	}
	m->media_type = media_type_of(a);
	m->size = a->body_size;
	m->bytes = take_pointer(&a->body);
	return m->media_type ? 0 : error_memory(e);
}

static const char *const accept_manifests[] = {
	"Accept: " MEDIA_OCI_INDEX ", " MEDIA_OCI_MANIFEST ", " MEDIA_DOCKER_INDEX
	", " MEDIA_DOCKER_MANIFEST,
	NULL
};

int registry_manifest(struct registry *r, const char *which, struct manifest *m, struct error *e)
{
	auto_free char *url = manifest_url(r, which, e);
	struct http_request q = HTTP_REQUEST("GET", url);
	struct http_response a;
	int result;

	memset(m, 0, sizeof *m);
	if (!url)
		return session_about(r, which, e);
	q.header = accept_manifests;
	q.limit = REGISTRY_MANIFEST_MAX;
	if (session_send(r, &q, &a, e) < 0)
		return session_about(r, which, e);
	result = take_manifest(&a, which, m, e);
	http_release(&a);
	if (result < 0) {
		manifest_release(m);
		return session_about(r, which, e);
	}
	return 0;
}

static int ask_digest(struct registry *r, const char *which, struct digest *d, struct error *e)
{
	auto_free char *url = manifest_url(r, which, e);
	struct http_request q = HTTP_REQUEST("HEAD", url);
	struct error ignored;
	struct http_response a;
	const char *said;
	int result = 0;

	memset(d, 0, sizeof *d);
	if (!url)
		return session_about(r, which, e);
	q.header = accept_manifests;
	if (session_send(r, &q, &a, e) < 0)
		return session_about(r, which, e);
	said = http_header(&a, "Docker-Content-Digest", 0);
	if (a.status == 200 && said && digest_parse(said, d, &ignored) < 0)
		memset(d, 0, sizeof *d);
	if (a.status != 200)
		result = answer_error(&a, e);
	http_release(&a);
	return result < 0 ? session_about(r, which, e) : 0;
}

/* Of a registry on this machine nobody knows which scheme it speaks: one request less if the first one
 * is answered. */
int registry_manifest_digest(struct registry *r, const char *which, struct digest *d,
                             struct error *e)
{
	if (session_guess(r)) {
		int result = ask_digest(r, which, d, e);

		if ((result == 0 && !digest_is_zero(d)) || (result < 0 && e->kind == ERROR_CANCELLED))
			return result;
		session_forget(r);
	}
	return ask_digest(r, which, d, e);
}

/* A says that it has BYTES: these, and not what it made of them? Many do not say. */
static int check_receipt(const struct http_response *a, const void *bytes, size_t size,
                         struct error *e)
{
	const char *said = http_header(a, "Docker-Content-Digest", 0);
	struct digest sent, kept;
	struct error ignored;
	char text[DIGEST_TEXT];

	if (answer_shows_page(a))
		return answer_page(e);
	digest_of(bytes, size, &sent);
	if (said && digest_parse(said, &kept, &ignored) == 0 && !digest_equal(&sent, &kept))
		return error_set(e, ERROR_CORRUPT, "the registry keeps other bytes than were sent: %s",
		                 digest_format(&kept, text));
	return 0;
}

int registry_put_manifest(struct registry *r, const char *which, const char *media_type,
                          const void *bytes, size_t size, struct error *e)
{
	auto_free char *url = manifest_url(r, which, e), *type = NULL;
	const char *header[] = { NULL, NULL };
	struct http_request q = HTTP_REQUEST("PUT", url);
	struct http_response a;
	int result = 0;

	if (!url)
		return session_about(r, which, e);
	if (asprintf(&type, "Content-Type: %s", media_type) < 0) {
		type = NULL;
		return error_memory(e);
	}
	header[0] = type;
	q.header = header;
	q.body = bytes;
	q.body_size = (int64_t)size;
	if (session_send(r, &q, &a, e) < 0)
		return session_about(r, which, e);
	if (a.status < 200 || a.status > 299) {
		result = answer_error(&a, e);
		if (answer_has(&a, "MANIFEST_BLOB_UNKNOWN") || answer_has(&a, "BLOB_UNKNOWN"))
			e->kind = ERROR_NOT_FOUND;
	} else {
		result = check_receipt(&a, bytes, size, e);
	}
	http_release(&a);
	return result < 0 ? session_about(r, which, e) : 0;
}

bool registry_has_blob(struct registry *r, const struct digest *d)
{
	struct error ignored;
	char text[DIGEST_TEXT];
	auto_free char *url = session_url(r, &ignored, "blobs/%s", digest_format(d, text));
	struct http_request q = HTTP_REQUEST("HEAD", url);
	struct http_response a;
	bool has;

	if (!url || session_send(r, &q, &a, &ignored) < 0)
		return false;
	/* HEAD shows no page; but a page has no digest. */
	has = a.status == 200 && (!answer_is_page(&a) || http_header(&a, "Docker-Content-Digest", 0));
	http_release(&a);
	return has;
}
