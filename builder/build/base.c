#include "builder/build/base.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/build/base_parts.h"
#include "builder/image/oci_layout.h"
#include "layers/blob.h"
#include "layers/json.h"
#include "layers/scope.h"
#include "registry/pull.h"

/* Until then the first steps of a build have begun. */
#define LOCAL_PAUSE_MS 30

struct bases *bases_open(struct store *s, struct progress *p, struct remote *r, bool fresh,
                         struct error *e)
{
	struct bases *b = calloc(1, sizeof *b);

	if (!b) {
		error_memory(e);
		return NULL;
	}
	b->store = s;
	b->progress = p;
	b->way = r;
	b->fresh = fresh;
	remote_init(&b->quick);
	b->quick.attempts = 1;
	pthread_mutex_init(&b->lock, NULL);
	pthread_mutex_init(&b->joining, NULL);
	pthread_cond_init(&b->hurry, NULL);
	STAILQ_INIT(&b->known);
	return b;
}

static void hurry_checks(struct bases *b)
{
	pthread_mutex_lock(&b->lock);
	b->hurried = true;
	pthread_cond_broadcast(&b->hurry);
	pthread_mutex_unlock(&b->lock);
}

static void join_checks(struct bases *b)
{
	struct known_base *k;

	hurry_checks(b);
	pthread_mutex_lock(&b->joining);
	STAILQ_FOREACH(k, &b->known, next) {
		if (k->checking)
			pthread_join(k->checker, NULL);
		k->checking = false;
	}
	pthread_mutex_unlock(&b->joining);
}

void bases_close(struct bases *b)
{
	struct known_base *k;

	if (!b)
		return;
	join_checks(b);
	while ((k = STAILQ_FIRST(&b->known))) {
		STAILQ_REMOVE_HEAD(&b->known, next);
		pthread_mutex_destroy(&k->lock);
		image_release(&k->image);
		free(k->base.name);
		free(k->text);
		free(k);
	}
	remote_release(&b->quick);
	pthread_mutex_destroy(&b->lock);
	pthread_mutex_destroy(&b->joining);
	pthread_cond_destroy(&b->hurry);
	free(b);
}

/* The entry of TEXT, made when it is asked for the first time. NULL: memory is out. */
static struct known_base *entry_of(struct bases *b, const char *text, const struct platform *p)
{
	struct known_base *k;

	pthread_mutex_lock(&b->lock);
	STAILQ_FOREACH(k, &b->known, next)
		if (strcmp(k->text, text) == 0 && platform_distance(p, &k->platform) == 0)
			break;
	if (!k && (k = calloc(1, sizeof *k))) {
		k->bases = b;
		k->text = strdup(text);
		k->platform = *p;
		image_init(&k->image);
		pthread_mutex_init(&k->lock, NULL);
		STAILQ_INSERT_TAIL(&b->known, k, next);
	}
	pthread_mutex_unlock(&b->lock);
	return k && k->text ? k : NULL;
}

/* --- what is known on this machine ---------------------------------------------------------- */

static bool serves(const struct image *image, const struct platform *want)
{
	struct platform have;

	platform_set(&have, json_string_value(json_object_get(image->config, "os")),
	             json_string_value(json_object_get(image->config, "architecture")),
	             json_string_value(json_object_get(image->config, "variant")), NULL);
	return platform_distance(want, &have) >= 0;
}

/* 1 found, 0 not, -1 and E. */
static int find_image(struct known_base *k, const char *name, struct error *e)
{
	struct store *s = k->bases->store;
	struct image_name found = { 0 };
	int result = image_name_get(s, name, &found, e);

	if (result == 0)
		result = image_get(s, &found.manifest, &k->image, e);
	image_name_release(&found);
	/* What is not whole is made again, or a registry has it. */
	if (result < 0 && e->kind != ERROR_NOT_FOUND && e->kind != ERROR_DAMAGED)
		return -1;
	if (result == 0 && serves(&k->image, &k->platform)) {
		k->base.name = strdup(name);
		return k->base.name ? 1 : error_memory(e);
	}
	image_release(&k->image);
	image_init(&k->image);
	return 0;
}

/* Where it is remembered what NAME gave for a platform. */
static void memo_name(const struct known_base *k, const char *name, char hex[DIGEST_HEX + 1])
{
	char platform[PLATFORM_TEXT];
	struct sha256 s;
	struct digest d;

	platform_format(&k->platform, platform);
	sha256_begin(&s);
	sha256_add(&s, name, strlen(name) + 1);
	sha256_add(&s, platform, strlen(platform));
	sha256_end(&s, &d);
	digest_hex(&d, hex);
}

