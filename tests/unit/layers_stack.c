#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "layers/path.h"
#include "layers/scope.h"
#include "layers/stack.h"

#define LAYERS_MAX 8

static char folder[64];
static struct store *store;

static int make_store(void **state)
{
	struct error e;

	strcpy(folder, "/tmp/layers_stack.XXXXXX");
	store = mkdtemp(folder) ? store_open(folder, &e) : NULL;
	return store ? 0 : -1;
}

static int remove_store(void **state)
{
	auto_close int tmp = open("/tmp", O_PATH);
	struct error e;

	store_close(store);
	return path_remove(tmp, strrchr(folder, '/') + 1, &e);
}

static void give_layer_a_table(struct layer *layer, struct table_writer *w)
{
	static unsigned number;
	struct error e;

	memset(layer, 0, sizeof *layer);
	number++;
	memcpy(layer->diff_id.byte, &number, sizeof number);
	layer->blob = layer->diff_id;
	assert_int_equal(table_commit(w, &layer->diff_id, 1024, &e), 0);
}

/* A layer of the lines of TEXT: "d PATH", "f PATH SIZE", "l PATH LINK", "h PATH LINK", "w PATH"
 * (whiteout), "o PATH" (opaque). */
static void make_layer(const char *text, struct layer *layer)
{
	static const char letters[] = "fdlh___wo";
	auto_free char *lines = strdup(text);
	struct error e;
	struct table_writer *w = table_begin(store, &e);
	char *end;

	assert_non_null(w);
	for (char *line = strtok_r(lines, "\n", &end); line; line = strtok_r(NULL, "\n", &end)) {
		struct entry entry = { .mode = 0644 };
		char path[256] = "", more[256] = "";

		sscanf(line + 1, "%255s %255s", path, more);
		entry.path = path;
		entry.type = (enum entry_type)(strchr(letters, line[0]) - letters);
		if (entry.type == ENTRY_SYMLINK || entry.type == ENTRY_HARDLINK)
			entry.link = more;
		else
			entry.size = atoi(more);
		if (table_add(w, &entry, &e) < 0)
			fail_msg("%s: %s", line, e.text);
	}
	give_layer_a_table(layer, w);
}

/* A stack of the layers in TEXT, the lowest first, each ended by "--\n". */
static struct stack *make_stack(const char *text)
{
	struct layer layers[LAYERS_MAX];
	size_t count = 0;
	struct stack *st;
	struct error e;

	while (*text) {
		const char *end = strstr(text, "--\n");
		auto_free char *one = strndup(text, (size_t)(end - text));

		make_layer(one, &layers[count++]);
		text = end + 3;
	}
	st = stack_new(store, layers, count, NULL, NULL, &e);
	assert_non_null(st);
	return st;
}

static int write_found(void *context, const struct found *found, struct error *e)
{
	FILE *f = context;

	fprintf(f, "%c %s %zu\n", "fdl?cb|??"[found->entry.type], found->entry.path, found->layer);
	return 0;
}

static int write_and_leave(void *context, const struct found *found, struct error *e)
{
	write_found(context, found, e);
	return strstr(found->entry.path, "skip") != NULL;
}

static void walks_as(struct stack *st, const char *dir, bool deep,
                     int (*visit)(void *, const struct found *, struct error *), const char *wanted)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct error e;

	if (stack_walk(st, dir, deep, visit, f, &e) < 0)
		fail_msg("%s", e.text);
	fclose(f);
	assert_string_equal(text, wanted);
}

