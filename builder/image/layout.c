#include "builder/image/layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/image/tar_file.h"
#include "layers/blob.h"
#include "layers/extent.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "registry/reference.h"

#define REF_NAME "org.opencontainers.image.ref.name"
#define CREATED "org.opencontainers.image.created"
#define IMAGE_NAME "io.containerd.image.name"

#define OCI_LAYOUT "{\"imageLayoutVersion\":\"1.0.0\"}"
#define INDEX_SIZE_MAX (4 << 20)

/* One file of the layout: BYTES, or the store's blob. */
struct part {
	char name[sizeof "blobs/sha256/" + DIGEST_HEX];
	const void *bytes;
	struct digest blob;
	int64_t size;
};

struct layout {
	struct store *store;
	struct part *part;
	size_t count, capacity;
	json_t *manifests; /* of index.json */
	json_t *repos;     /* of manifest.json */
};

struct layout *layout_new(struct store *s, struct error *e)
{
	struct layout *l = calloc(1, sizeof *l);

	if (!l || !(l->manifests = json_array()) || !(l->repos = json_array())) {
		layout_free(l);
		error_memory(e);
		return NULL;
	}
	l->store = s;
	return l;
}

void layout_free(struct layout *l)
{
	if (!l)
		return;
	json_decref(l->manifests);
	json_decref(l->repos);
	free(l->part);
	free(l);
}

/* --- collecting ------------------------------------------------------------------------------- */

static void blob_name(const struct digest *d, char name[static sizeof "blobs/sha256/" + DIGEST_HEX])
{
	strcpy(name, "blobs/sha256/");
	digest_hex(d, name + strlen(name));
}

/* A part without a name yet, or NULL and E. */
static struct part *new_part(struct layout *l, struct error *e)
{
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 32;
		struct part *grown = reallocarray(l->part, capacity, sizeof *grown);

		if (!grown) {
			error_memory(e);
			return NULL;
		}
		l->part = grown;
		l->capacity = capacity;
	}
	l->part[l->count] = (struct part){ .bytes = NULL };
	return &l->part[l->count++];
}

static int add_file(struct layout *l, const char *name, const void *bytes, size_t size,
                    struct error *e)
{
	struct part *part = new_part(l, e);

	if (!part)
		return -1;
	snprintf(part->name, sizeof part->name, "%s", name);
	part->bytes = bytes;
	part->size = (int64_t)size;
	return 0;
}

int layout_add_blob(struct layout *l, const void *bytes, size_t size, struct error *e)
{
	struct part *part = new_part(l, e);

	if (!part)
		return -1;
	digest_of(bytes, size, &part->blob);
	blob_name(&part->blob, part->name);
	part->bytes = bytes;
	part->size = (int64_t)size;
	return 0;
}

int layout_add_image(struct layout *l, const struct outgoing *image, stack_fetch *fetch,
                     void *context, struct error *e)
{
	if (layout_add_blob(l, image->config, image->config_size, e) < 0 ||
	    layout_add_blob(l, image->manifest, image->manifest_size, e) < 0)
		return -1;
	for (size_t i = 0; i < image->image->layer_count; i++) {
		const struct layer *layer = &image->layer[i];
		struct part *part = new_part(l, e);

		if (!part)
			return -1;
		blob_name(&layer->blob, part->name);
		part->blob = layer->blob;
		part->size = layer->blob_size;
		if (fetch && !blob_has(l->store, &layer->blob, layer->blob_size) &&
		    fetch(context, layer, e) < 0)
			return -1;
	}
	return 0;
}

static int append_entry(struct layout *l, const json_t *descriptor, const char *created,
                        const char *name, struct error *e)
{
	json_t *entry = json_deep_copy(descriptor), *annotations = json_object();
	struct reference r;

	if (name) {
		if (reference_parse(name, &r, e) < 0) {
			json_decref(entry);
			json_decref(annotations);
			return error_context(e, "%s", name);
		}
		json_object_set_new(annotations, IMAGE_NAME, json_string(name));
	}
	if (created)
		json_object_set_new(annotations, CREATED, json_string(created));
	if (name && *r.tag)
		json_object_set_new(annotations, REF_NAME, json_string(r.tag));
	json_object_update(annotations, json_object_get(entry, "annotations"));
	if (json_object_size(annotations) > 0)
		json_object_set(entry, "annotations", annotations);
	json_decref(annotations);
	return entry && json_array_append_new(l->manifests, entry) == 0 ? 0 : error_memory(e);
}

