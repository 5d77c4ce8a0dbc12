#include "builder/image/output.h"

#include <stdlib.h>
#include <string.h>

#include "builder/image/layout.h"
#include "builder/image/outgoing.h"
#include "builder/image/output_tree.h"
#include "layers/scope.h"

static const char *created_of(const struct image *image)
{
	return json_string_value(json_object_get(image->config, "created"));
}

/* --- layouts ---------------------------------------------------------------------------------- */

/* The index over several platforms, kept in *TEXT for as long as the layout needs it. */
static int add_index(struct layout *l, const struct output_source *from,
                     const struct output_spec *spec, const struct outgoing *out, char **text,
                     struct output_result *result, struct error *e)
{
	char digest[DIGEST_TEXT];
	json_t *descriptor;
	size_t size;
	int named;

	*text = outgoing_index(out, from->image_count, spec, &size, e);
	if (!*text || layout_add_blob(l, *text, size, e) < 0)
		return -1;
	digest_of(*text, size, &result->digest);
	result->size = (int64_t)size;
	descriptor = json_pack("{s:s, s:s, s:I}", "mediaType",
	                       spec->oci_types
	                               ? "application/vnd.oci.image.index.v1+json"
	                               : "application/vnd.docker.distribution.manifest.list.v2+json",
	                       "digest", digest_format(&result->digest, digest), "size",
	                       (json_int_t)size);
	result->descriptor = json_text(descriptor, &size);
	named = layout_name(l, descriptor, created_of(from->image[0].image), from->name,
	                    from->name_count, e);
	json_decref(descriptor);
	return named;
}

static int name_single(struct layout *l, const struct output_source *from,
                       const struct output_spec *spec, const struct outgoing *out,
                       struct output_result *result, struct error *e)
{
	result->digest = out->digest;
	result->size = (int64_t)out->manifest_size;
	result->descriptor = json_text(out->descriptor, &(size_t){ 0 });
	if (layout_name(l, out->descriptor, created_of(out->image), from->name, from->name_count, e) < 0)
		return -1;
	if (spec->kind != OUTPUT_DOCKER)
		return 0;
	return layout_name_for_docker(l, out, from->name, from->name_count, e);
}

static int fill_layout(struct layout *l, const struct output_source *from,
                       const struct output_spec *spec, struct outgoing *out, char **index,
                       struct output_result *result, struct error *e)
{
	for (size_t i = 0; i < from->image_count; i++) {
		const struct output_image *image = &from->image[i];

		if (outgoing_prepare(from->store, image->image, spec, from->threads, NULL, &out[i], e) < 0 ||
		    layout_add_image(l, &out[i], image->fetch, image->context, e) < 0)
			return -1;
	}
	return from->image_count > 1 ? add_index(l, from, spec, out, index, result, e)
	                             : name_single(l, from, spec, out, result, e);
}

static int write_layout(const struct output_source *from, const struct output_spec *spec,
                        struct output_result *result, struct error *e)
{
	auto_free struct outgoing *out = calloc(from->image_count + 1, sizeof *out);
	struct layout *l = out ? layout_new(from->store, e) : NULL;
	auto_free char *index = NULL;
	int written = -1;

	if (!l)
		return out ? -1 : error_memory(e);
	if (fill_layout(l, from, spec, out, &index, result, e) == 0)
		written = spec->archive ? layout_write_archive(l, spec->dest, e)
		                        : layout_write_folder(l, spec->dest, e);
	layout_free(l);
	for (size_t i = 0; i < from->image_count; i++)
		outgoing_release(&out[i]);
	return written;
}

/* --- root filesystems ------------------------------------------------------------------------- */

/* "linux/arm64/v8" as part of a path: "linux_arm64_v8". */
static char *platform_folder(const struct image *image, struct error *e)
{
	char *platform = image_platform(image);

	if (!platform)
		error_memory(e);
	for (char *p = platform; p && *p; p++)
		if (*p == '/')
			*p = '_';
	return platform;
}

