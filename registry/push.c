#include "registry/push.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "registry/session.h"

struct push {
	struct registry *registry;
	push_progress *progress;
	void *context;
};

struct push *push_open(struct auth *a, const struct reference *r, push_progress *progress,
                       void *context, struct error *e)
{
	struct push *p = calloc(1, sizeof *p);

	if (!p) {
		error_memory(e);
		return NULL;
	}
	p->registry = registry_open(a, r, REGISTRY_PUSH, e);
	if (!p->registry) {
		free(p);
		return NULL;
	}
	p->progress = progress;
	p->context = context;
	return p;
}

void push_close(struct push *p)
{
	if (!p)
		return;
	registry_close(p->registry);
	free(p);
}

/* One blob on its way, as http_progress sees it. */
struct passage {
	const struct push *push;
	const struct blob_source *blob;
};

static void tell(const struct passage *on, enum push_event event, int64_t done)
{
	if (on->push->progress)
		on->push->progress(on->push->context, on->blob, event, done);
}

static void on_bytes(void *context, int64_t done)
{
	tell(context, PUSH_UPLOADING, done);
}

/* Without asking whether it is there. */
static int send(struct push *p, const struct blob_source *blob, struct error *e)
{
	struct passage on = { p, blob };
	bool mounted;

	if (registry_put_blob(p->registry, blob, &mounted, on_bytes, &on, e) < 0)
		return -1;
	tell(&on, mounted ? PUSH_MOUNTED : PUSH_DONE, blob->size);
	return 0;
}

int push_blob(struct push *p, const struct blob_source *blob, struct error *e)
{
	struct passage on = { p, blob };

	if (blob->arrived && blob->arrived(blob->context)) {
		tell(&on, PUSH_DONE, blob->size);
		return 0;
	}
	if (!registry_has_blob(p->registry, &blob->digest))
		return send(p, blob, e);
	tell(&on, PUSH_EXISTS, blob->size);
	return 0;
}

/* --- several at a time --- */

struct crew {
	struct push *push;
	const struct blob_source *blob;
	size_t count;
	int (*work)(struct push *p, const struct blob_source *blob, struct error *e);
	struct outcome {
		int result;
		struct error error;
	} *outcome;
	atomic_size_t next;
	atomic_bool failed;
};

static bool came_before(const struct crew *c, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (digest_equal(&c->blob[k].digest, &c->blob[i].digest))
			return true;
	return false;
}

static void *work(void *context)
{
	struct crew *c = context;
	size_t i;

	while (!atomic_load(&c->failed) && (i = atomic_fetch_add(&c->next, 1)) < c->count) {
		if (came_before(c, i))
			continue;
		c->outcome[i].result = c->work(c->push, &c->blob[i], &c->outcome[i].error);
		if (c->outcome[i].result < 0)
			atomic_store(&c->failed, true);
	}
	return NULL;
}

static int for_each(struct push *p, const struct blob_source *blob, size_t count,
                    int (*what)(struct push *, const struct blob_source *, struct error *),
                    struct error *e)
{
	struct crew c = { .push = p, .blob = blob, .count = count, .work = what };
	pthread_t thread[PUSH_UPLOADS - 1];
	size_t started = 0;
	int result = 0;

	c.outcome = calloc(count ? count : 1, sizeof *c.outcome);
	if (!c.outcome)
		return error_memory(e);
	while (started < PUSH_UPLOADS - 1 && started + 1 < count &&
	       pthread_create(&thread[started], NULL, work, &c) == 0)
		started++;
	work(&c);
	while (started > 0)
		pthread_join(thread[--started], NULL);
	for (size_t i = 0; i < count && result == 0; i++)
		if (c.outcome[i].result < 0) {
			*e = c.outcome[i].error;
			result = -1;
		}
	free(c.outcome);
	return result;
}

/* --- manifests --- */

/* The refusal E may come of a tag that cannot be moved, and is ours already (H177). */
static bool is_there(struct push *p, const char *which, const struct digest *d,
                     const struct error *e)
{
	struct digest there;
	struct error ignored;

	if (e->kind != ERROR_INPUT && e->kind != ERROR_DENIED && e->kind != ERROR_NETWORK)
		return false;
	return registry_manifest_digest(p->registry, which, &there, &ignored) == 0 &&
	       digest_equal(&there, d);
}

int push_manifest(struct push *p, const char *tag, const char *media_type, const void *bytes,
                  size_t size, const struct blob_source *blob, size_t blob_count, struct error *e)
{
	char text[DIGEST_TEXT];
	struct digest digest;
	const char *which;
	int result;

	digest_of(bytes, size, &digest);
	which = tag && *tag ? tag : digest_format(&digest, text);
	result = registry_put_manifest(p->registry, which, media_type, bytes, size, e);
	/* It said that it had a blob, or mounted one, and now misses it (H173, H175). */
	if (result < 0 && e->kind == ERROR_NOT_FOUND && blob_count > 0) {
		if (for_each(p, blob, blob_count, send, e) < 0)
			return -1;
		result = registry_put_manifest(p->registry, which, media_type, bytes, size, e);
	}
	return result < 0 && is_there(p, which, &digest, e) ? 0 : result;
}

int push_image(struct auth *a, const struct reference *r, const struct push_image *image,
               push_progress *progress, void *context, struct digest *d, struct error *e)
{
	struct push *p = push_open(a, r, progress, context, e);
	int result;

	if (!p)
		return -1;
	result = for_each(p, image->blob, image->blob_count, push_blob, e);
	if (result == 0)
		result = push_manifest(p, r->tag, image->media_type, image->manifest,
		                       image->manifest_size, image->blob, image->blob_count, e);
	if (result == 0 && d)
		digest_of(image->manifest, image->manifest_size, d);
	push_close(p);
	return result;
}
