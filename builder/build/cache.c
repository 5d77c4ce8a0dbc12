#include "builder/build/cache.h"

#include <stdlib.h>
#include <string.h>

#include "layers/json.h"
#include "layers/scope.h"

/* Longer values are said to have changed, not shown. */
#define SHOWN_MAX 60

struct ingredient {
	char *name, *value;
	bool files; /* VALUE is the joint digest of many */
};

struct key {
	struct ingredient *item;
	size_t count, capacity;
	struct sha256 files;
	char *files_name;
	bool out_of_memory;
};

struct key *key_new(struct error *e)
{
	struct key *k = calloc(1, sizeof *k);

	if (!k)
		error_memory(e);
	return k;
}

void key_free(struct key *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->count; i++) {
		free(k->item[i].name);
		free(k->item[i].value);
	}
	free(k->item);
	free(k->files_name);
	free(k);
}

static void add(struct key *k, const char *name, const char *value, bool files)
{
	struct ingredient *item;

	if (k->count == k->capacity) {
		size_t capacity = k->capacity ? 2 * k->capacity : 16;
		struct ingredient *grown = reallocarray(k->item, capacity, sizeof *grown);

		if (!grown) {
			k->out_of_memory = true;
			return;
		}
		k->item = grown;
		k->capacity = capacity;
	}
	item = &k->item[k->count++];
	item->name = strdup(name);
	item->value = strdup(value);
	item->files = files;
	if (!item->name || !item->value)
		k->out_of_memory = true;
}

void key_add(struct key *k, const char *name, const char *value)
{
	add(k, name, value, false);
}

void key_add_digest(struct key *k, const char *name, const struct digest *value)
{
	char text[DIGEST_TEXT];

	add(k, name, digest_format(value, text), false);
}

void key_add_number(struct key *k, const char *name, int64_t value)
{
	char text[24];

	snprintf(text, sizeof text, "%lld", (long long)value);
	add(k, name, text, false);
}

void key_files_begin(struct key *k, const char *name)
{
	sha256_begin(&k->files);
	free(k->files_name);
	k->files_name = strdup(name);
}

void key_file(struct key *k, const void *facts, size_t size)
{
	uint64_t length = size;

	sha256_add(&k->files, &length, sizeof length);
	sha256_add(&k->files, facts, size);
}

void key_files_end(struct key *k)
{
	struct digest joint;
	char text[DIGEST_TEXT];

	sha256_end(&k->files, &joint);
	add(k, k->files_name ? k->files_name : "", digest_format(&joint, text), true);
}

int key_digest(const struct key *k, struct digest *d, struct error *e)
{
	struct sha256 s;

	if (k->out_of_memory)
		return error_memory(e);
	sha256_begin(&s);
	for (size_t i = 0; i < k->count; i++) {
		sha256_add(&s, k->item[i].name, strlen(k->item[i].name) + 1);
		sha256_add(&s, k->item[i].value, strlen(k->item[i].value) + 1);
	}
	sha256_end(&s, d);
	return 0;
}

/* A record's file: {"layer":{...},"created":N,"ingredients":[[name,value,files],...]} */
static json_t *read_record(struct store *s, const struct digest *key, struct error *e)
{
	char name[DIGEST_HEX + 1];
	size_t size;
	auto_free char *text = store_read(s, STORE_STEPS, digest_hex(key, name), &size, e);

	return text ? json_parse(text, size, "a cache record", e) : NULL;
}

static int unpack_record(json_t *json, struct record *r, struct error *e)
{
	const char *diff_id = NULL, *blob = NULL;
	json_int_t size = 0, created = 0;
	int compression = 0;

	if (json_unpack(json, "{s:I, s?{s:s, s:s, s:I, s:i}}", "created", &created, "layer", "diff_id",
	                &diff_id, "blob", &blob, "size", &size, "compression", &compression) < 0)
		return error_set(e, ERROR_CORRUPT, "a cache record is damaged");
	memset(r, 0, sizeof *r);
	r->created = created;
	r->has_layer = diff_id != NULL;
	if (!diff_id)
		return 0;
	r->layer.blob_size = size;
	r->layer.compression = (enum compression)compression;
	if (digest_parse(diff_id, &r->layer.diff_id, e) < 0 || digest_parse(blob, &r->layer.blob, e) < 0)
		return -1;
	return 0;
}

int cache_find(struct store *s, const struct digest *key, struct record *r, struct error *e)
{
	json_t *json = read_record(s, key, e);
	int result;

	if (!json)
		return e->kind == ERROR_NOT_FOUND || e->kind == ERROR_DAMAGED || e->kind == ERROR_INPUT
		               ? 0 : -1;
	result = unpack_record(json, r, e);
	json_decref(json);
	if (result < 0)
		return 0;
	return !r->has_layer || layer_is_whole(s, &r->layer);
}