static int write_tree(const struct output_source *from, const struct output_spec *spec, size_t i,
                      struct tar_file *t, struct output_result *result, struct error *e)
{
	const struct output_image *image = &from->image[i];
	bool split = spec->split_given ? spec->split : from->image_count > 1;
	int64_t epoch = spec->epoch >= 0 ? spec->epoch : from->epoch;
	auto_free char *platform = platform_folder(image->image, e);
	auto_free char *place = NULL;
	struct stack *st;
	int written = -1;

	if (!platform)
		return -1;
	if (asprintf(&place, "%s%s%s%s", t ? "" : spec->dest, t || !split ? "" : "/",
	             split ? platform : "", t && split ? "/" : "") < 0)
		return error_memory(e);
	st = stack_new(from->store, image->image->layers, image->image->layer_count, image->fetch,
	               image->context, e);
	if (st && t && split) {
		struct entry folder = { .path = platform, .type = ENTRY_DIR, .mode = 0755,
			                .mtime = epoch < 0 ? 0 : epoch };

		written = tar_file_add(t, &folder, NULL, e);
	} else if (st) {
		written = 0;
	}
	if (written == 0)
		written = t ? output_tar(st, t, place, epoch, e)
		            : output_folder(st, place, epoch, spec->mirror, &result->devices_skipped, e);
	stack_free(st);
	return written;
}

static int write_tar(const struct output_source *from, const struct output_spec *spec,
                     struct output_result *result, struct error *e)
{
	struct tar_file *t = tar_file_begin(spec->dest, e);

	if (!t)
		return -1;
	for (size_t i = 0; i < from->image_count; i++)
		if (write_tree(from, spec, i, t, result, e) < 0) {
			tar_file_abandon(t);
			return -1;
		}
	return tar_file_finish(t, e);
}

/* The longest part of DEST that exists, without links. */
static char *existing_part(const char *dest)
{
	auto_free char *part = strdup(dest);
	char *real = NULL;

	while (part && !(real = realpath(*part ? part : ".", NULL)) && *part) {
		char *slash = strrchr(part, '/');

		part[slash ? slash - part + (slash == part) : 0] = '\0';
	}
	return real;
}

/* What is written into the store would be taken for a part of it (H292). */
static int check_place(const struct output_source *from, const char *dest, struct error *e)
{
	auto_free char *real = existing_part(dest);
	const char *store = store_path(from->store);
	size_t length = strlen(store);

	if (real && strncmp(real, store, length) == 0 && (real[length] == '/' || !real[length]))
		return error_set(e, ERROR_INPUT, "%s is inside the store %s", dest, store);
	return 0;
}

static int check(const struct output_source *from, const struct output_spec *spec, struct error *e)
{
	if (from->image_count > 1 && spec->kind == OUTPUT_DOCKER)
		return error_set(e, ERROR_INPUT,
		                 "docker exporter does not currently support exporting manifest lists");
	for (size_t i = 0; from->image_count == 1 && i < spec->annotation_count; i++)
		if (spec->annotation[i].level == ANNOTATE_INDEX ||
		    spec->annotation[i].level == ANNOTATE_INDEX_DESCRIPTOR)
			return error_set(e, ERROR_INPUT,
			                 "index annotations not supported for single platform export");
	return check_place(from, spec->dest, e);
}

int output_write(const struct output_source *from, const struct output_spec *spec,
                 struct output_result *result, struct error *e)
{
	*result = (struct output_result){ .descriptor = NULL };
	if (check(from, spec, e) < 0)
		return -1;
	switch (spec->kind) {
	case OUTPUT_OCI:
	case OUTPUT_DOCKER:
		return write_layout(from, spec, result, e);
	case OUTPUT_TAR:
		return write_tar(from, spec, result, e);
	case OUTPUT_LOCAL:
		for (size_t i = 0; i < from->image_count; i++)
			if (write_tree(from, spec, i, NULL, result, e) < 0)
				return -1;
		return 0;
	default:
		return 0;
	}
}
