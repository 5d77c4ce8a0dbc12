#include "builder/image/load.h"

#include <stdlib.h>
#include <string.h>

#include "builder/image/load_parts.h"
#include "layers/blob.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "registry/reference.h"

#define DOCUMENT_SIZE_MAX (4 << 20)
#define CONFIG_SIZE_MAX (8 << 20)

struct loading {
	struct store *store;
	struct bundle *bundle;
	struct loaded *image;
	size_t count;
};

void loaded_free(struct loaded *images, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t n = 0; n < images[i].name_count; n++)
			free(images[i].name[n]);
		free(images[i].name);
		image_release(&images[i].image);
	}
	free(images);
}

/* --- names ------------------------------------------------------------------------------------ */

/* NAME is checked before it names anything here (H042). */
static int add_name(struct loaded *image, const char *name, struct error *e)
{
	struct reference r;
	char **grown;

	if (reference_parse(name, &r, e) < 0)
		return error_context(e, "the name \"%.200s\"", name);
	reference_default_tag(&r);
	r.has_digest = false;
	grown = reallocarray(image->name, image->name_count + 1, sizeof *grown);
	if (!grown)
		return error_memory(e);
	image->name = grown;
	image->name[image->name_count] = reference_format(&r);
	if (!image->name[image->name_count])
		return error_memory(e);
	for (size_t i = 0; i < image->name_count; i++)
		if (strcmp(image->name[i], image->name[image->name_count]) == 0) {
			free(image->name[image->name_count]);
			return 0;
		}
	image->name_count++;
	return 0;
}

/* ref.name is a tag alone in most layouts; podman writes whole names. */
static int add_names_of_entry(struct loaded *image, const json_t *entry, struct error *e)
{
	const char *name = layout_annotation(entry, IMAGE_NAME);
	const char *ref = layout_annotation(entry, REF_NAME);

	if (name)
		return add_name(image, name, e);
	return ref && strpbrk(ref, "/:") ? add_name(image, ref, e) : 0;
}

static int add_repo_tags(struct loaded *image, const json_t *repo, struct error *e)
{
	const json_t *tags = json_object_get(repo, "RepoTags");
	json_t *tag;
	size_t i;

	if (tags && !json_is_array(tags) && !json_is_null(tags))
		return error_set(e, ERROR_INPUT, "manifest.json: RepoTags is not an array");
	json_array_foreach(tags, i, tag)
		if (add_name(image, json_is_string(tag) ? json_string_value(tag) : "", e) < 0)
			return -1;
	return 0;
}

/* A slot for IMAGE, which becomes the list's; the one it has already when it is the same. */
static struct loaded *add_image(struct loading *l, struct image *image, struct error *e)
{
	struct loaded *grown;

	for (size_t i = 0; i < l->count; i++)
		if (digest_equal(&l->image[i].image.manifest, &image->manifest)) {
			image_release(image);
			return &l->image[i];
		}
	grown = reallocarray(l->image, l->count + 1, sizeof *grown);
	if (!grown) {
		image_release(image);
		error_memory(e);
		return NULL;
	}
	l->image = grown;
	l->image[l->count] = (struct loaded){ .image = *image };
	return &l->image[l->count++];
}

/* --- layouts ---------------------------------------------------------------------------------- */

static int load_layout(struct loading *l, struct error *e)
{
	json_t *entries = layout_entries(l->bundle, e), *entry;
	struct platform host;
	int result = 0;
	size_t i;

	if (!entries)
		return -1;
	platform_host(&host);
	json_array_foreach(entries, i, entry) {
		struct loaded *loaded;
		struct image image;

		if (!layout_is_image(entry))
			continue;
		result = layout_image(l->store, l->bundle, entry, &host, &image, e);
		loaded = result == 0 ? add_image(l, &image, e) : NULL;
		if (!loaded || add_names_of_entry(loaded, entry, e) < 0)
			result = -1;
		if (result < 0)
			break;
	}
	json_decref(entries);
	return result;
}

/* --- docker archives -------------------------------------------------------------------------- */

static json_t *repos_of(struct bundle *b, struct error *e)
{
	size_t size;
	auto_free char *text = bundle_text(b, "manifest.json", DOCUMENT_SIZE_MAX, &size, e);
	json_t *repos = text ? json_parse(text, size, "manifest.json", e) : NULL;

	if (repos && !json_is_array(repos)) {
		error_set(e, ERROR_INPUT, "manifest.json: not an array");
		json_decref(repos);
		repos = NULL;
	}
	return repos;
}

