#include "builder/command/build_result.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/image/output.h"
#include "layers/interrupted.h"
#include "layers/json.h"
#include "layers/memory_stream.h"
#include "layers/path.h"
#include "layers/scope.h"

/* --- before the build ----------------------------------------------------------------------- */

static int read_tags(struct build_result *r, struct error *e)
{
	const struct list *tags = &r->flags->tags;

	r->tag = calloc(tags->count + 1, sizeof *r->tag);
	if (!r->tag)
		return error_memory(e);
	for (; r->tag_count < tags->count; r->tag_count++) {
		struct reference *tag = &r->tag[r->tag_count];
		const char *text = tags->item[r->tag_count];

		if (reference_parse(text, tag, e) < 0)
			return error_context(e, "invalid tag \"%s\"", text);
		if (tag->has_digest)
			return error_set(e, ERROR_INPUT, "invalid tag \"%s\": a digest is not chosen "
			                 "but made", text);
		reference_default_tag(tag);
	}
	return 0;
}

/* --push makes images pushed ones, --load is the store's; with neither nor -o it is the store's. */
static int read_specs(struct build_result *r, struct error *e)
{
	const struct list *outputs = &r->flags->outputs;
	bool has_image = false;

	r->spec = calloc(outputs->count + 2, sizeof *r->spec);
	if (!r->spec)
		return error_memory(e);
	for (; r->spec_count < outputs->count; r->spec_count++)
		if (output_spec_parse(outputs->item[r->spec_count], &r->spec[r->spec_count], e) < 0) {
			output_spec_release(&r->spec[r->spec_count]);
			return -1;
		}
	for (size_t i = 0; i < r->spec_count; i++) {
		struct output_spec *spec = &r->spec[i];

		if (spec->kind == OUTPUT_IMAGE || spec->kind == OUTPUT_REGISTRY) {
			spec->push |= r->flags->push;
			has_image = true;
		}
	}
	if (r->flags->push && !has_image)
		output_spec_init(&r->spec[r->spec_count++], OUTPUT_REGISTRY);
	else if (r->spec_count == 0 || (r->flags->load && !has_image))
		output_spec_init(&r->spec[r->spec_count++], OUTPUT_IMAGE);
	return 0;
}

static int check_specs(struct build_result *r, struct error *e)
{
	const struct list *annotations = &r->flags->annotations;

	for (size_t i = 0; i < r->spec_count; i++) {
		struct output_spec *spec = &r->spec[i];

		for (size_t k = 0; k < annotations->count; k++)
			if (output_spec_annotate(spec, annotations->item[k], e) < 0)
				return -1;
		for (size_t k = 0; k < spec->name_count; k++) {
			struct reference name;

			if (reference_parse(spec->name[k], &name, e) < 0)
				return error_context(e, "invalid name \"%s\"", spec->name[k]);
		}
		if (spec->push && spec->name_count == 0 && r->tag_count == 0)
			return error_set(e, ERROR_INPUT, "tag is needed when pushing to registry");
	}
	return 0;
}

/* What an earlier build said is gone before this one begins; a place that cannot be written to is
 * told now and not after an hour. */
static int clear_file(const char *path, struct error *e)
{
	struct stat st;
	int fd;

	if (!path || (stat(path, &st) == 0 && !S_ISREG(st.st_mode)))
		return 0;
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	if (fd < 0)
		return error_errno(e, "open %s", path);
	close(fd);
	return unlink(path) < 0 ? error_errno(e, "remove %s", path) : 0;
}

int build_result_plan(const struct build_flags *flags, struct build_result *result,
                      struct error *e)
{
	*result = (struct build_result){ .flags = flags };
	if (read_tags(result, e) < 0 || read_specs(result, e) < 0 || check_specs(result, e) < 0)
		return -1;
	if (flags->call)
		return 0;
	return clear_file(flags->iidfile, e) < 0 || clear_file(flags->metadata_file, e) < 0 ? -1 : 0;
}

void build_result_release(struct build_result *result)
{
	for (size_t i = 0; i < result->spec_count; i++)
		output_spec_release(&result->spec[i]);
	free(result->spec);
	free(result->tag);
	free(result->published.descriptor);
}

