#include "builder/build/leaks.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "layers/json.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "layers/search.h"

/* Less is a word, a date or a number that files have for reasons of their own. */
#define SECRET_MIN 8
#define SALT_SIZE 32
#define SALT_NAME "salt"
/* Nobody notices a millisecond; who guesses secrets does, for each guess. */
#define TAG_ROUNDS 4000
#define TAG_SIZE (DIGEST_HEX + 1)
/* Of one layer; a secret that changes with each build must not make its list grow for ever. */
#define TAGS_MAX 64

struct leaks {
	struct building *building;
	struct vertex *vertex;
	struct needle *needle;      /* the secrets that are searched for */
	const char **id;            /* and their ids */
	char (*tag)[TAG_SIZE];      /* and what stands for them: hex, line end */
	size_t count;
	const struct step **step;
};

/* --- what is searched for ------------------------------------------------------------------- */

/* A file's last line end is not part of what a command takes from it. */
static size_t trimmed(const struct build_secret *secret)
{
	size_t size = secret->size;

	while (size > 0 && isspace((unsigned char)secret->value[size - 1]))
		size--;
	return size;
}

static void choose_secrets(struct leaks *l)
{
	const struct build_options *o = l->building->options;

	for (size_t i = 0; i < o->secret_count; i++) {
		const struct build_secret *secret = &o->secret[i];
		size_t size = trimmed(secret);
		char note[300];

		if (!l->building->secret_used[i])
			continue;
		if (size < SECRET_MIN) {
			snprintf(note, sizeof note, "secret \"%.200s\" has %zu bytes: too few to be "
			         "searched for in the image", secret->id, size);
			progress_warn(o->progress, note);
			continue;
		}
		l->needle[l->count] = (struct needle){ secret->value, size };
		l->id[l->count++] = secret->id;
	}
}

/* --- what was searched before --------------------------------------------------------------- */

static int read_salt(struct store *s, unsigned char salt[SALT_SIZE], struct error *e)
{
	size_t size = 0;
	auto_free char *known = store_read(s, STORE_SEARCHED, SALT_NAME, &size, e);

	if (known && size == SALT_SIZE) {
		memcpy(salt, known, SALT_SIZE);
		return 0;
	}
	if (getrandom(salt, SALT_SIZE, 0) != SALT_SIZE)
		return error_errno(e, "getrandom");
	return store_write(s, STORE_SEARCHED, SALT_NAME, salt, SALT_SIZE, e);
}

static void make_tag(const unsigned char salt[SALT_SIZE], const struct needle *needle,
                     char tag[TAG_SIZE])
{
	struct sha256 s;
	struct digest d;

	sha256_begin(&s);
	sha256_add(&s, salt, SALT_SIZE);
	sha256_add(&s, needle->bytes, needle->size);
	sha256_end(&s, &d);
	for (int i = 0; i < TAG_ROUNDS; i++) {
		sha256_begin(&s);
		sha256_add(&s, d.byte, sizeof d.byte);
		sha256_end(&s, &d);
	}
	digest_hex(&d, tag);
}

static int make_tags(struct leaks *l, struct error *e)
{
	unsigned char salt[SALT_SIZE];

	if (read_salt(l->building->store, salt, e) < 0)
		return -1;
	for (size_t i = 0; i < l->count; i++)
		make_tag(salt, &l->needle[i], l->tag[i]);
	return 0;
}

/* The layer was searched for all of them: newest first, a line each. */
static int remember(struct leaks *l, const char *name, const char *known, struct error *e)
{
	auto_free char *text = NULL;
	size_t size, lines = l->count;
	FILE *f = memory_stream_open(&text, &size);

	if (!f)
		return error_memory(e);
	for (size_t i = 0; i < l->count; i++)
		fprintf(f, "%s\n", l->tag[i]);
	for (const char *line = known; line && strlen(line) > DIGEST_HEX && lines < TAGS_MAX;
	     line += TAG_SIZE, lines++) {
		size_t i = 0;

		while (i < l->count && strncmp(line, l->tag[i], DIGEST_HEX) != 0)
			i++;
		if (i == l->count)
			fprintf(f, "%.*s\n", DIGEST_HEX, line);
	}
	if (fclose(f) != 0)
		return error_memory(e);
	return store_write(l->building->store, STORE_SEARCHED, name, text, size, e);
}

/* --- layers --------------------------------------------------------------------------------- */