/* What was remembered; NULL and E. */
static json_t *read_memo(const struct known_base *k, const char *name, struct error *e)
{
	char hex[DIGEST_HEX + 1];
	auto_free char *text = NULL;
	size_t size;

	memo_name(k, name, hex);
	text = store_read(k->bases->store, STORE_BASES, hex, &size, e);
	return text ? json_parse(text, size, "a remembered base", e) : NULL;
}

static const char *memo_text(const json_t *memo, const char *key)
{
	return json_string_value(json_object_get(memo, key));
}

static int find_memo(struct known_base *k, const char *name, struct error *e)
{
	json_t *memo = read_memo(k, name, e);
	const char *resolved = memo_text(memo, "name"), *manifest = memo_text(memo, "manifest");
	const char *config = memo_text(memo, "config");
	struct error broken;
	int found = 0;

	/* One that cannot be read is as good as none: the registry knows better. */
	if (resolved && manifest && config &&
	    image_parse(&k->image, manifest, strlen(manifest), config, strlen(config), &broken) == 0) {
		digest_of(manifest, strlen(manifest), &k->image.manifest);
		k->base.name = strdup(resolved);
		found = k->base.name ? 1 : error_memory(e);
	}
	json_decref(memo);
	return found;
}

/* Remembering is a convenience: what cannot be remembered is asked for again. */
static void remember(struct known_base *k, const char *name, const struct remote_image *from)
{
	char hex[DIGEST_HEX + 1];
	struct error ignored;
	size_t size;
	json_t *memo = json_pack("{ssss%ss%}", "name", k->base.name, "manifest",
	                         from->manifest.bytes, from->manifest.size, "config", from->config,
	                         from->config_size);
	auto_free char *text = memo ? json_text(memo, &size) : NULL;

	memo_name(k, name, hex);
	if (text)
		store_write(k->bases->store, STORE_BASES, hex, text, size, &ignored);
	json_decref(memo);
}

int bases_keep(const struct base *base, const char *name, struct error *e)
{
	struct known_base *k = base->source;
	struct store *s = k->bases->store;
	json_t *memo = read_memo(k, name, e);
	const char *manifest = memo_text(memo, "manifest"), *config = memo_text(memo, "config");
	struct digest ignored;
	int result = -1;

	if (manifest && config)
		result = blob_put(s, manifest, strlen(manifest), &ignored, e) < 0 ||
		                         blob_put(s, config, strlen(config), &k->image.id, e) < 0
		                 ? -1
		                 : image_name_set(s, name, &k->image, e);
	else if (memo)
		error_set(e, ERROR_CORRUPT, "what was remembered of %s is not whole", name);
	json_decref(memo);
	return result;
}

/* --- what a registry knows ------------------------------------------------------------------ */

static int ask_registry(struct known_base *k, const char *name, struct error *e)
{
	struct auth *auth = remote_auth(k->bases->way, e);
	struct remote_image found = { 0 };
	int result = auth ? pull_resolve(auth, &k->reference, &k->platform, &found, e) : -1;

	if (result == 0)
		result = image_parse(&k->image, found.manifest.bytes, found.manifest.size, found.config,
		                     found.config_size, e);
	if (result == 0) {
		k->image.manifest = found.manifest.digest;
		k->base.name = strdup(found.name);
		result = k->base.name ? 0 : error_memory(e);
	}
	if (result == 0)
		remember(k, name, &found);
	remote_image_release(&found);
	return result;
}

/* --- is what is remembered still so? -------------------------------------------------------- */

static void let_steps_begin(struct bases *b)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += LOCAL_PAUSE_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_mutex_lock(&b->lock);
	while (!b->hurried &&
	       pthread_cond_clockwait(&b->hurry, &b->lock, CLOCK_MONOTONIC, &until) == 0)
		continue;
	pthread_mutex_unlock(&b->lock);
}

static void *check_tag(void *argument)
{
	struct known_base *k = argument;
	struct auth *auth;
	struct digest now;
	struct error e;

	/* It wants the processors that the first steps begin with, and is near enough to be asked later. */
	if (http_is_local(reference_host(&k->reference)))
		let_steps_begin(k->bases);
	auth = remote_auth(&k->bases->quick, &e);
	if (auth && pull_digest(auth, &k->reference, &now, &e) == 0) {
		k->moved = !digest_equal(&now, &k->named);
		if (k->moved)
			build_cancel(); /* what stands on it is in vain */
	} else if (e.kind != ERROR_CANCELLED) {
		error_context(&e, "using %s as it was known earlier", k->text);
		progress_warn(k->bases->progress, e.text);
	}
	return NULL;
}

/* What is used came from the registry under NAME: ask it whether it would give the same again. A
 * name that this machine gave to an image of its own is nobody else's business. */