bool build_result_packs(const struct build_result *result, struct packing *how)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	for (size_t i = 0; i < result->spec_count; i++) {
		const struct output_spec *spec = &result->spec[i];

		if (spec->compression == COMPRESSION_NONE ||
		    !(spec->push || spec->kind == OUTPUT_OCI ||
		      (spec->kind == OUTPUT_DOCKER && spec->dest)))
			continue;
		*how = (struct packing){ .kind = spec->compression, .level = spec->level,
			                 .force = spec->force_compression,
			                 .threads = cores > 0 ? (unsigned)cores : 1 };
		return !spec->rewrite_timestamp;
	}
	return false;
}

/* --- after it ------------------------------------------------------------------------------- */

/* The names of one output: its own, else those of -t. Yours to free. */
static struct reference *names_of(const struct build_result *r, const struct output_spec *spec,
                                  size_t *count, struct error *e)
{
	bool tags = spec->name_count == 0 || spec->names_from_build;
	size_t most = spec->name_count + (tags ? r->tag_count : 0);
	struct reference *names = calloc(most + 1, sizeof *names);

	*count = 0;
	if (!names) {
		error_memory(e);
		return NULL;
	}
	for (size_t i = 0; i < spec->name_count; i++) {
		if (reference_parse(spec->name[i], &names[*count], e) < 0) {
			free(names);
			return NULL;
		}
		if (!spec->push_by_digest)
			reference_default_tag(&names[*count]);
		++*count;
	}
	for (size_t i = 0; tags && i < r->tag_count; i++)
		names[(*count)++] = r->tag[i];
	return names;
}

/* An image of the store is there with all its layers. */
static int complete(const struct built *b, struct error *e)
{
	for (size_t i = 0; i < b->image->layer_count; i++)
		if (!layer_is_whole(b->store, &b->image->layers[i]) &&
		    bases_fetch_layer(b->bases, &b->image->layers[i], e) < 0)
			return -1;
	return 0;
}

static int name_image(const struct built *b, const struct reference *names, size_t count,
                      struct vertex *v, struct error *e)
{
	if (count == 0)
		return image_name_set(b->store, "", b->image, e);
	for (size_t i = 0; i < count; i++) {
		auto_free char *name = reference_format(&names[i]);
		auto_free char *note = NULL;

		if (!name)
			return error_memory(e);
		if (image_name_set(b->store, name, b->image, e) < 0)
			return -1;
		if (asprintf(&note, "naming to %s done", name) < 0)
			note = NULL;
		else
			vertex_note(v, note);
	}
	return 0;
}

static void pushing(void *context, const struct blob_source *blob, enum push_event event,
                    int64_t done)
{
	char text[DIGEST_TEXT];

	if (event == PUSH_EXISTS || event == PUSH_MOUNTED || event == PUSH_DONE)
		done = blob->size;
	vertex_bytes(context, digest_format(&blob->digest, text), done, blob->size);
}

static void warn(void *context, const char *text)
{
	progress_warn(context, text);
}

static int push(struct build_result *r, const struct built *b, const struct output_spec *spec,
                const struct reference *names, size_t count, struct error *e)
{
	struct vertex *v = progress_vertex(b->progress, "pushing layers and manifest");
	struct publication p = { .store = b->store, .remote = b->remote, .image = b->image,
	                         .spec = spec, .bases = b->bases, .progress = pushing, .context = v,
	                         .warn = warn, .warn_context = b->progress };

	vertex_start(v);
	free(r->published.descriptor);
	r->published.descriptor = NULL;
	if (publish(&p, names, count, &r->published, e) < 0) {
		error_context(e, "failed to push");
		vertex_failed(v, e->text);
		return -1;
	}
	vertex_done(v);
	return 0;
}

static int write_output(struct build_result *r, const struct built *b,
                        const struct output_spec *spec, const struct reference *names,
                        size_t count, struct error *e)
{
	struct output_image image = { b->image, bases_fetch_layer, b->bases };
	struct output_result written = { 0 };
	struct list list = { 0 };
	struct output_source source = { .store = b->store, .image = &image, .image_count = 1,
	                                .threads = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
	                                .epoch = b->epoch };
	int result = 0;

	for (size_t i = 0; result == 0 && i < count; i++) {
		char *name = reference_format(&names[i]);

		if (!name || list_add(&list, name, e) < 0) {
			free(name);
			result = error_memory(e);
		}
	}
	source.name = list.item;
	source.name_count = list.count;
	if (result == 0)
		result = output_write(&source, spec, &written, e);
	if (result == 0 && !digest_is_zero(&written.digest)) {
		r->published.digest = written.digest;
		r->published.size = (size_t)written.size;
		free(r->published.descriptor);
		r->published.descriptor = take_pointer(&written.descriptor);
	}
	free(written.descriptor);
	for (size_t i = 0; i < list.count; i++)
		free((char *)list.item[i]);
	free(list.item);
	return result;
}