static void upper_layers_cover_and_hide_lower_ones(void **state)
{
	struct stack *st = make_stack("d a\n" "f a/gone 1\n" "f a/kept 1\n" "f a/new 1\n"
	                              "d b\n" "f b/under-file 1\n" "d c\n" "f c/hidden 1\n" "--\n"
	                              "d a\n" "w a/gone\n" "f a/new 2\n" "f b 1\n" "o c\n" "f c/x 3\n"
	                              "--\n");
	struct found found;
	struct error e;

	walks_as(st, "", true, write_found,
	         "d a 1\nf a/kept 0\nf a/new 1\nf b 1\nd c 1\nf c/x 1\n");
	assert_int_equal(stack_lookup(st, "a/gone", &found, &e), 0);
	assert_int_equal(stack_lookup(st, "b/under-file", &found, &e), 0);
	assert_int_equal(stack_lookup(st, "c/hidden", &found, &e), 0);
	assert_int_equal(stack_lookup(st, "a/new", &found, &e), 1);
	assert_int_equal(found.entry.size, 2);
	assert_int_equal(stack_lookup(st, "c", &found, &e), 1);
	assert_int_equal(found.entry.type, ENTRY_DIR);
	assert_int_equal(stack_lookup(st, "", &found, &e), 1);
	assert_int_equal(found.entry.type, ENTRY_DIR);
	stack_free(st);
}

static void directories_that_nobody_names_are_there(void **state)
{
	struct stack *st = make_stack("f was-file 1\n" "--\n" "f was-file/x 1\n" "f y/z/q 1\n" "--\n");
	struct found found;
	struct error e;

	walks_as(st, "", true, write_found,
	         "d was-file 1\nf was-file/x 1\nd y 1\nd y/z 1\nf y/z/q 1\n");
	assert_int_equal(stack_lookup(st, "y/z", &found, &e), 1);
	assert_int_equal(found.entry.mode, 0755);
	assert_int_equal(found.entry.mtime, 0);
	stack_free(st);
}

static void a_walk_can_stay_flat_and_leave_out(void **state)
{
	struct stack *st = make_stack("d a\n" "d a/b\n" "f a/b/c 1\n" "f a-b 1\n" "d skip\n"
	                              "f skip/x 1\n" "d skip/y\n" "f skip/y/z 1\n" "f skip.x 1\n" "--\n"
	                              "f skip/x 1\n" "f z/1/2 1\n" "--\n");

	walks_as(st, "", false, write_found, "d a 0\nf a-b 0\nd skip 0\nf skip.x 0\nd z 1\n");
	walks_as(st, "skip", false, write_found, "f skip/x 1\nd skip/y 0\n");
	walks_as(st, "", true, write_and_leave,
	         "d a 0\nd a/b 0\nf a/b/c 0\nf a-b 0\nd skip 0\nf skip.x 0\nd z 1\nd z/1 1\n"
	         "f z/1/2 1\n");
	walks_as(st, "a/b", true, write_found, "f a/b/c 0\n");
	walks_as(st, "a-b", true, write_found, "");
	walks_as(st, "none", true, write_found, "");
	stack_free(st);
}

static void a_hard_link_is_the_file_that_it_shares(void **state)
{
	struct stack *st = make_stack("f one 7\n" "--\n" "h three two\n" "h two one\n" "--\n"
	                              "h lost nowhere\n" "--\n");
	struct found found;
	struct error e;

	assert_int_equal(stack_lookup(st, "three", &found, &e), 1);
	assert_int_equal(found.entry.type, ENTRY_FILE);
	assert_string_equal(found.entry.path, "three");
	assert_int_equal(found.entry.size, 7);
	assert_int_equal(found.layer, 0);
	assert_int_equal(stack_lookup(st, "lost", &found, &e), -1);
	assert_string_equal(e.text, "/lost is a hard link to /nowhere, which is not there");
	stack_free(st);
}

