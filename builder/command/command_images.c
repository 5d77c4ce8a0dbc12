#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "builder/command/command.h"
#include "builder/command/human.h"
#include "builder/command/listing.h"
#include "builder/command/store_command.h"
#include "builder/command/stored.h"
#include "layers/scope.h"
#include "layers/timestamp.h"

#define USUAL "table {{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"
#define WITH_DIGESTS \
	"table {{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}"

/* One line: an image under one of its names. */
struct line {
	json_t *row;
	int64_t created;
	size_t place; /* among the names */
};

struct listing {
	struct store *store;
	const struct options *options;
	struct stored all;
	struct line *line;
	size_t count;
	int64_t before, since; /* of the filters, seconds since 1970 */
};

static int64_t created_of(const struct image *image)
{
	const char *text = json_string_value(json_object_get(image->config, "created"));
	int64_t seconds;

	return text && timestamp_parse(text, &seconds) ? seconds : 0;
}

/* --- filters ---------------------------------------------------------------------------------- */

static bool has_label(const struct image *image, const char *wanted)
{
	const json_t *labels = json_object_get(json_object_get(image->config, "config"), "Labels");
	size_t length = strcspn(wanted, "=");
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)labels, key, value)
		if (strlen(key) == length && strncmp(key, wanted, length) == 0 &&
		    (!wanted[length] ||
		     (json_is_string(value) && strcmp(json_string_value(value), wanted + length + 1) == 0)))
			return true;
	return false;
}

/* docker's reference=: a pattern for the repository, or for repository:tag. */
static bool matches_reference(const char *pattern, const char *repository, const char *tag)
{
	auto_free char *whole = NULL;

	if (asprintf(&whole, "%s:%s", repository, tag) < 0)
		return false;
	return fnmatch(pattern, repository, FNM_PATHNAME) == 0 ||
	       fnmatch(pattern, whole, FNM_PATHNAME) == 0;
}

/* Does the image pass every --filter? Of several reference= one is enough. */
static bool passes(const struct listing *l, const struct image_name *name,
                   const struct image *image, const char *repository, const char *tag)
{
	bool asks_reference = false, matches = false;
	const char *filter;

	for (size_t at = 0; (filter = options_next(l->options, "filter", &at));) {
		if (strncmp(filter, "reference=", 10) == 0) {
			asks_reference = true;
			matches |= matches_reference(filter + 10, repository, tag);
		} else if (strncmp(filter, "dangling=", 9) == 0) {
			if ((filter[9] == 't' || filter[9] == '1') != !*name->name)
				return false;
		} else if (strncmp(filter, "label=", 6) == 0 && !has_label(image, filter + 6)) {
			return false;
		}
	}
	if (l->before && created_of(image) >= l->before)
		return false;
	if (l->since && created_of(image) <= l->since)
		return false;
	return !asks_reference || matches;
}

static int created_of_named(struct listing *l, const char *text, int64_t *created, struct error *e)
{
	const struct image_name *name = stored_find(&l->all, text, NULL, e);
	struct image image;

	if (!name || image_get(l->store, &name->manifest, &image, e) < 0)
		return -1;
	*created = created_of(&image);
	image_release(&image);
	return 0;
}

static int read_filters(struct listing *l, struct error *e)
{
	static const char *const known[] = { "reference=", "dangling=", "label=", "before=", "since=" };
	const char *filter;

	for (size_t at = 0; (filter = options_next(l->options, "filter", &at));) {
		size_t i = 0, count = sizeof known / sizeof *known;

		while (i < count && strncmp(filter, known[i], strlen(known[i])) != 0)
			i++;
		if (i == count)
			return error_set(e, ERROR_INPUT, "invalid filter '%s': use reference=, dangling=, "
			                 "label=, before= or since=", filter);
		if (i == 3 && created_of_named(l, filter + 7, &l->before, e) < 0)
			return -1;
		if (i == 4 && created_of_named(l, filter + 6, &l->since, e) < 0)
			return -1;
	}
	return 0;
}

/* --- lines ------------------------------------------------------------------------------------ */