static int deliver_one(struct build_result *r, const struct built *b,
                       const struct output_spec *spec, struct vertex *v, struct error *e)
{
	auto_free struct reference *names = NULL;
	size_t count;

	if (spec->kind == OUTPUT_CACHEONLY)
		return 0;
	names = names_of(r, spec, &count, e);
	if (!names)
		return -1;
	if (spec->kind != OUTPUT_IMAGE && spec->kind != OUTPUT_REGISTRY &&
	    !(spec->kind == OUTPUT_DOCKER && !spec->dest))
		return write_output(r, b, spec, names, count, e);
	if (complete(b, e) < 0)
		return -1;
	if (spec->store && !spec->push_by_digest && name_image(b, names, count, v, e) < 0)
		return -1;
	return spec->push ? push(r, b, spec, names, count, e) : 0;
}

int build_result_deliver(struct build_result *result, const struct built *built, struct error *e)
{
	struct vertex *v = progress_vertex(built->progress, "exporting to image");
	char id[DIGEST_TEXT], note[DIGEST_TEXT + 32];

	vertex_start(v);
	snprintf(note, sizeof note, "writing image %s done", digest_format(&built->image->id, id));
	vertex_note(v, note);
	result->published.digest = built->image->manifest;
	for (size_t i = 0; i < result->spec_count; i++) {
		if (interrupted_check(e) < 0 || deliver_one(result, built, &result->spec[i], v, e) < 0) {
			vertex_failed(v, e->text);
			return -1;
		}
	}
	if (store_flush(built->store, e) < 0) {
		vertex_failed(v, e->text);
		return -1;
	}
	vertex_done(v);
	return 0;
}

/* --- the files that tell of it -------------------------------------------------------------- */

/* What is no regular file (/dev/stdout) is written to directly; a file appears whole. */
static int write_file(const char *path, const char *text, size_t size, struct error *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");
	auto_close int dir = -1;
	struct stat st;

	if (!folder)
		return error_memory(e);
	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);

		if (fd < 0)
			return error_errno(e, "open %s", path);
		return path_write_all(fd, text, size, e) < 0 ? error_context(e, "%s", path) : 0;
	}
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return error_errno(e, "open %s", folder);
	return path_write(dir, slash ? slash + 1 : path, text, size, 0644, e);
}

static int write_metadata(const struct build_result *r, const struct image *image, struct error *e)
{
	char id[DIGEST_TEXT], digest[DIGEST_TEXT];
	json_t *all = json_pack("{s:s, s:s}", "containerimage.config.digest",
	                        digest_format(&image->id, id), "containerimage.digest",
	                        digest_format(&r->published.digest, digest));
	auto_free char *text = NULL, *names = NULL;
	size_t names_size;
	FILE *f = memory_stream_open(&names, &names_size);
	int result;

	if (!f) {
		json_decref(all);
		return error_memory(e);
	}
	for (size_t i = 0; i < r->tag_count; i++) {
		auto_free char *name = reference_format(&r->tag[i]);

		fprintf(f, "%s%s", i ? "," : "", name ? name : "");
	}
	if (fclose(f) != 0) {
		json_decref(all);
		return error_memory(e);
	}
	if (names_size > 0)
		json_object_set_new(all, "image.name", json_string(names));
	if (r->published.descriptor)
		json_object_set_new(all, "containerimage.descriptor",
		                    json_loads(r->published.descriptor, 0, NULL));
	text = json_text_indented(all, 2, NULL);
	json_decref(all);
	if (!text)
		return error_memory(e);
	result = write_file(r->flags->metadata_file, text, strlen(text), e);
	return result < 0 ? error_context(e, "--metadata-file") : 0;
}

int build_result_tell(const struct build_result *result, const struct image *image,
                      struct error *e)
{
	char id[DIGEST_TEXT];

	if (result->flags->iidfile &&
	    write_file(result->flags->iidfile, digest_format(&image->id, id), DIGEST_TEXT - 1, e) < 0)
		return error_context(e, "--iidfile");
	return result->flags->metadata_file ? write_metadata(result, image, e) : 0;
}

bool build_result_is_printed(const struct build_result *result)
{
	for (size_t i = 0; i < result->spec_count; i++)
		if (result->spec[i].dest && strcmp(result->spec[i].dest, "-") == 0)
			return true;
	return false;
}
