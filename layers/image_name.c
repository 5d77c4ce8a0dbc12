/* Names of images: one small JSON record each, in the file that the digest of the name names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "layers/image.h"
#include "layers/scope.h"

/* An image without a name is recorded under the digest of its manifest's. */
static void file_of(const char *name, const struct digest *manifest,
                    char file[static DIGEST_HEX + 1])
{
	char text[DIGEST_TEXT];
	struct digest d;

	if (!*name)
		name = digest_format(manifest, text);
	digest_of(name, strlen(name), &d);
	digest_hex(&d, file);
}

static int parse_record(const char *text, size_t size, struct image_name *out, struct error *e)
{
	json_t *record = json_parse(text, size, "name of an image", e);
	const char *name, *id, *manifest;
	json_error_t wrong;
	json_int_t tagged;
	int result = -1;

	if (!record)
		return -1;
	if (json_unpack_ex(record, &wrong, 0, "{s:s, s:s, s:s, s:I}", "name", &name, "id", &id,
	                   "manifest", &manifest, "tagged", &tagged) < 0)
		error_set(e, ERROR_CORRUPT, "name of an image: %s", wrong.text);
	else if (digest_parse(id, &out->id, e) == 0 && digest_parse(manifest, &out->manifest, e) == 0)
		result = 0;
	if (result == 0) {
		out->tagged = tagged;
		out->name = strdup(name);
		result = out->name ? 0 : error_memory(e);
	}
	json_decref(record);
	return result;
}

static int read_record(struct store *s, const char *file, struct image_name *out, struct error *e)
{
	size_t size;
	auto_free char *text = store_read(s, STORE_IMAGES, file, &size, e);

	return text ? parse_record(text, size, out, e) : -1;
}

static int write_record(struct store *s, const struct image_name *name, struct error *e)
{
	char file[DIGEST_HEX + 1], id[DIGEST_TEXT], manifest[DIGEST_TEXT];
	json_t *record = json_pack("{s:s, s:s, s:s, s:I}", "name", name->name, "id",
	                           digest_format(&name->id, id), "manifest",
	                           digest_format(&name->manifest, manifest), "tagged",
	                           (json_int_t)name->tagged);
	size_t size;
	auto_free char *text = record ? json_text(record, &size) : NULL;

	json_decref(record);
	if (!text)
		return error_memory(e);
	file_of(name->name, &name->manifest, file);
	return store_write(s, STORE_IMAGES, file, text, size, e);
}

int image_name_get(struct store *s, const char *name, struct image_name *out, struct error *e)
{
	char file[DIGEST_HEX + 1];
	struct digest none = { 0 };

	file_of(name, &none, file);
	if (read_record(s, file, out, e) < 0)
		return e->kind == ERROR_NOT_FOUND ? error_set(e, ERROR_NOT_FOUND, "No such image: %s", name)
		                                  : -1;
	return 0;
}

int image_name_set(struct store *s, const char *name, const struct image *image, struct error *e)
{
	struct image_name new = {
		.name = (char *)name,
		.id = image->id,
		.manifest = image->manifest,
		.tagged = time(NULL),
	};
	struct image_name old = { 0 };
	char file[DIGEST_HEX + 1];
	int result = 0;

	file_of(name, &image->manifest, file);
	if (read_record(s, file, &old, e) == 0) {
		/* A rebuild that changes nothing writes nothing, so that it need not be flushed. */
		if (digest_equal(&old.manifest, &new.manifest)) {
			image_name_release(&old);
			return 0;
		}
		/* The image that loses its name stays, nameless, until it is pruned. */
		old.name[0] = '\0';
		result = write_record(s, &old, e);
		image_name_release(&old);
	} else if (e->kind != ERROR_NOT_FOUND && e->kind != ERROR_CORRUPT &&
	           e->kind != ERROR_DAMAGED) {
		return -1;
	}
	return result < 0 ? -1 : write_record(s, &new, e);
}

int image_name_remove(struct store *s, const struct image_name *name, struct error *e)
{
	char file[DIGEST_HEX + 1];

	file_of(name->name, &name->manifest, file);
	return store_remove(s, STORE_IMAGES, file, e);
}

void image_name_release(struct image_name *name)
{
	free(name->name);
	name->name = NULL;
}

struct listing {
	struct store *store;
	struct image_name *item;
	size_t count, capacity;
	struct error *error;
	int result;
};

static int list_record(const char *file, void *context)
{
	struct listing *l = context;

	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 16;
		struct image_name *grown = reallocarray(l->item, capacity, sizeof *grown);

		if (!grown)
			return l->result = error_memory(l->error);
		l->item = grown;
		l->capacity = capacity;
	}
	if (read_record(l->store, file, &l->item[l->count], l->error) == 0)
		l->count++;
	else if (l->error->kind == ERROR_SYSTEM || l->error->kind == ERROR_DENIED)
		return l->result = -1;
	/* Removed meanwhile, or damaged: the others are still there to be listed. */
	return 0;
}

static int by_name(const void *a, const void *b)
{
	const struct image_name *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : memcmp(&x->manifest, &y->manifest, sizeof x->manifest);
}

int image_names(struct store *s, struct image_name **names, size_t *count, struct error *e)
{
	struct listing l = { .store = s, .error = e };
	int result = store_list(s, STORE_IMAGES, list_record, &l, e);

	if (result < 0 || l.result < 0) {
		for (size_t i = 0; i < l.count; i++)
			image_name_release(&l.item[i]);
		free(l.item);
		return -1;
	}
	if (l.count > 0)
		qsort(l.item, l.count, sizeof *l.item, by_name);
	*names = l.item;
	*count = l.count;
	return 0;
}
