/* What layers/ does, from the command line, for tests/layers/run:
 *
 *     tool STORE index TAR...           each becomes a layer of the stack; prints its diff_id
 *     tool STORE list TAR...            the same, and prints the top one's table
 *     tool STORE unpack TAR...          prints the tree of each
 *     tool STORE changes UPPER TAR...   what changed over these layers; prints diff_id and blob
 *     tool STORE write UPPER            the same over nothing
 *     tool STORE again BLOB             unpacks a plain layer that the store has already
 *     tool STORE entries FILE           what archive_open finds in a file
 *     tool STORE count FILE             how many
 *     tool STORE each FILE              does what every line of it says, beginning with one of these
 *                                       words; an empty line ends what each prints
 *
 * With ARRIVING in the environment layers are read while they are stored.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/archive.h"
#include "layers/arrival.h"
#include "layers/blob.h"
#include "layers/layer.h"
#include "layers/scope.h"
#include "layers/tree.h"

static const struct tree_rules rules = { .keep_owners = true, .make_devices = true };

/* LAYER as it would be described by whoever has the file PATH; PATH.diff holds the diff_id of a
 * compressed one. */
static int describe(const char *path, int fd, struct layer *layer, struct error *e)
{
	char buffer[4096], *sum;
	struct sha256 hash;
	ssize_t n;

	sha256_begin(&hash);
	while ((n = read(fd, buffer, sizeof buffer)) > 0) {
		if (layer->blob_size == 0)
			layer->compression = compression_sniff(buffer, (size_t)n);
		layer->blob_size += n;
		sha256_add(&hash, buffer, (size_t)n);
	}
	sha256_end(&hash, &layer->blob);
	layer->diff_id = layer->blob;
	if (asprintf(&sum, "%s.diff", path) < 0)
		return error_memory(e);
	FILE *f = fopen(sum, "r");

	free(sum);
	if (f && fgets(buffer, sizeof buffer, f)) {
		buffer[strcspn(buffer, "\n")] = '\0';
		if (digest_parse(buffer, &layer->diff_id, e) < 0)
			return -1;
	}
	if (f)
		fclose(f);
	return 0;
}

/* Stored, then read. */
static int store_layer(struct store *s, int fd, const struct layer *layer, struct error *e)
{
	struct blob_writer *w = blob_begin(s, e);
	char buffer[4096];
	off_t at = 0;
	ssize_t n;

	if (!w)
		return -1;
	for (; (n = pread(fd, buffer, sizeof buffer, at)) > 0; at += n)
		if (blob_write(w, buffer, (size_t)n, e) < 0)
			return -1;
	return blob_commit(w, &layer->blob, NULL, e) < 0 ? -1 : layer_index(s, layer, e);
}

/* Read while it is stored. */
static int receive_layer(struct store *s, int fd, const struct layer *layer, struct error *e)
{
	struct arrival *a = arrival_begin(s, layer, &rules, e);
	char buffer[1000];
	off_t at = 0;
	ssize_t n;

	if (!a)
		return -1;
	for (; (n = pread(fd, buffer, sizeof buffer, at)) > 0; at += n)
		if (arrival_write(a, buffer, (size_t)n, e) < 0)
			return -1;
	return arrival_finish(a, e);
}

static int add_layer(struct store *s, const char *path, struct layer *layer, struct error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(e, "open %s", path);
	if (describe(path, fd, layer, e) < 0)
		return -1;
	return (getenv("ARRIVING") ? receive_layer : store_layer)(s, fd, layer, e);
}

static void print_entry(const struct entry *entry)
{
	char text[DIGEST_TEXT];

	printf("%d %s %o %u:%u %u:%u %lld %lld %s %.12s\n", entry->type, entry->path, entry->mode,
	       entry->uid, entry->gid, entry->major, entry->minor, (long long)entry->size,
	       (long long)entry->mtime, entry->link ? entry->link : "-",
	       digest_format(&entry->digest, text) + 7);
}

static int list(struct store *s, const struct layer *layer, struct error *e)
{
	struct table *t = table_open(s, &layer->diff_id, e);
	struct entry entry;

	if (!t)
		return -1;
	for (size_t i = 0; i < table_count(t); i++) {
		table_get(t, i, &entry);
		print_entry(&entry);
	}
	table_close(t);
	return 0;
}

static int unpack_all(struct store *s, const struct layer *layers, size_t count, struct error *e)
{
	struct stack *stack = stack_new(s, layers, count, NULL, NULL, e);
	char path[TREE_PATH];

	if (!stack)
		return -1;
	for (size_t i = 0; i < count; i++) {
		if (tree_make(s, &layers[i], stack, i, &rules, path, e) < 0)
			return -1;
		printf("%s/%s\n", store_path(s), path);
	}
	stack_free(stack);
	return 0;
}

