#include "builder/build/assemble.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "layers/scope.h"

/* OCI: RFC 3339, section 5.6. */
static void format_time(int64_t seconds, char text[static 32])
{
	time_t t = seconds;
	struct tm tm;

	gmtime_r(&t, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* An entry without a layer of its own has the time of the step before it: nothing else about it
 * has a time, and an unchanged build must give an unchanged image. */
static int add_entry(const struct line *line, const struct history *h, int64_t *created,
                     json_t *history)
{
	const struct record *record = h->step ? &line->task[h->step->number].record : NULL;
	char when[32] = "";
	json_t *entry;

	if (record)
		*created = record->created;
	if (*created >= 0)
		format_time(*created, when);
	entry = json_pack("{s:s*, s:s, s:s*, s:s}", "created", *when ? when : NULL, "created_by",
	                  h->created_by, "author", h->author, "comment", "buildkit.dockerfile.v0");
	if (entry && !(record && record->has_layer))
		json_object_set_new(entry, "empty_layer", json_true());
	return json_array_append_new(history, entry);
}

/* Base layers that the base's history does not speak of get an entry each: the counts must pair. */
static void pair_base(const struct base *base, json_t *history)
{
	size_t described = 0, i;
	json_t *entry;

	json_array_foreach(history, i, entry)
		described += !json_is_true(json_object_get(entry, "empty_layer"));
	while (described++ < base->layer_count)
		json_array_append_new(history, json_pack("{s:s}", "created_by", "a layer of the base"));
}

static int add_history(const struct building *b, size_t stage, int64_t *created, json_t *history)
{
	const struct line *line = &b->line[stage];

	if (line->stage->base_kind == BASE_STAGE &&
	    add_history(b, line->stage->base_stage, created, history) < 0)
		return -1;
	if (line->stage->base_kind == BASE_IMAGE) {
		json_t *base = json_object_get(line->stage->base->config, "history");

		if (base && json_array_extend(history, base) < 0)
			return -1;
		pair_base(line->stage->base, history);
	}
	if (line->has_context_task) {
		*created = line->context_task.record.created;
		json_array_append_new(history, json_pack("{s:s}", "created_by", "FROM a folder"));
	}
	for (size_t i = 0; i < line->stage->history_count; i++)
		if (add_entry(line, &line->stage->history[i], created, history) < 0)
			return -1;
	return 0;
}

int assemble_image(const struct building *b, struct image *image, struct error *e)
{
	const struct stage *target = &b->plan->stage[b->plan->target];
	int64_t created = b->plan->epoch;
	json_t *history = json_array();
	char when[32];

	image_init(image);
	image->config = json_deep_copy(target->config);
	image->layers = layers_below(b, b->plan->target, SIZE_MAX, &image->layer_count);
	if (!image->config || !image->layers || !history ||
	    add_history(b, b->plan->target, &created, history) < 0) {
		json_decref(history);
		image_release(image);
		return error_memory(e);
	}
	json_object_set_new(image->config, "history", history);
	if (b->plan->epoch >= 0)
		created = b->plan->epoch;
	if (created >= 0) {
		format_time(created, when);
		json_object_set_new(image->config, "created", json_string(when));
	}
	if (image_put(b->store, image, e) < 0) {
		image_release(image);
		return -1;
	}
	return 0;
}
