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

#define USUAL "table {{.ID}}\t{{.CreatedSince}}\t{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}"

/* Docker cuts CREATED BY to this many characters, the last of them an ellipsis. */
#define CREATED_BY_WIDTH 45

/* TEXT without tabs; on one line and cut unless WHOLE. The caller frees it. */
static char *shown(const char *text, bool whole)
{
	char *line = malloc(strlen(text) + 4), *out = line;
	size_t width = 0;

	for (const char *p = text; line && *p; p++) {
		/* The first byte of a character. */
		if (((unsigned char)*p & 0xc0) != 0x80 && ++width == CREATED_BY_WIDTH && !whole &&
		    p[1]) {
			out = stpcpy(out, "…");
			break;
		}
		*out++ = *p == '\t' || (*p == '\n' && !whole) ? ' ' : *p;
	}
	if (line)
		*out = '\0';
	return line;
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static json_t *row_of(const struct options *o, const json_t *entry, const char *id, int64_t size)
{
	bool human = options_switch(o, "human", true), whole = options_switch(o, "no-trunc", false);
	auto_free char *created_by = shown(text_of(entry, "created_by"), whole);
	const char *created = text_of(entry, "created");
	char for_people[HUMAN_TEXT], since[HUMAN_TEXT], ago[HUMAN_TEXT + 8] = "N/A", bytes[24];
	int64_t seconds;

	if (timestamp_parse(created, &seconds) && seconds > 0)
		snprintf(ago, sizeof ago, "%s ago", human_duration(time(NULL) - seconds, since));
	snprintf(bytes, sizeof bytes, "%lld", (long long)size);
	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "ID", id, "CreatedAt", created,
	                 "CreatedSince", human ? ago : created, "CreatedBy",
	                 created_by ? created_by : "", "Size",
	                 human ? human_size(size, for_people) : bytes, "Comment",
	                 text_of(entry, "comment"));
}

/* Youngest first; only the youngest has an id. */
static json_t *rows_of(struct store *s, const struct options *o, const struct image *image)
{
	const json_t *history = json_object_get(image->config, "history");
	json_t *rows = json_array();
	size_t layer = image->layer_count;
	char id[DIGEST_TEXT];

	digest_format(&image->id, id);
	if (!options_switch(o, "no-trunc", false))
		memmove(id, id + 7, 12), id[12] = '\0';
	for (size_t i = json_array_size(history); i-- > 0;) {
		const json_t *entry = json_array_get(history, i);
		int64_t size = 0;

		if (!json_is_true(json_object_get(entry, "empty_layer")) && layer > 0)
			size = stored_layer_size(s, &image->layers[--layer]);
		json_array_append_new(rows, row_of(o, entry, json_array_size(rows) ? "<missing>" : id,
		                                   size));
	}
	return rows;
}

static int print_history(struct store *s, const struct options *o, struct error *e)
{
	const char *format = options_value(o, "format");
	const struct image_name *name;
	json_t *rows, *headings;
	struct image image;
	struct stored all;
	int result;

	if (stored_open(s, &all, e) < 0)
		return -1;
	name = stored_find(&all, o->arguments[0], NULL, e);
	result = name ? image_get(s, &name->manifest, &image, e) : -1;
	stored_close(&all);
	if (result < 0)
		return -1;
	rows = rows_of(s, o, &image);
	image_release(&image);
	headings = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "ID", "IMAGE", "CreatedAt",
	                     "CREATED AT", "CreatedSince", "CREATED", "CreatedBy", "CREATED BY",
	                     "Size", "SIZE", "Comment", "COMMENT");
	if (options_switch(o, "quiet", false) && !format)
		format = "{{.ID}}";
	result = listing_print(rows, headings, format, USUAL, stdout, e);
	json_decref(rows);
	json_decref(headings);
	return result;
}

int command_history(int argc, char **argv, struct error *e)
{
	static const struct option_row rows[] = {
		{ "format", 0, "string", "\"json\", \"table TEMPLATE\" or a template for each line" },
		{ "human", 'H', NULL, "Print sizes and dates for people (default true)" },
		{ "no-trunc", 0, NULL, "Cut nothing" },
		{ "platform", 0, "string", NULL },
		{ "quiet", 'q', NULL, "Show ids only" },
		{ NULL },
	};
	static const struct usage usage = { "history", "[OPTIONS] IMAGE",
		                            "Show how an image was made", rows, 1, 1 };

	return store_command(&usage, argc, argv, print_history, e);
}