static void links_are_followed_as_the_kernel_would(void **state)
{
	static const struct {
		const char *path;
		bool follow_last;
		int result;
		const char *wanted; /* the path, or the error */
	} cases[] = {
		{ "/bin/sh", true, 1, "usr/bin/sh" },
		{ "bin/../x", true, 0, "usr/x" },
		{ "bin", false, 1, "bin" },
		{ "bin/", false, 1, "usr/bin" },
		{ "bin/.", false, 1, "usr/bin" },
		{ "bin", true, 1, "usr/bin" },
		{ "/../../etc//passwd", true, 1, "etc/passwd" },
		{ "up/etc/passwd", true, 1, "etc/passwd" },
		{ "abs/sh", true, 1, "usr/bin/sh" },
		{ "none/../etc/./new/x", true, 0, "etc/new/x" },
		{ "dangling", true, 0, "not/there" },
		{ "", true, 1, "" },
		{ "/", false, 1, "" },
		{ "etc/passwd/x", true, -1, "/etc/passwd is not a directory" },
		{ "loop/x", true, -1, "/loop: Too many levels of symbolic links" },
		{ "ping", true, -1, "/ping: Too many levels of symbolic links" },
		{ "self/self/self/etc/passwd", true, 1, "etc/passwd" },
	};
	struct stack *st = make_stack("l abs /usr/bin\n" "l bin usr/bin\n" "l dangling not/there\n"
	                              "d etc\n" "f etc/passwd 1\n" "l loop loop\n" "l ping pong\n"
	                              "l self .\n" "l up ../../..\n" "--\n"
	                              "l pong ping\n" "d usr\n" "d usr/bin\n" "f usr/bin/sh 1\n" "--\n");

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		auto_free char *resolved = NULL;
		struct found found;
		struct error e;
		int result = stack_resolve(st, cases[i].path, cases[i].follow_last, &resolved, &found, &e);

		if (result != cases[i].result)
			fail_msg("%s: %d %s", cases[i].path, result, result < 0 ? e.text : resolved);
		assert_string_equal(result < 0 ? e.text : resolved, cases[i].wanted);
	}
	stack_free(st);
}

/* --- against a model -------------------------------------------------------------------------- */

/* All paths of up to three names of "a", "b", "c", in path_order. */
#define NAMES 3
#define PATHS (NAMES + NAMES * NAMES + NAMES * NAMES * NAMES)

static char path[PATHS][8];
static int parent[PATHS]; /* -1: the root */

static void name_paths(void)
{
	int n = 0;

	for (int i = 0; i < NAMES; i++) {
		int one = n++;

		sprintf(path[one], "%c", 'a' + i);
		parent[one] = -1;
		for (int j = 0; j < NAMES; j++) {
			int two = n++;

			sprintf(path[two], "%c/%c", 'a' + i, 'a' + j);
			parent[two] = one;
			for (int k = 0; k < NAMES; k++) {
				sprintf(path[n], "%c/%c/%c", 'a' + i, 'a' + j, 'a' + k);
				parent[n++] = two;
			}
		}
	}
}

static void clear_below(char *state, int at)
{
	for (int i = at + 1; i < PATHS && path_is_below(path[i], path[at]); i++)
		state[i] = 0;
}

/* A random layer as text, and the same done to STATE, a letter for each path or 0. */
static void random_layer(FILE *f, char *state)
{
	char layer[PATHS] = { 0 };

	for (int i = 0; i < PATHS; i++) {
		bool below_file = parent[i] >= 0 && strchr("fw", layer[parent[i]]) && layer[parent[i]];

		if (parent[i] >= 0 && parent[parent[i]] >= 0 && layer[parent[parent[i]]] &&
		    strchr("fw", layer[parent[parent[i]]]))
			below_file = true;
		if (!below_file && rand() % 4 == 0)
			layer[i] = "ffddwo"[rand() % 6];
	}
	for (int i = 0; i < PATHS; i++) {
		if (layer[i])
			fprintf(f, "%c %s 1\n", layer[i], path[i]);
		if (layer[i] == 'w') {
			state[i] = 0;
			clear_below(state, i);
		} else if (layer[i]) {
			if (layer[i] == 'o' || layer[i] == 'f' || state[i] == 'f')
				clear_below(state, i);
			state[i] = layer[i] == 'f' ? 'f' : 'd';
		}
		for (int up = parent[i]; layer[i] && up >= 0; up = parent[up])
			state[up] = 'd';
	}
	fputs("--\n", f);
}

