/* The registry room from a command line, for the tests.
 *
 *     resolve REF PLATFORM         what a reference stands for
 *     digest REF                   what its tag names now
 *     pull REF PLATFORM STORE      all layers, into a store
 *     push REF FOLDER [LENDER]     manifest.json and the blobs it names, as FOLDER/HEX
 *     login REGISTRY USER PASSWORD
 *     logout REGISTRY
 *     get URL                      status and size of the body, after redirects
 *
 * Failures are "error KIND: text" on standard output, status 1. The environment sets how patient to
 * be: CLIENT_STALL (seconds), CLIENT_ATTEMPTS, CLIENT_PAUSE_MS.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/json.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "registry/login.h"
#include "registry/pull.h"
#include "registry/push.h"

#define THREADS 3
#define BLOBS_MAX 64

static unsigned setting(const char *name)
{
	const char *text = getenv(name);

	return text ? (unsigned)atoi(text) : 0;
}

static int wrong_reference(const char *text, struct error *e)
{
	return error_context(e, "%s", text);
}

static int resolve(struct auth *a, char **argument, struct remote_image *image, struct error *e)
{
	struct reference r;
	struct platform p;

	if (reference_parse(argument[0], &r, e) < 0)
		return wrong_reference(argument[0], e);
	if (platform_parse(argument[1], &p, e) < 0)
		return -1;
	return pull_resolve(a, &r, &p, image, e);
}

static int do_resolve(struct auth *a, char **argument, struct error *e)
{
	char text[DIGEST_TEXT], platform[PLATFORM_TEXT];
	struct remote_image image;

	if (resolve(a, argument, &image, e) < 0)
		return -1;
	printf("name %s\n", image.name);
	printf("platform %s\n", platform_format(&image.platform, platform));
	printf("manifest %s\n", digest_format(&image.manifest.digest, text));
	printf("config %s\n", digest_format(&image.config_digest, text));
	for (size_t i = 0; i < image.layer_count; i++)
		printf("layer %s %lld %s\n", digest_format(&image.layer[i].digest, text),
		       (long long)image.layer[i].size, image.layer[i].media_type);
	remote_image_release(&image);
	return 0;
}

static int do_digest(struct auth *a, char **argument, struct error *e)
{
	char text[DIGEST_TEXT];
	struct reference r;
	struct digest d;

	if (reference_parse(argument[0], &r, e) < 0)
		return wrong_reference(argument[0], e);
	if (pull_digest(a, &r, &d, e) < 0)
		return -1;
	printf("digest %s\n", digest_format(&d, text));
	return 0;
}

/* --- pull --- */

struct fetching {
	const struct remote_image *image;
	struct store *store;
	atomic_size_t next;
	atomic_bool failed;
	struct error error[BLOBS_MAX];
};

static void *fetch(void *context)
{
	struct fetching *f = context;
	size_t i;

	while ((i = f->next++) < f->image->layer_count && i < BLOBS_MAX)
		if (pull_layer_blob(f->image, i, f->store, NULL, NULL, &f->error[i]) < 0)
			f->failed = true;
		else
			f->error[i].kind = ERROR_NONE;
	return NULL;
}