static bool is_cancelled(void *building)
{
	return build_is_cancelled(building);
}

static int tell(const struct leaks *l, const struct task *t, const struct search_hit *hit,
                struct error *e)
{
	char diff_id[DIGEST_TEXT];

	*l->step = t->step;
	return error_set(e, ERROR_FAILED, "secret \"%s\" is in %s /%s of layer %s, made by %s "
	                 "(--allow-secret-leak lets it pass)", l->id[hit->needle],
	                 hit->in_name ? "the name of" : "file", hit->path,
	                 digest_format(&t->record.layer.diff_id, diff_id), t->step->name);
}

static int search_layer(struct leaks *l, const struct task *t, struct error *e)
{
	struct building *b = l->building;
	char name[DIGEST_HEX + 1];
	auto_free char *known = NULL;
	struct search_hit hit;
	size_t new = 0;
	int found;

	if (!t->record.has_layer)
		return 0;
	known = store_read(b->store, STORE_SEARCHED, digest_hex(&t->record.layer.diff_id, name), NULL, e);
	for (size_t i = 0; i < l->count; i++)
		new += !known || !strstr(known, l->tag[i]);
	if (new == 0)
		return 0;
	if (!l->vertex) {
		l->vertex = progress_vertex(b->options->progress, "[internal] search layers for secrets");
		vertex_start(l->vertex);
	}
	found = layer_search(b->store, &t->record.layer, l->needle, l->count, is_cancelled, b, &hit, e);
	if (found > 0) {
		tell(l, t, &hit, e);
		free(hit.path);
	}
	return found ? -1 : remember(l, name, known, e);
}

/* The layers of STAGE that are this build's; those of a base image are somebody else's. */
static int search_stage(struct leaks *l, size_t stage, struct error *e)
{
	const struct line *line = &l->building->line[stage];

	if (line->stage->base_kind == BASE_STAGE && search_stage(l, line->stage->base_stage, e) < 0)
		return -1;
	if (line->has_context_task && search_layer(l, &line->context_task, e) < 0)
		return -1;
	for (size_t i = 0; i < line->count; i++)
		if (search_layer(l, &line->task[i], e) < 0)
			return -1;
	return 0;
}

/* --- config --------------------------------------------------------------------------------- */

static const char *search_text(const struct leaks *l, const char *text)
{
	for (size_t i = 0; text && i < l->count; i++)
		if (memmem(text, strlen(text), l->needle[i].bytes, l->needle[i].size))
			return l->id[i];
	return NULL;
}

/* The id of the first secret that is in a name or a text of JSON. */
static const char *search_json(const struct leaks *l, const json_t *json)
{
	const char *key, *id = NULL;
	json_t *item;
	size_t i;

	if (json_is_string(json))
		return search_text(l, json_string_value(json));
	json_array_foreach((json_t *)json, i, item)
		if (!id)
			id = search_json(l, item);
	json_object_foreach((json_t *)json, key, item) {
		if (!id)
			id = search_text(l, key);
		if (!id)
			id = search_json(l, item);
	}
	return id;
}

/* --- all of it ------------------------------------------------------------------------------ */

static int search(struct leaks *l, const struct image *image, struct error *e)
{
	const char *id;

	if (make_tags(l, e) < 0 || search_stage(l, l->building->plan->target, e) < 0)
		return -1;
	id = search_json(l, image->config);
	return id ? error_set(e, ERROR_FAILED, "secret \"%s\" is in the image's config: in an ENV, ARG, "
	                      "LABEL or command (--allow-secret-leak lets it pass)", id) : 0;
}

int leaks_search(struct building *b, const struct image *image, const struct step **step,
                 struct error *e)
{
	size_t most = b->options->secret_count;
	auto_free struct needle *needle = calloc(most + 1, sizeof *needle);
	auto_free const char **id = calloc(most + 1, sizeof *id);
	auto_free char (*tag)[TAG_SIZE] = calloc(most + 1, sizeof *tag);
	struct leaks l = { .building = b, .needle = needle, .id = id, .tag = tag, .step = step };
	int result = 0;

	if (b->options->allow_secret_leak || most == 0)
		return 0;
	if (!needle || !id || !tag)
		return error_memory(e);
	choose_secrets(&l);
	if (l.count > 0)
		result = search(&l, image, e);
	if (l.vertex && result < 0)
		vertex_failed(l.vertex, e->text);
	else if (l.vertex)
		vertex_done(l.vertex);
	return result;
}