static void any_stack_shows_what_its_layers_one_after_the_other_make(void **unused)
{
	name_paths();
	for (unsigned seed = 0; seed < 400; seed++) {
		auto_free char *layers = NULL;
		auto_free char *wanted = NULL;
		auto_free char *got = NULL;
		char state[PATHS] = { 0 };
		size_t size;
		FILE *f = open_memstream(&layers, &size);
		struct error e;
		struct stack *st;

		srand(seed);
		for (int i = rand() % 4; i >= 0; i--)
			random_layer(f, state);
		fclose(f);
		st = make_stack(layers);
		f = open_memstream(&wanted, &size);
		for (int i = 0; i < PATHS; i++) {
			struct found found;
			int there = stack_lookup(st, path[i], &found, &e);

			if (there != (state[i] != 0) || (there && found.entry.type != (state[i] == 'd')))
				fail_msg("seed %u: %s is %d, not '%c'\n%s", seed, path[i], there, state[i], layers);
			if (state[i])
				fprintf(f, "%c %s\n", state[i], path[i]);
		}
		fclose(f);
		f = open_memstream(&got, &size);
		int write_short(void *context, const struct found *found, struct error *ignored)
		{
			fprintf(context, "%c %s\n", "fd"[found->entry.type], found->entry.path);
			return 0;
		}
		assert_int_equal(stack_walk(st, "", true, write_short, f, &e), 0);
		fclose(f);
		if (strcmp(got, wanted) != 0)
			fail_msg("seed %u: walked\n%snot\n%sof\n%s", seed, got, wanted, layers);
		stack_free(st);
	}
}

static void a_walk_over_a_base_image_takes_milliseconds(void **state)
{
	struct layer layers[2];
	struct timespec from, to;
	struct stack *st;
	struct error e;
	size_t count = 0;

	for (int l = 0; l < 2; l++) {
		struct table_writer *w = table_begin(store, &e);

		for (int d = 0; d < 100; d++) {
			char name[64];
			struct entry entry = { .path = name, .type = ENTRY_DIR };

			sprintf(name, "usr-%03d", d);
			assert_int_equal(table_add(w, &entry, &e), 0);
			entry.type = ENTRY_FILE;
			for (int i = l; i < 200; i += 2) {
				sprintf(name, "usr-%03d/share-%05d", d, i);
				assert_int_equal(table_add(w, &entry, &e), 0);
			}
		}
		give_layer_a_table(&layers[l], w);
	}
	st = stack_new(store, layers, 2, NULL, NULL, &e);
	int add(void *context, const struct found *found, struct error *ignored)
	{
		(*(size_t *)context)++;
		return 0;
	}
	clock_gettime(CLOCK_MONOTONIC, &from);
	assert_int_equal(stack_walk(st, "", true, add, &count, &e), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_int_equal(count, 20100);
	/* It is 3 ms; a sanitizer on a busy machine may take its time. */
	assert_true((to.tv_sec - from.tv_sec) * 1000 + (to.tv_nsec - from.tv_nsec) / 1000000 < 1000);
	stack_free(st);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(upper_layers_cover_and_hide_lower_ones),
		cmocka_unit_test(directories_that_nobody_names_are_there),
		cmocka_unit_test(a_walk_can_stay_flat_and_leave_out),
		cmocka_unit_test(a_hard_link_is_the_file_that_it_shares),
		cmocka_unit_test(links_are_followed_as_the_kernel_would),
		cmocka_unit_test(any_stack_shows_what_its_layers_one_after_the_other_make),
		cmocka_unit_test(a_walk_over_a_base_image_takes_milliseconds),
	};

	return cmocka_run_group_tests(tests, make_store, remove_store);
}
