#include "builder/command/stored.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "layers/table.h"
#include "registry/reference.h"

int stored_open(struct store *s, struct stored *all, struct error *e)
{
	return image_names(s, &all->item, &all->count, e);
}

void stored_close(struct stored *all)
{
	for (size_t i = 0; i < all->count; i++)
		image_name_release(&all->item[i]);
	free(all->item);
}

static const struct image_name *find_name(const struct stored *all, const char *name)
{
	for (size_t i = 0; i < all->count; i++)
		if (strcmp(all->item[i].name, name) == 0)
			return &all->item[i];
	return NULL;
}

/* An id, or enough of it that it means one image. A record with a name is preferred. */
static const struct image_name *find_id(const struct stored *all, const char *text,
                                        struct error *e)
{
	const struct image_name *found = NULL;
	size_t length;

	if (strncmp(text, "sha256:", 7) == 0)
		text += 7;
	length = strlen(text);
	if (length == 0 || length > DIGEST_HEX || strspn(text, "0123456789abcdef") != length)
		return NULL;
	for (size_t i = 0; i < all->count; i++) {
		char hex[DIGEST_HEX + 1];

		if (strncmp(digest_hex(&all->item[i].id, hex), text, length) != 0)
			continue;
		if (found && !digest_equal(&found->id, &all->item[i].id)) {
			error_set(e, ERROR_INPUT, "%s is the beginning of more than one image's id", text);
			return NULL;
		}
		if (!found || !*found->name)
			found = &all->item[i];
	}
	return found;
}

static const struct image_name *find_digest(const struct stored *all, const struct reference *r)
{
	for (size_t i = 0; i < all->count; i++) {
		struct reference named;
		struct error ignored;

		if (digest_equal(&all->item[i].manifest, &r->digest) &&
		    reference_parse(all->item[i].name, &named, &ignored) == 0 &&
		    strcmp(named.domain, r->domain) == 0 && strcmp(named.repository, r->repository) == 0)
			return &all->item[i];
	}
	return NULL;
}

const struct image_name *stored_find(const struct stored *all, const char *text, bool *by_id,
                                     struct error *e)
{
	const struct image_name *found = NULL;
	struct reference r;
	bool is_id = false;

	error_set(e, ERROR_NOT_FOUND, "No such image: %s", text);
	if (*text) {
		struct error ignored;

		if (reference_parse(text, &r, &ignored) == 0) {
			auto_free char *name = NULL;
			bool whole = *r.tag || !r.has_digest;

			reference_default_tag(&r);
			if (!whole || r.has_digest)
				found = find_digest(all, &r);
			r.has_digest = false;
			name = reference_format(&r);
			if (!found && name && whole)
				found = find_name(all, name);
		}
	}
	if (!found) {
		found = find_id(all, text, e);
		is_id = true;
	}
	if (by_id)
		*by_id = is_id;
	return found;
}

bool stored_is_named(const struct stored *all, const struct digest *id)
{
	for (size_t i = 0; i < all->count; i++)
		if (*all->item[i].name && digest_equal(&all->item[i].id, id))
			return true;
	return false;
}

int stored_split(const struct image_name *name, char **repository, char **tag, struct error *e)
{
	struct reference r;

	*repository = *tag = NULL;
	if (*name->name && reference_parse(name->name, &r, e) == 0) {
		*tag = strdup(*r.tag ? r.tag : "<none>");
		r.tag[0] = '\0';
		r.has_digest = false;
		*repository = reference_familiar(&r);
	} else {
		*tag = strdup("<none>");
		*repository = strdup("<none>");
	}
	if (*repository && *tag)
		return 0;
	free(*repository);
	free(*tag);
	*repository = *tag = NULL;
	return error_memory(e);
}

int64_t stored_layer_size(struct store *s, const struct layer *layer)
{
	struct error ignored;
	struct table *t = table_open(s, &layer->diff_id, &ignored);
	int64_t size = 0;

	if (!t)
		return layer->blob_size;
	for (size_t i = 0; i < table_count(t); i++) {
		struct entry entry;

		table_get(t, i, &entry);
		if (entry.type == ENTRY_FILE)
			size += entry.size;
	}
	table_close(t);
	return size;
}

int64_t stored_size(struct store *s, const struct image *image)
{
	int64_t size = 0;

	for (size_t i = 0; i < image->layer_count; i++)
		size += stored_layer_size(s, &image->layers[i]);
	return size;
}
