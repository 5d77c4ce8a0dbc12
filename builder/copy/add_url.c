/* ADD of URLs: a file of mode 0600, whose time is what the server says. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "builder/copy/download.h"
#include "layers/blob.h"
#include "layers/scope.h"

/* The value of Authorization for URL: what the secret HTTP_AUTH_HEADER_<host> holds, or the token
 * in HTTP_AUTH_TOKEN_<host>. NULL in *VALUE when there is neither. */
static int find_authorization(const struct copy_world *w, const char *url, char **value,
                              struct error *e)
{
	const char *authority = strstr(url, "://") + 3, *secret = NULL;
	const char *end = authority + strcspn(authority, "/?#");
	const char *user = memrchr(authority, '@', (size_t)(end - authority));
	const char *host = user ? user + 1 : authority;
	int size = (int)(end - host), result = 0;
	auto_free char *id = NULL, *token_id = NULL;

	*value = NULL;
	if (!w->secret)
		return 0;
	if (asprintf(&id, "HTTP_AUTH_HEADER_%.*s", size, host) < 0 ||
	    asprintf(&token_id, "HTTP_AUTH_TOKEN_%.*s", size, host) < 0)
		return error_memory(e);
	secret = w->secret(w->secret_context, id);
	if (secret) {
		result = asprintf(value, "%.*s", (int)strcspn(secret, "\r\n"), secret);
	} else {
		secret = w->secret(w->secret_context, token_id);
		if (secret)
			result = asprintf(value, "Bearer %.*s", (int)strcspn(secret, "\r\n"),
			                  secret);
	}
	return result < 0 ? error_memory(e) : 0;
}

static void downloaded(void *context, int64_t done, int64_t total)
{
	const struct copy_world *w = context;

	w->moved(w->moved_context, "downloading", done, total);
}

static int fetch(struct selection *c, const char *url, struct download *d, struct error *e)
{
	const char *checksum = c->step->checksum;
	auto_free char *authorization = NULL;
	struct digest want;

	if (checksum && *checksum && digest_parse(checksum, &want, e) < 0)
		return error_context(e, "--checksum");
	if (find_authorization(c->world, url, &authorization, e) < 0)
		return -1;
	return download(c->world->store, url, authorization, checksum && *checksum ? &want : NULL,
	                c->world->moved ? downloaded : NULL, (void *)c->world, d, e);
}

static int add_file(struct selection *c, const char *name, int fd, const struct download *d,
                    struct error *e)
{
	const char *path = copy_file_target(c, name, e);
	struct arrived *arrived = path ? arena_array(c->memory, 1, sizeof *arrived) : NULL;
	struct copy_item *item;

	if (!arrived)
		return path ? error_memory(e) : -1;
	*arrived = (struct arrived){
		.entry = {
			.path = path,
			.type = ENTRY_FILE,
			.size = d->size,
			.mtime = d->modified >= 0 ? d->modified : LAYER_TIME,
			.digest = d->digest,
		},
		.fd = fd,
	};
	item = copy_add_item(c, path, ITEM_ARRIVED, ENTRY_FILE, e);
	if (!item)
		return -1;
	item->arrived = arrived;
	item->mode = (uint16_t)copy_mode_apply(&c->chmod, 0600, false);
	return 0;
}

int copy_take_url(struct selection *c, const struct copy_source *source, struct key *key,
                  struct error *e)
{
	auto_free char *name = download_name(source->text, e);
	struct download d;
	int fd, taken = 0;

	if (!name)
		return error_context(e, "%s", source->text);
	if (fetch(c, source->text, &d, e) < 0 || copy_next_match(c, NULL, NULL, e) < 0)
		return -1;
	fd = blob_open(c->world->store, &d.digest, d.size, e);
	if (fd < 0 || copy_keep_open(c, fd, e) < 0)
		return -1;
	/* The time is in the layer, so another time is another layer. */
	key_add_number(key, "Last-Modified", d.modified);
	if (c->step->unpack == CHOICE_YES)
		taken = copy_take_archive_fd(c, fd, &d.digest, name, e);
	return taken ? (taken < 0 ? -1 : 0) : add_file(c, name, fd, &d, e);
}