static int changes(struct store *s, const char *upper, const struct layer *layers, size_t count,
                   struct error *e)
{
	struct stack *stack = count ? stack_new(s, layers, count, NULL, NULL, e) : NULL;
	struct layer_writer *w = layer_begin(s, e);
	auto_close int dir = open(upper, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char text[DIGEST_TEXT];
	struct layer layer;

	if (!w || dir < 0)
		return error_errno(e, "open %s", upper);
	if (tree_changes(dir, &(struct tree_base){ .stack = stack }, &rules, NULL, -1, w, e) < 0) {
		layer_abandon(w);
		return -1;
	}
	if (layer_finish(w, &layer, e) < 0)
		return -1;
	stack_free(stack);
	digest_format(&layer.diff_id, text);
	printf("%s\n%s/blobs/sha256/%s\n", text, store_path(s), text + 7);
	return 0;
}

static int entries(const char *path, struct error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	char buffer[5000];
	struct archive *a;
	struct entry entry;
	ssize_t n;
	int result = archive_open(fd, &a, e);

	if (result <= 0) {
		if (result == 0)
			printf("no archive\n");
		return result;
	}
	while ((result = archive_next(a, &entry, e)) > 0) {
		struct sha256 hash;

		sha256_begin(&hash);
		while ((n = archive_read(a, buffer, sizeof buffer, e)) > 0)
			sha256_add(&hash, buffer, (size_t)n);
		sha256_end(&hash, &entry.digest);
		if (n < 0) {
			result = -1;
			break;
		}
		print_entry(&entry);
	}
	if (result == 0)
		printf("%s\n", archive_was_ended(a) ? "ended" : "over");
	archive_end(a);
	return result;
}

static int count_entries(const char *path, struct error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct archive *a;
	struct entry entry;
	size_t count = 0;
	int result = archive_open(fd, &a, e);

	if (result <= 0)
		return result;
	while ((result = archive_next(a, &entry, e)) > 0)
		count++;
	printf("%zu\n", count);
	archive_end(a);
	return result;
}

static int again(struct store *s, const char *blob, struct error *e)
{
	struct layer layer = { .compression = COMPRESSION_NONE };
	char text[DIGEST_TEXT];
	struct stat st;

	if (stat(blob, &st) < 0)
		return error_errno(e, "stat %s", blob);
	snprintf(text, sizeof text, "sha256:%s", strrchr(blob, '/') + 1);
	if (digest_parse(text, &layer.blob, e) < 0)
		return -1;
	layer.diff_id = layer.blob;
	layer.blob_size = st.st_size;
	return unpack_all(s, &layer, 1, e);
}

static int each(struct store *s, const char *path, struct error *e);

static int run(struct store *s, int argc, char **argv, struct error *e)
{
	const char *what = argv[2];
	int first = strcmp(what, "changes") == 0 || strcmp(what, "write") == 0 ? 4 : 3;
	size_t count = (size_t)(argc - first);
	auto_free struct layer *layers = calloc(count + 1, sizeof *layers);

	if (strcmp(what, "entries") == 0)
		return entries(argv[3], e);
	if (strcmp(what, "count") == 0)
		return count_entries(argv[3], e);
	if (strcmp(what, "again") == 0)
		return again(s, argv[3], e);
	if (strcmp(what, "each") == 0)
		return each(s, argv[3], e);
	for (size_t i = 0; i < count; i++) {
		char text[DIGEST_TEXT];

		if (add_layer(s, argv[first + (int)i], &layers[i], e) < 0)
			return -1;
		if (strcmp(what, "index") == 0)
			printf("%s\n", digest_format(&layers[i].diff_id, text));
	}
	if (strcmp(what, "list") == 0)
		return list(s, &layers[count - 1], e);
	if (strcmp(what, "unpack") == 0)
		return unpack_all(s, layers, count, e);
	if (first == 4)
		return changes(s, argv[3], layers, count, e);
	return 0;
}

static int each(struct store *s, const char *path, struct error *e)
{
	FILE *f = fopen(path, "r");
	char line[4096], *argv[64] = { "tool", "" };
	int result = 0;

	if (!f)
		return error_errno(e, "open %s", path);
	while (result == 0 && fgets(line, sizeof line, f)) {
		int argc = 2;

		for (char *word = strtok(line, " \n"); word && argc < 63; word = strtok(NULL, " \n"))
			argv[argc++] = word;
		argv[argc] = NULL;
		result = argc > 3 ? run(s, argc, argv, e) : error_set(e, ERROR_INPUT, "%s", line);
		printf("\n");
	}
	fclose(f);
	return result;
}

int main(int argc, char **argv)
{
	struct error e = { .kind = ERROR_NONE };
	struct store *s = argc > 3 ? store_open(argv[1], &e) : NULL;
	int result = s && run(s, argc, argv, &e) == 0 ? store_flush(s, &e) : -1;

	if (result < 0)
		fprintf(stderr, "%s\n", e.text);
	store_close(s);
	return result < 0;
}