/* The layer in the file NAME; what it is compressed with, its bytes say. */
static int bring_layer(struct loading *l, const char *name, struct layer *layer, struct error *e)
{
	unsigned char magic[8];
	auto_close int fd = -1;
	ssize_t n;

	if (bundle_blob(l->bundle, name, &layer->blob, &layer->blob_size, e) < 0)
		return -1;
	fd = blob_open(l->store, &layer->blob, layer->blob_size, e);
	if (fd < 0)
		return -1;
	n = path_read_at(fd, magic, sizeof magic, 0);
	layer->compression = compression_sniff(magic, n < 0 ? 0 : (size_t)n);
	return 0;
}

static int bring_layers(struct loading *l, const json_t *names, struct image *image,
                        struct error *e)
{
	size_t count = json_array_size(names);

	image->layers = calloc(count + 1, sizeof *image->layers);
	if (!image->layers)
		return error_memory(e);
	image->layer_count = count;
	for (size_t i = 0; i < count; i++) {
		const char *name = json_string_value(json_array_get(names, i));

		if (!name)
			return error_set(e, ERROR_INPUT, "manifest.json: Layers[%zu] is not a string", i);
		if (bring_layer(l, name, &image->layers[i], e) < 0)
			return -1;
	}
	return 0;
}

/* One entry of manifest.json. The config stays as it is, so the image keeps its id; the manifest is
 * made here, and then both are checked like any others. */
static int bring_repo(struct loading *l, const json_t *repo, struct image *image, struct error *e)
{
	const char *name = json_string_value(json_object_get(repo, "Config"));
	auto_free char *config = NULL;
	auto_free char *manifest = NULL;
	size_t size, config_size;
	struct image made;

	image_init(&made);
	if (!name)
		return error_set(e, ERROR_INPUT, "manifest.json: Config is not a string");
	config = bundle_text(l->bundle, name, CONFIG_SIZE_MAX, &config_size, e);
	if (!config)
		return -1;
	digest_of(config, config_size, &made.id);
	if (bring_layers(l, json_object_get(repo, "Layers"), &made, e) == 0)
		manifest = image_manifest(&made, config_size, false, NULL, &size, e);
	image_release(&made);
	if (!manifest || image_parse(image, manifest, size, config, config_size, e) < 0)
		return -1;
	if (load_index_layers(l->store, image, e) == 0 &&
	    blob_put(l->store, manifest, size, &image->manifest, e) == 0)
		return 0;
	image_release(image);
	return -1;
}

static int load_repo(struct loading *l, const json_t *repo, struct error *e)
{
	struct loaded *loaded;
	struct image image;

	if (bring_repo(l, repo, &image, e) < 0)
		return -1;
	loaded = add_image(l, &image, e);
	return loaded ? add_repo_tags(loaded, repo, e) : -1;
}

/* The names that manifest.json has for images of the layout. */
static int name_by_repo(struct loading *l, const json_t *repo, struct error *e)
{
	const char *config = json_string_value(json_object_get(repo, "Config"));

	for (size_t i = 0; config && i < l->count; i++) {
		char hex[DIGEST_HEX + 1];

		if (strstr(config, digest_hex(&l->image[i].image.id, hex)))
			return add_repo_tags(&l->image[i], repo, e);
	}
	return 0;
}

int load_images(struct store *s, struct bundle *b, struct loaded **images, size_t *count,
                struct error *e)
{
	struct loading l = { .store = s, .bundle = b };
	bool is_layout = bundle_has(b, "index.json"), is_docker = bundle_has(b, "manifest.json");
	json_t *repos = NULL, *repo;
	int result = 0;
	size_t i;

	if (!is_layout && !is_docker)
		return error_set(e, ERROR_INPUT,
		                 "%s is neither an OCI layout (index.json) nor a docker archive "
		                 "(manifest.json)", bundle_name(b));
	if (is_layout)
		result = load_layout(&l, e);
	if (result == 0 && is_docker) {
		repos = repos_of(b, e);
		result = repos ? 0 : -1;
	}
	json_array_foreach(repos, i, repo)
		if (result == 0)
			result = is_layout ? name_by_repo(&l, repo, e) : load_repo(&l, repo, e);
	json_decref(repos);
	if (result < 0) {
		loaded_free(l.image, l.count);
		return -1;
	}
	*images = l.image;
	*count = l.count;
	return 0;
}
