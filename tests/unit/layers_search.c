#include "layers_fixture.h"

#include "layers/layer.h"
#include "layers/search.h"

#define SECRET "hunter2hunter"
/* Larger than what is read at once. */
#define LARGE (700 << 10)

static void add(struct fixture *f, struct layer_writer *w, struct entry entry, const char *content,
                size_t size)
{
	entry.size = (int64_t)size;
	assert_ok(f, layer_add(w, &entry, &(struct content){ .memory = content }, &f->error));
}

static bool never(void *context)
{
	(void)context;
	return false;
}

static bool at_once(void *context)
{
	(void)context;
	return true;
}

/* "PATH", "name of PATH", or "nothing" for two secrets in the layer that W has. */
static void place_is(struct fixture *f, struct layer_writer *w, const char *expected)
{
	static const struct needle needles[] = { { "other-secret", 12 }, { SECRET, 13 } };
	struct search_hit hit = { 0 };
	struct layer layer;
	char place[200];
	int result;

	assert_ok(f, layer_finish(w, &layer, &f->error));
	result = layer_search(f->store, &layer, needles, 2, never, NULL, &hit, &f->error);
	assert_ok(f, result);
	snprintf(place, sizeof place, "%s%s", result && hit.in_name ? "name of " : "",
	         result ? hit.path : "nothing");
	assert_string_equal(place, expected);
	if (result)
		assert_int_equal(hit.needle, 1);
	free(hit.path);
}

static void the_file_is_told(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);

	add(f, w, (struct entry){ .path = "a" }, "hunter2hunte", 12);
	add(f, w, (struct entry){ .path = "b" }, "r key=" SECRET "\n", 20);
	add(f, w, (struct entry){ .path = "c" }, "nothing", 7);
	place_is(f, w, "b");
}

static void a_secret_may_lie_across_two_pieces(void **state)
{
	struct fixture *f = *state;
	char *content = malloc(LARGE);

	for (size_t at = (256 << 10) - 520; at < (256 << 10) + 20; at += 9) {
		struct layer_writer *w = layer_begin(f->store, &f->error);

		memset(content, 'x', LARGE);
		memcpy(content + at, SECRET, 13);
		add(f, w, (struct entry){ .path = "large" }, content, LARGE);
		place_is(f, w, "large");
	}
	free(content);
}

static void at_the_very_end(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);
	char *content = calloc(1, LARGE);

	memcpy(content + LARGE - 13, SECRET, 13);
	add(f, w, (struct entry){ .path = "large" }, content, LARGE);
	place_is(f, w, "large");
	free(content);
}

static void names_and_attributes_count(void **state)
{
	static const char attribute[] = "user.token\0\15\0\0\0" SECRET;
	struct fixture *f = *state;
	char long_name[300];
	const struct entry entries[] = {
		{ .path = "etc/" SECRET ".conf" },
		{ .path = long_name },
		{ .path = "x", .xattrs = attribute, .xattrs_size = sizeof attribute - 1 },
	};

	/* A ustar header has it in two parts, the secret in both. */
	memset(long_name, 'd', sizeof long_name);
	memcpy(long_name + 90, "/" SECRET "/", 15);
	long_name[180] = '\0';
	for (size_t i = 0; i < sizeof entries / sizeof entries[0]; i++) {
		struct layer_writer *w = layer_begin(f->store, &f->error);
		char expected[400];

		add(f, w, entries[i], "", 0);
		snprintf(expected, sizeof expected, "name of %s", entries[i].path);
		place_is(f, w, expected);
	}
}

static void what_a_link_says_does_not(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);

	add(f, w, (struct entry){ .path = "a", .type = ENTRY_SYMLINK, .link = SECRET }, NULL, 0);
	add(f, w, (struct entry){ .path = "b" }, "plain", 5);
	place_is(f, w, "nothing");
}

static void an_empty_layer_has_nothing(void **state)
{
	struct fixture *f = *state;

	place_is(f, layer_begin(f->store, &f->error), "nothing");
}

static void a_search_can_be_stopped(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);
	struct search_hit hit;
	struct layer layer;

	add(f, w, (struct entry){ .path = "a" }, SECRET, 13);
	assert_ok(f, layer_finish(w, &layer, &f->error));
	assert_int_equal(layer_search(f->store, &layer, &(struct needle){ SECRET, 13 }, 1, at_once,
	                              NULL, &hit, &f->error), -1);
	assert_int_equal(f->error.kind, ERROR_CANCELLED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(the_file_is_told),
		with_store(a_secret_may_lie_across_two_pieces),
		with_store(at_the_very_end),
		with_store(names_and_attributes_count),
		with_store(what_a_link_says_does_not),
		with_store(an_empty_layer_has_nothing),
		with_store(a_search_can_be_stopped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