static json_t *row_of(const struct listing *l, const struct image_name *name,
                      const struct image *image, const char *repository, const char *tag)
{
	bool whole = options_switch(l->options, "no-trunc", false);
	char id[DIGEST_TEXT], digest[DIGEST_TEXT], since[HUMAN_TEXT], ago[HUMAN_TEXT + 8], at[64];
	char size[HUMAN_TEXT];
	int64_t created = created_of(image);
	time_t seconds = created;
	struct tm tm;

	digest_format(&name->id, id);
	if (!whole)
		id[7 + 12] = '\0';
	digest_format(&name->manifest, digest);
	snprintf(ago, sizeof ago, "%s ago", human_duration(time(NULL) - created, since));
	gmtime_r(&seconds, &tm);
	strftime(at, sizeof at, "%Y-%m-%d %H:%M:%S +0000 UTC", &tm);
	human_size(stored_size(l->store, image), size);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Repository",
	                 repository, "Tag", tag, "ID", whole ? id : id + 7, "Digest",
	                 *name->name ? digest : "<none>", "CreatedSince", created > 0 ? ago : "N/A",
	                 "CreatedAt", created > 0 ? at : "N/A", "Size", size, "VirtualSize", size,
	                 "Containers", "N/A", "SharedSize", "N/A", "UniqueSize", "N/A");
}

static int add_line(struct listing *l, const struct image_name *name, struct error *e)
{
	auto_free char *repository = NULL;
	auto_free char *tag = NULL;
	const char *wanted = l->options->argument_count ? l->options->arguments[0] : NULL;
	struct image image;

	if (stored_split(name, &repository, &tag, e) < 0)
		return -1;
	if (wanted && !matches_reference(wanted, repository, tag))
		return 0;
	/* An image that lost a file is told by inspect; the others are still to be listed. */
	if (image_get(l->store, &name->manifest, &image, e) < 0)
		return 0;
	if (passes(l, name, &image, repository, tag)) {
		struct line *line = &l->line[l->count];

		line->created = created_of(&image);
		line->place = l->count;
		line->row = row_of(l, name, &image, repository, tag);
		if (line->row)
			l->count++;
	}
	image_release(&image);
	return 0;
}

/* Youngest first, as docker's; equal ones stay sorted by name. */
static int by_age(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	if (x->created != y->created)
		return x->created < y->created ? 1 : -1;
	return x->place < y->place ? -1 : 1;
}

static int print_lines(struct listing *l, struct error *e)
{
	const char *format = options_value(l->options, "format");
	json_t *rows = json_array(), *headings;
	int result;

	if (l->count > 0)
		qsort(l->line, l->count, sizeof *l->line, by_age);
	for (size_t i = 0; i < l->count; i++)
		json_array_append(rows, l->line[i].row);
	headings = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "Repository", "REPOSITORY", "Tag",
	                     "TAG", "ID", "IMAGE ID", "Digest", "DIGEST", "CreatedSince", "CREATED",
	                     "CreatedAt", "CREATED AT", "Size", "SIZE");
	if (options_switch(l->options, "quiet", false) && !format)
		format = "{{.ID}}";
	result = listing_print(rows, headings, format,
	                       options_switch(l->options, "digests", false) ? WITH_DIGESTS : USUAL,
	                       stdout, e);
	json_decref(rows);
	json_decref(headings);
	return result;
}

static int list_images(struct store *s, const struct options *o, struct error *e)
{
	struct listing l = { .store = s, .options = o };
	int result;

	if (stored_open(s, &l.all, e) < 0)
		return -1;
	l.line = calloc(l.all.count + 1, sizeof *l.line);
	result = l.line ? read_filters(&l, e) : error_memory(e);
	for (size_t i = 0; result == 0 && i < l.all.count; i++)
		if (*l.all.item[i].name || !stored_is_named(&l.all, &l.all.item[i].id))
			result = add_line(&l, &l.all.item[i], e);
	if (result == 0)
		result = print_lines(&l, e);
	for (size_t i = 0; i < l.count; i++)
		json_decref(l.line[i].row);
	free(l.line);
	stored_close(&l.all);
	return result;
}

int command_images(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "all", 'a', NULL, "Show all images" },
		{ "digests", 0, NULL, "Show digests" },
		{ "filter", 'f', "filter", "Show only what passes: reference=, dangling=, label=, before=, "
		                           "since=" },
		{ "format", 0, "string", "\"json\", \"table TEMPLATE\" or a template for each image" },
		{ "no-trunc", 0, NULL, "Show whole ids" },
		{ "quiet", 'q', NULL, "Show ids only" },
		{ "tree", 0, NULL, NULL },
		{ NULL },
	};
	static const struct usage usage = { "images", "[OPTIONS] [REPOSITORY[:TAG]]",
		                            "List the images of this machine", rows, 0, 1 };

	return store_command(&usage, argc, argv, list_images, e);
}
