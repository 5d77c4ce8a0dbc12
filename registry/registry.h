/* A repository on a registry: manifests and blobs, one operation each.
 *
 * Opening it talks to nobody. What a registry sends is hashed before it is believed; what it says
 * about itself (Docker-Content-Digest, HEAD) is a hint only.
 *
 * Threads: a struct registry may be shared.
 * Source: OCI distribution-spec 1.1.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "registry/auth.h"
#include "registry/http.h"
#include "registry/reference.h"

/* What registries must accept and what clients limit themselves to. */
#define REGISTRY_MANIFEST_MAX (4 << 20)

#define MEDIA_OCI_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_OCI_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_DOCKER_INDEX "application/vnd.docker.distribution.manifest.list.v2+json"
#define MEDIA_DOCKER_MANIFEST "application/vnd.docker.distribution.manifest.v2+json"

enum registry_access { REGISTRY_PULL, REGISTRY_PUSH };

struct registry;

/* The repository of R; its tag and digest do not matter. A and what R was parsed from outlive it;
 * R itself is copied. */
struct registry *registry_open(struct auth *a, const struct reference *r,
                               enum registry_access access, struct error *e);
void registry_close(struct registry *r);
const struct reference *registry_reference(const struct registry *r);

struct manifest {
	char *bytes;            /* exactly as sent, NUL added */
	size_t size;
	char *media_type;       /* "" when not said */
	struct digest digest;   /* of BYTES */
};

/* The manifest or index named WHICH, a tag or the text of a digest, which its bytes must then have.
 * ERROR_NOT_FOUND, ERROR_DENIED, ERROR_CORRUPT, ERROR_NETWORK; E names repository and WHICH. */
int registry_manifest(struct registry *r, const char *which, struct manifest *m, struct error *e);
void manifest_release(struct manifest *m);

/* The digest that the registry says WHICH has, by HEAD. D is zero when it does not say. */
int registry_manifest_digest(struct registry *r, const char *which, struct digest *d,
                             struct error *e);

/* ERROR_NOT_FOUND also when the registry misses a blob that the manifest names; ERROR_CORRUPT when
 * it says that it keeps other bytes. */
int registry_put_manifest(struct registry *r, const char *which, const char *media_type,
                          const void *bytes, size_t size, struct error *e);

/* Receives a blob's bytes in order. -1 and E end the transfer. */
typedef int registry_sink(void *context, const void *data, size_t size, struct error *e);

/* Fetch a blob, resuming where a connection broke. Returns 0 only when exactly SIZE bytes with
 * digest D went to SINK, so that it may commit them unhashed; after -1 what it got is worthless
 * (ERROR_CORRUPT when size or digest are wrong). */
int registry_blob(struct registry *r, const struct digest *d, int64_t size, registry_sink *sink,
                  void *context, struct error *e);

/* A whole small blob in memory, verified, NUL added; the caller frees it. More than LIMIT is
 * ERROR_CORRUPT. */
char *registry_blob_read(struct registry *r, const struct digest *d, int64_t size, size_t limit,
                         struct error *e);

/* Does the registry say it has it? A refusal counts as no. */
bool registry_has_blob(struct registry *r, const struct digest *d);

/* Bytes that somebody here has. */
struct blob_source {
	struct digest digest;
	int64_t size;
	/* A descriptor of the bytes, read from its start and closed after use. May be called again,
	 * and not at all when the registry has the blob. */
	int (*open)(void *context, struct error *e);
	/* It may have been sent already as a stream: waits for that, and says whether it has arrived.
	 * NULL: it was not. */
	bool (*arrived)(void *context);
	void *context;
	const struct reference *lender; /* a repository that has them; asked for when it is on the
	                                 * same registry; or NULL */
};

/* Bytes that are still being made. */
struct blob_stream {
	/* As http_source. */
	ssize_t (*read)(void *context, void *buffer, size_t size, int64_t offset, struct error *e);
	/* What they were, when all have been read. -1 and E: nothing that anybody should keep. */
	int (*end)(void *context, struct digest *d, struct error *e);
	void *context;
};

/* Send them as they come. One try: after -1 and E the blob is sent as a blob once it is whole. */
int registry_stream_blob(struct registry *r, const struct blob_stream *stream, struct error *e);

/* Bring a blob there: mounted from its lender (*MOUNTED, which may be NULL, says so), else sent.
 * PROGRESS may be NULL. */
int registry_put_blob(struct registry *r, const struct blob_source *source, bool *mounted,
                      http_progress *progress, void *context, struct error *e);