int layout_name(struct layout *l, const json_t *descriptor, const char *created,
                const char *const *name, size_t count, struct error *e)
{
	if (count == 0)
		return append_entry(l, descriptor, created, NULL, e);
	for (size_t i = 0; i < count; i++)
		if (append_entry(l, descriptor, created, name[i], e) < 0)
			return -1;
	return 0;
}

int layout_name_for_docker(struct layout *l, const struct outgoing *image,
                           const char *const *name, size_t count, struct error *e)
{
	json_t *tags = json_array(), *layers = json_array(), *repo;
	char path[sizeof "blobs/sha256/" + DIGEST_HEX];

	for (size_t i = 0; i < count; i++) {
		auto_free char *familiar = NULL;
		struct reference r;

		if (reference_parse(name[i], &r, e) < 0) {
			json_decref(tags);
			json_decref(layers);
			return error_context(e, "%s", name[i]);
		}
		familiar = reference_familiar(&r);
		json_array_append_new(tags, json_string(familiar));
	}
	for (size_t i = 0; i < image->image->layer_count; i++) {
		blob_name(&image->layer[i].blob, path);
		json_array_append_new(layers, json_string(path));
	}
	blob_name(&image->image->id, path);
	if (count == 0) {
		json_decref(tags);
		tags = json_null();
	}
	repo = json_pack("{s:s, s:o, s:o}", "Config", path, "RepoTags", tags, "Layers", layers);
	return repo && json_array_append_new(l->repos, repo) == 0 ? 0 : error_memory(e);
}

