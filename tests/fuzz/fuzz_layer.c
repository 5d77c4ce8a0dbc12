/* Any bytes as a layer, stored and then read or read while it arrives, alone and on a base with links:
 * reading, indexing and unpacking end in a table and a tree or in an error, and nothing outside the
 * store changes. Checksums are put right first, or every input would end
 * at its first header.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layers/archive.h"
#include "layers/arrival.h"
#include "layers/blob.h"
#include "layers/layer.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/tar.h"
#include "layers/tree.h"

/* Sparse files may claim gigabytes, which take their time to be hashed: that is not looked for. */
#define CLAIMED_MAX (64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	const unsigned char *at;
	size_t left;
};

static ssize_t pull(void *context, void *buffer, size_t size, struct error *e)
{
	struct memory *m = context;

	(void)e;
	if (size > m->left)
		size = m->left;
	memcpy(buffer, m->at, size);
	m->at += size;
	m->left -= size;
	return (ssize_t)size;
}

static void mend_checksums(unsigned char *bytes, size_t size)
{
	for (size_t at = 0; at + TAR_BLOCK <= size; at += TAR_BLOCK) {
		struct tar_header *h = (struct tar_header *)(bytes + at);
		unsigned sum = 0;

		if (memcmp(h->magic, "ustar", 5) != 0)
			continue;
		memset(h->checksum, ' ', sizeof h->checksum);
		for (size_t i = 0; i < TAR_BLOCK; i++)
			sum += bytes[at + i];
		for (int i = 6; i-- > 0; sum >>= 3)
			h->checksum[i] = (char)('0' + (sum & 7));
	}
}

/* What an entry promises is what reading it gives. Returns the sum of it. */
static int64_t read_all(const unsigned char *bytes, size_t size)
{
	struct memory memory = { bytes, size };
	struct error e;
	struct archive *a = archive_begin(pull, &memory, &e);
	struct entry entry;
	char buffer[4096];
	int64_t total = 0;

	while (archive_next(a, &entry, &e) > 0) {
		int64_t sum = 0;
		ssize_t n = 0;

		total += entry.size;
		if (entry.size > (1 << 20))
			continue;
		while ((n = archive_read(a, buffer, sizeof buffer, &e)) > 0)
			sum += n;
		if (n == 0 && sum != (entry.type == ENTRY_FILE ? entry.size : 0))
			abort();
		if (n < 0)
			break;
	}
	archive_end(a);
	return total;
}

static const struct tree_rules rules = { .user_xattrs = true };

/* Half of all inputs are read while they come, in pieces. */
static int take_in(struct store *s, const unsigned char *bytes, size_t size, struct layer *layer,
                   struct error *e)
{
	struct arrival *a;

	digest_of(bytes, size, &layer->blob);
	layer->diff_id = layer->blob;
	if (layer->blob.byte[0] & 1) {
		if (blob_put(s, bytes, size, &layer->blob, e) < 0)
			abort();
		return layer_index(s, layer, e);
	}
	a = arrival_begin(s, layer, &rules, e);
	if (!a)
		abort();
	for (size_t at = 0; at < size; at += 700)
		if (arrival_write(a, bytes + at, size - at < 700 ? size - at : 700, e) < 0)
			abort();
	return arrival_finish(a, e);
}

/* What layers of another image may find below them. */
static void make_base(struct store *s, struct layer *base)
{
	static const struct entry entries[] = {
		{ .path = "a", .type = ENTRY_SYMLINK, .link = "d" },
		{ .path = "b", .type = ENTRY_SYMLINK, .link = "a/e" },
		{ .path = "d", .type = ENTRY_DIR, .mode = 0755 },
		{ .path = "d/e", .type = ENTRY_DIR, .mode = 0755 },
		{ .path = "d/f", .type = ENTRY_FILE, .mode = 0644 },
		{ .path = "l", .type = ENTRY_SYMLINK, .link = "/../d/f" },
		{ .path = "loop", .type = ENTRY_SYMLINK, .link = "loop" },
		{ .path = "up", .type = ENTRY_SYMLINK, .link = "../.." },
	};
	struct error e;
	struct layer_writer *w = layer_begin(s, &e);

	for (size_t i = 0; w && i < sizeof entries / sizeof *entries; i++)
		if (layer_add(w, &entries[i], NULL, &e) < 0)
			abort();
	if (!w || layer_finish(w, base, &e) < 0)
		abort();
}

static int count(void *context, const struct found *found, struct error *e)
{
	(void)e;
	*(size_t *)context += strlen(found->entry.path);
	return 0;
}

static void unpack_on_base(struct store *s, const struct layer *layer)
{
	struct layer layers[2] = { [1] = *layer };
	char path[TREE_PATH];
	struct error e;
	size_t total = 0;

	make_base(s, &layers[0]);
	struct stack *stack = stack_new(s, layers, 2, NULL, NULL, &e);

	if (!stack)
		abort();
	if (stack_walk(stack, "", true, count, &total, &e) == 0)
		tree_make(s, layer, stack, 1, &rules, path, &e);
	stack_free(stack);
}

static void unpack(struct store *s, const unsigned char *bytes, size_t size)
{
	struct layer layer = { .blob_size = (int64_t)size };
	struct table *table;
	char path[TREE_PATH];
	struct entry entry;
	int64_t total = 0;
	struct error e;

	if (take_in(s, bytes, size, &layer, &e) < 0)
		return;
	table = table_open(s, &layer.diff_id, &e);
	if (!table)
		abort();
	for (size_t i = 0; i < table_count(table); i++) {
		table_get(table, i, &entry);
		total += entry.size;
	}
	table_close(table);
	if (total > (16 << 20))
		return;
	tree_make(s, &layer, NULL, 0, &rules, path, &e);
	unpack_on_base(s, &layer);
}

static void nothing_else_is_there(const char *folder)
{
	DIR *dir = opendir(folder);
	int count = 0;

	while (readdir(dir))
		count++;
	closedir(dir);
	if (count != 3)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char folder[] = "/dev/shm/cairn-fuzz-XXXXXX";
	unsigned char *copy = malloc(size + 1);
	auto_close int shm = open("/dev/shm", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *path = NULL;
	struct error e;
	struct store *s;

	memcpy(copy, data, size);
	mend_checksums(copy, size);
	if (read_all(copy, size) > CLAIMED_MAX) {
		free(copy);
		return 0;
	}
	if (!mkdtemp(folder) || asprintf(&path, "%s/store", folder) < 0)
		abort();
	s = store_open(path, &e);
	if (!s)
		abort();
	unpack(s, copy, size);
	store_close(s);
	nothing_else_is_there(folder);
	if (path_remove(shm, strrchr(folder, '/') + 1, &e) < 0)
		abort();
	free(copy);
	return 0;
}