static json_t *record_json(const struct key *k, const struct record *r)
{
	char diff_id[DIGEST_TEXT], blob[DIGEST_TEXT];
	json_t *ingredients = json_array(), *json;

	for (size_t i = 0; i < k->count; i++)
		json_array_append_new(ingredients, json_pack("[s s b]", k->item[i].name, k->item[i].value,
		                                             k->item[i].files));
	json = json_pack("{s:I, s:o}", "created", (json_int_t)r->created, "ingredients", ingredients);
	if (json && r->has_layer)
		json_object_set_new(json, "layer", json_pack(
			"{s:s, s:s, s:I, s:i}", "diff_id", digest_format(&r->layer.diff_id, diff_id),
			"blob", digest_format(&r->layer.blob, blob), "size",
			(json_int_t)r->layer.blob_size, "compression", (int)r->layer.compression));
	return json;
}

/* The name of the file that says which key was the last in a slot. */
static void slot_name(const struct digest *slot, char name[static DIGEST_HEX + 6])
{
	memcpy(name, "slot-", 5);
	digest_hex(slot, name + 5);
}

/* The key that was the last in SLOT, as text; NULL: none. The caller frees it. */
static char *last_key(struct store *s, const struct digest *slot)
{
	char name[DIGEST_HEX + 6];
	struct error ignored;

	slot_name(slot, name);
	return store_read(s, STORE_STEPS, name, NULL, &ignored);
}

int cache_save(struct store *s, const struct key *k, const struct digest *slot,
               const struct record *r, struct error *e)
{
	char name[DIGEST_HEX + 1], slot_file[DIGEST_HEX + 6], text[DIGEST_TEXT];
	struct digest digest;
	json_t *json;
	auto_free char *bytes = NULL, *last = last_key(s, slot);
	size_t size;

	if (key_digest(k, &digest, e) < 0)
		return -1;
	json = record_json(k, r);
	bytes = json ? json_text(json, &size) : NULL;
	json_decref(json);
	if (!bytes)
		return error_memory(e);
	slot_name(slot, slot_file);
	digest_format(&digest, text);
	if (store_write(s, STORE_STEPS, digest_hex(&digest, name), bytes, size, e) < 0)
		return -1;
	/* So it is when a step is performed without the cache: replacing a file costs more. */
	if (last && strcmp(last, text) == 0)
		return 0;
	return store_write(s, STORE_STEPS, slot_file, text, strlen(text), e);
}

/* The record that was made last in SLOT, or NULL. */
static json_t *last_record(struct store *s, const struct digest *slot)
{
	struct error ignored;
	struct digest key;
	auto_free char *text = last_key(s, slot);

	if (!text || digest_parse(text, &key, &ignored) < 0)
		return NULL;
	return read_record(s, &key, &ignored);
}

static const char *old_value(const json_t *ingredients, const char *name)
{
	size_t i;
	json_t *item;

	json_array_foreach(ingredients, i, item)
	{
		const char *found = json_string_value(json_array_get(item, 0));

		if (found && strcmp(found, name) == 0)
			return json_string_value(json_array_get(item, 1));
	}
	return NULL;
}

static const struct ingredient *find(const struct key *k, const char *name)
{
	for (size_t i = 0; i < k->count; i++)
		if (strcmp(k->item[i].name, name) == 0)
			return &k->item[i];
	return NULL;
}

static char *say(const struct ingredient *now, const char *before, struct record *old,
                 char *(*files)(void *context, const struct layer *old), void *context)
{
	char *text = NULL;

	if (now->files && files && old->has_layer)
		text = files(context, &old->layer);
	if (text)
		return text;
	if (!before)
		return asprintf(&text, "%s is new", now->name) < 0 ? NULL : text;
	if (now->files || strlen(before) > SHOWN_MAX || strlen(now->value) > SHOWN_MAX ||
	    strncmp(before, "sha256:", 7) == 0)
		return asprintf(&text, "%s changed", now->name) < 0 ? NULL : text;
	return asprintf(&text, "%s: %s -> %s", now->name, before, now->value) < 0 ? NULL : text;
}

char *cache_explain(struct store *s, const struct key *k, const struct digest *slot,
                    char *(*files)(void *context, const struct layer *old), void *context)
{
	json_t *json = last_record(s, slot), *ingredients = json_object_get(json, "ingredients"), *item;
	struct record old;
	struct error ignored;
	char *text = NULL;
	size_t i;

	if (!json || unpack_record(json, &old, &ignored) < 0) {
		json_decref(json);
		return strdup("first build");
	}
	for (i = 0; i < k->count && !text; i++) {
		const char *before = old_value(ingredients, k->item[i].name);

		if (!before || strcmp(before, k->item[i].value) != 0)
			text = say(&k->item[i], before, &old, files, context);
	}
	if (!text) {
		json_array_foreach(ingredients, i, item)
		{
			const char *name = json_string_value(json_array_get(item, 0));

			if (name && !find(k, name)) {
				if (asprintf(&text, "%s is gone", name) < 0)
					text = NULL;
				break;
			}
		}
	}
	json_decref(json);
	return text ? text : strdup("its layer is not in the store any more");
}