/* --- writing ---------------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b)
{
	const struct part *x = a, *y = b;

	return strcmp(x->name, y->name);
}

static void sort_parts(struct layout *l)
{
	size_t kept = 0;

	if (l->count > 0)
		qsort(l->part, l->count, sizeof *l->part, by_name);
	for (size_t i = 0; i < l->count; i++)
		if (kept == 0 || strcmp(l->part[kept - 1].name, l->part[i].name) != 0)
			l->part[kept++] = l->part[i];
	l->count = kept;
}

static char *index_text(const json_t *manifests, size_t *size)
{
	json_t *index = json_pack("{s:i, s:s, s:O}", "schemaVersion", 2, "mediaType",
	                          "application/vnd.oci.image.index.v1+json", "manifests", manifests);
	char *text = index ? json_text(index, size) : NULL;

	json_decref(index);
	return text;
}

static int write_part(struct layout *l, struct tar_file *t, const struct part *part, struct error *e)
{
	struct entry entry = { .path = part->name, .type = ENTRY_FILE, .mode = 0644,
		               .size = part->size };
	struct content content = { .fd = -1, .memory = part->bytes };
	auto_close int fd = -1;

	if (!part->bytes) {
		fd = content.fd = blob_open_verified(l->store, &part->blob, part->size, e);
		if (fd < 0)
			return -1;
	}
	return tar_file_add(t, &entry, &content, e);
}

int layout_write_archive(struct layout *l, const char *dest, struct error *e)
{
	static const char *const folders[] = { "blobs", "blobs/sha256" };
	auto_free char *index = NULL;
	auto_free char *repos = NULL;
	size_t index_size, repos_size;
	struct tar_file *t;
	int result = 0;

	index = index_text(l->manifests, &index_size);
	repos = json_text(l->repos, &repos_size);
	if (!index || !repos)
		return error_memory(e);
	if (add_file(l, "index.json", index, index_size, e) < 0 ||
	    add_file(l, "oci-layout", OCI_LAYOUT, strlen(OCI_LAYOUT), e) < 0 ||
	    (json_array_size(l->repos) > 0 && add_file(l, "manifest.json", repos, repos_size, e) < 0))
		return -1;
	sort_parts(l);
	t = tar_file_begin(dest, e);
	if (!t)
		return -1;
	for (size_t i = 0; result == 0 && i < 2; i++) {
		struct entry entry = { .path = folders[i], .type = ENTRY_DIR, .mode = 0755 };

		result = tar_file_add(t, &entry, NULL, e);
	}
	for (size_t i = 0; result == 0 && i < l->count; i++)
		result = write_part(l, t, &l->part[i], e);
	if (result == 0)
		return tar_file_finish(t, e);
	tar_file_abandon(t);
	return -1;
}

/* The blob of PART in the folder BLOBS, under its digest. */
static int place_blob(struct layout *l, int blobs, const struct part *part, struct error *e)
{
	const char *hex = strrchr(part->name, '/') + 1;
	char aside[DIGEST_HEX + 8];
	auto_close int from = -1;
	auto_close int to = -1;
	struct stat st;

	if (fstatat(blobs, hex, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size == part->size)
		return 0;
	if (part->bytes)
		return path_write(blobs, hex, part->bytes, (size_t)part->size, 0644, e);
	from = blob_open_verified(l->store, &part->blob, part->size, e);
	if (from < 0)
		return -1;
	snprintf(aside, sizeof aside, ".%s.new", hex);
	unlinkat(blobs, aside, 0);
	to = openat(blobs, aside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (to < 0)
		return error_errno(e, "create %s", part->name);
	if (extent_copy(from, 0, to, part->size, e) < 0) {
		unlinkat(blobs, aside, 0);
		return error_context(e, "%s", part->name);
	}
	if (renameat(blobs, aside, blobs, hex) < 0)
		return error_errno(e, "write %s", part->name);
	return 0;
}

static const char *ref_name(const json_t *entry)
{
	const json_t *annotations = json_object_get(entry, "annotations");
	const char *name = json_string_value(json_object_get(annotations, IMAGE_NAME));

	if (!name)
		name = json_string_value(json_object_get(annotations, REF_NAME));
	return name ? name : "";
}

static bool is_replaced(const struct layout *l, const json_t *old)
{
	json_t *entry;
	size_t i;

	json_array_foreach(l->manifests, i, entry)
		if (strcmp(ref_name(entry), ref_name(old)) == 0 ||
		    json_equal(json_object_get(entry, "digest"), json_object_get(old, "digest")))
			return true;
	return false;
}

/* What index.json has already, less what is replaced, and then ours. */
static json_t *merged_manifests(const struct layout *l, int root, struct error *e)
{
	json_t *merged = json_array(), *old, *entry;
	auto_free char *text = NULL;
	size_t size, i;

	text = path_read(root, "index.json", INDEX_SIZE_MAX, &size, e);
	if (text) {
		old = json_parse(text, size, "index.json", e);
		if (!old) {
			json_decref(merged);
			return NULL;
		}
		json_array_foreach(json_object_get(old, "manifests"), i, entry)
			if (!is_replaced(l, entry))
				json_array_append(merged, entry);
		json_decref(old);
	} else if (e->kind != ERROR_NOT_FOUND) {
		json_decref(merged);
		return NULL;
	}
	json_array_extend(merged, l->manifests);
	return merged;
}

static int write_folder(struct layout *l, int root, struct error *e)
{
	auto_close int blobs = path_make_dirs(root, "blobs/sha256", 0755, e);
	auto_free char *index = NULL;
	auto_free char *repos = json_text(l->repos, NULL);
	json_t *manifests;
	size_t size = 0;

	if (blobs < 0)
		return -1;
	sort_parts(l);
	for (size_t i = 0; i < l->count; i++)
		if (place_blob(l, blobs, &l->part[i], e) < 0)
			return -1;
	if (syncfs(blobs) < 0)
		return error_errno(e, "sync blobs");
	manifests = merged_manifests(l, root, e);
	if (!manifests)
		return -1;
	index = index_text(manifests, &size);
	json_decref(manifests);
	if (!index || !repos)
		return error_memory(e);
	if (json_array_size(l->repos) > 0 &&
	    path_write(root, "manifest.json", repos, strlen(repos), 0644, e) < 0)
		return -1;
	if (path_write(root, "oci-layout", OCI_LAYOUT, strlen(OCI_LAYOUT), 0644, e) < 0)
		return -1;
	return path_write(root, "index.json", index, size, 0644, e);
}

int layout_write_folder(struct layout *l, const char *dest, struct error *e)
{
	auto_close int root = path_make_user_dirs(dest, 0755, e);

	if (root < 0)
		return -1;
	return write_folder(l, root, e) < 0 ? error_context(e, "%s", dest) : 0;
}