static void begin_check(struct known_base *k, const char *name)
{
	struct error ignored;
	json_t *memo = k->reference.has_digest ? NULL : read_memo(k, name, &ignored);
	const char *resolved = memo_text(memo, "name"), *manifest = memo_text(memo, "manifest");
	const char *at = resolved ? strrchr(resolved, '@') : NULL;
	struct digest remembered;

	if (at && manifest && digest_parse(at + 1, &k->named, &ignored) == 0) {
		digest_of(manifest, strlen(manifest), &remembered);
		k->checking = digest_equal(&remembered, &k->image.manifest) &&
		              pthread_create(&k->checker, NULL, check_tag, k) == 0;
	}
	json_decref(memo);
}

int bases_confirm(void *bases, enum confirm how, struct error *e)
{
	struct bases *b = bases;
	const char *moved = NULL;
	struct known_base *k;

	if (how == CONFIRM_SOON)
		hurry_checks(b);
	if (how == CONFIRM_ALL)
		join_checks(b);
	pthread_mutex_lock(&b->lock);
	STAILQ_FOREACH(k, &b->known, next)
		if (k->moved)
			moved = k->text;
	pthread_mutex_unlock(&b->lock);
	if (moved)
		return error_set(e, ERROR_STALE, "%s names another image now", moved);
	return 0;
}

static int look_up(struct known_base *k, struct error *e)
{
	auto_free char *name = NULL;
	int found = 0;

	if (strncmp(k->text, "oci-layout://", 13) == 0) {
		k->base.name = strdup(k->text);
		return k->base.name ? oci_layout_import(k->bases->store, k->text + 13, &k->platform,
		                                        &k->image, e)
		                    : error_memory(e);
	}
	if (reference_parse(k->text, &k->reference, e) < 0)
		return error_context(e, "failed to parse stage name \"%s\"", k->text);
	k->has_reference = true;
	reference_default_tag(&k->reference);
	name = reference_format(&k->reference);
	if (!name)
		return error_memory(e);
	if (!k->bases->fresh) {
		found = find_image(k, name, e);
		if (found == 0)
			found = find_memo(k, name, e);
		if (found > 0)
			begin_check(k, name);
	}
	return found == 0 ? ask_registry(k, name, e) : found < 0 ? -1 : 0;
}

/* As BuildKit says it: "[internal] load metadata for docker.io/library/alpine:3.20". */
static struct vertex *begin_vertex(struct known_base *k)
{
	struct reference r;
	struct error ignored;
	auto_free char *name = NULL, *text = NULL;

	if (reference_parse(k->text, &r, &ignored) == 0) {
		reference_default_tag(&r);
		name = reference_format(&r);
	}
	if (asprintf(&text, "[internal] load metadata for %s", name ? name : k->text) < 0)
		text = NULL;
	return progress_vertex(k->bases->progress, text ? text : k->text);
}

static void resolve(struct known_base *k)
{
	struct vertex *v;

	pthread_mutex_lock(&k->lock);
	if (!k->tried) {
		v = begin_vertex(k);
		vertex_start(v);
		k->tried = true;
		if (look_up(k, &k->error) < 0) {
			vertex_failed(v, k->error.text);
		} else {
			k->base.config = k->image.config;
			k->base.manifest = k->image.manifest;
			k->base.layers = k->image.layers;
			k->base.layer_count = k->image.layer_count;
			k->base.source = k;
			k->error.kind = ERROR_NONE;
			vertex_done(v);
		}
	}
	pthread_mutex_unlock(&k->lock);
}

int bases_resolve(void *bases, const char *image, const char *platform, const struct base **base,
                  struct error *e)
{
	struct platform want;
	struct known_base *k;

	if (platform && *platform) {
		if (platform_parse(platform, &want, e) < 0)
			return -1;
	} else {
		platform_host(&want);
	}
	k = entry_of(bases, image, &want);
	if (!k)
		return error_memory(e);
	resolve(k);
	if (k->error.kind != ERROR_NONE) {
		*e = k->error;
		return -1;
	}
	*base = &k->base;
	return 0;
}

/* --- several at once ------------------------------------------------------------------------ */

static void *resolve_next(void *argument)
{
	struct crew *c = argument;
	size_t i;

	while ((i = c->next++) < c->count)
		resolve(c->each[i]);
	return NULL;
}

void bases_expect(struct bases *b, const char *const *images, size_t count, const char *platform)
{
	auto_free struct known_base **each = calloc(count + 1, sizeof(struct known_base *));
	struct crew crew = { .each = each };
	struct error ignored;
	struct platform want;

	if (count < 2 || !each)
		return;
	if (!platform || !*platform)
		platform_host(&want);
	else if (platform_parse(platform, &want, &ignored) < 0)
		return;
	for (size_t i = 0; i < count; i++) {
		struct known_base *k = entry_of(b, images[i], &want);

		/* Stages upon the same image often stand one after the other. */
		if (k && (crew.count == 0 || each[crew.count - 1] != k))
			each[crew.count++] = k;
	}
	if (crew.count > 1)
		base_crew_run(&crew, resolve_next);
}