static int do_pull(struct auth *a, char **argument, struct error *e)
{
	struct remote_image image;
	struct fetching f = { .image = &image };
	pthread_t thread[THREADS];
	int result = 0;

	if (resolve(a, argument, &image, e) < 0)
		return -1;
	f.store = store_open(argument[2], e);
	if (!f.store) {
		remote_image_release(&image);
		return -1;
	}
	for (size_t i = 0; i < THREADS; i++)
		pthread_create(&thread[i], NULL, fetch, &f);
	for (size_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	for (size_t i = 0; f.failed && i < image.layer_count && result == 0; i++)
		if (f.error[i].kind != ERROR_NONE) {
			*e = f.error[i];
			result = -1;
		}
	if (result == 0)
		result = store_flush(f.store, e);
	if (result == 0)
		printf("pulled %zu layers\n", image.layer_count);
	store_close(f.store);
	remote_image_release(&image);
	return result;
}

/* --- push --- */

struct file {
	int folder;
	char hex[DIGEST_HEX + 1];
};

static int open_file(void *context, struct error *e)
{
	const struct file *f = context;

	return path_open(f->folder, f->hex, O_RDONLY, 0, e);
}

static void say(void *context, const struct blob_source *blob, enum push_event event, int64_t done)
{
	static const char *const words[] = { "exists", "mounted", NULL, "sent" };
	char text[DIGEST_TEXT];

	(void)context, (void)done;
	if (words[event])
		printf("%s %s\n", words[event], digest_format(&blob->digest, text));
}

static int add_blob(struct push_image *image, struct blob_source *blob, struct file *file,
                    int folder, const json_t *descriptor, const struct reference *lender,
                    struct error *e)
{
	size_t i = image->blob_count;

	if (i == BLOBS_MAX)
		return error_set(e, ERROR_INPUT, "too many blobs");
	if (digest_parse(json_string_value(json_object_get(descriptor, "digest")), &blob[i].digest,
	                 e) < 0)
		return -1;
	blob[i].size = json_integer_value(json_object_get(descriptor, "size"));
	file[i].folder = folder;
	digest_hex(&blob[i].digest, file[i].hex);
	blob[i].open = open_file;
	blob[i].context = &file[i];
	blob[i].lender = lender;
	image->blob_count++;
	return 0;
}

static int do_push(struct auth *a, char **argument, struct error *e)
{
	auto_close int folder = open(argument[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct blob_source blob[BLOBS_MAX];
	struct file file[BLOBS_MAX];
	struct push_image image = { .blob = blob };
	struct reference r, lender;
	char text[DIGEST_TEXT];
	struct digest digest;
	json_t *json, *layer;
	int result = 0;
	size_t i;
	auto_free char *bytes = path_read(folder, "manifest.json", 1 << 20, &image.manifest_size, e);

	if (!bytes || reference_parse(argument[0], &r, e) < 0 ||
	    (argument[2] && reference_parse(argument[2], &lender, e) < 0))
		return -1;
	reference_default_tag(&r);
	json = json_parse(bytes, image.manifest_size, "manifest.json", e);
	if (!json)
		return -1;
	image.manifest = bytes;
	image.media_type = json_string_value(json_object_get(json, "mediaType"));
	json_array_foreach(json_object_get(json, "layers"), i, layer)
		if (result == 0)
			result = add_blob(&image, blob, file, folder, layer, argument[2] ? &lender : NULL, e);
	if (result == 0)
		result = add_blob(&image, blob, file, folder, json_object_get(json, "config"), NULL, e);
	if (result == 0)
		result = push_image(a, &r, &image, say, NULL, &digest, e);
	if (result == 0)
		printf("pushed %s\n", digest_format(&digest, text));
	json_decref(json);
	return result;
}

/* --- the rest --- */

static int do_login(struct auth *a, char **argument, struct error *e)
{
	return login(a, argument[0], argument[1], argument[2], e);
}

static int do_logout(struct auth *a, char **argument, struct error *e)
{
	return logout(a, argument[0], e);
}

static int do_get(struct auth *a, char **argument, struct error *e)
{
	struct http_request q = HTTP_REQUEST("GET", argument[0]);
	struct http_response r;

	q.authorization = getenv("CLIENT_AUTHORIZATION");
	if (http_send(auth_http(a), &q, &r, e) < 0)
		return -1;
	printf("status %d, %zu bytes\n", r.status, r.body_size);
	http_release(&r);
	return 0;
}

static const struct {
	const char *name;
	int least;
	int (*work)(struct auth *a, char **argument, struct error *e);
} commands[] = {
	{ "resolve", 2, do_resolve }, { "digest", 1, do_digest }, { "pull", 3, do_pull },
	{ "push", 2, do_push },       { "login", 3, do_login },   { "logout", 1, do_logout },
	{ "get", 1, do_get },
};

int main(int argc, char **argv)
{
	struct http_settings settings = { .stall_seconds = setting("CLIENT_STALL"),
		                          .attempts = setting("CLIENT_ATTEMPTS"),
		                          .pause_ms = setting("CLIENT_PAUSE_MS") };
	struct error e = { 0 };
	struct http *h = http_open(&settings, &e);
	struct auth *a = h ? auth_open(h, NULL, &e) : NULL;
	int result = a ? -2 : -1;

	for (size_t i = 0; a && i < sizeof commands / sizeof *commands; i++)
		if (argc > 1 && strcmp(argv[1], commands[i].name) == 0 && argc - 2 >= commands[i].least)
			result = commands[i].work(a, argv + 2, &e);
	if (result == -2)
		fprintf(stderr, "usage: see the head of client.c\n");
	else if (result < 0)
		printf("error %d: %s\n", e.kind, e.text);
	auth_close(a);
	http_close(h);
	return result < 0;
}
