#include "builder/image/fsck.h"

#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/build/cache.h"
#include "builder/copy/context_index.h"
#include "layers/blob.h"
#include "layers/extent.h"
#include "layers/image.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/table.h"

/* Manifests and configs; what is larger is a layer. */
#define DOCUMENT_SIZE_MAX (8 << 20)

/* Strings, each once. */
struct names {
	char **item;
	size_t count, capacity;
	bool out_of_memory;
};

struct fsck {
	struct store *store;
	const struct fsck_wishes *wishes;
	struct names names;    /* of the room under work */
	struct names problems;
};

static void add_name(struct names *n, const char *name)
{
	if (n->count == n->capacity) {
		size_t capacity = n->capacity ? 2 * n->capacity : 64;
		char **grown = reallocarray(n->item, capacity, sizeof *grown);

		if (!grown) {
			n->out_of_memory = true;
			return;
		}
		n->item = grown;
		n->capacity = capacity;
	}
	n->item[n->count] = strdup(name);
	if (n->item[n->count])
		n->count++;
	else
		n->out_of_memory = true;
}

static void empty(struct names *n)
{
	while (n->count > 0)
		free(n->item[--n->count]);
}

static void note_problem(void *context, const char *text)
{
	struct fsck *f = context;

	for (size_t i = 0; i < f->problems.count; i++)
		if (strcmp(f->problems.item[i], text) == 0)
			return;
	add_name(&f->problems, text);
	f->wishes->problem(f->wishes->context, text);
}

/* The digest that NAME begins with; of a tree, more may follow behind a point. */
static bool parse_name(const char *name, struct digest *d)
{
	char text[DIGEST_TEXT];
	struct error strange;

	snprintf(text, sizeof text, "sha256:%.*s", (int)strcspn(name, "."), name);
	return digest_parse(text, d, &strange) == 0;
}

/* --- files: looking at one is enough for the store to notice what is wrong ----------------------- */

static void check_record(struct fsck *f, enum store_room room, const char *name)
{
	struct error told;

	free(store_read(f->store, room, name, NULL, &told));
}

static void check_step(struct fsck *f, enum store_room room, const char *name)
{
	struct record record;
	struct digest key;
	struct error told;

	if (parse_name(name, &key))
		cache_find(f->store, &key, &record, &told);
	else
		check_record(f, room, name);
}

static void check_context(struct fsck *f, enum store_room room, const char *name)
{
	struct error told;
	auto_close int fd = store_find(f->store, room, name, NULL, &told);
	char magic[7];
	struct context_index *x;

	if (fd < 0)
		return;
	if (path_read_at(fd, magic, sizeof magic, 0) != sizeof magic || memcmp(magic, "cairnix", 7) != 0) {
		check_record(f, room, name);
		return;
	}
	x = index_open(f->store, name);
	if (x)
		index_close(x);
}

static void check_table(struct fsck *f, enum store_room room, const char *name)
{
	struct digest diff_id;
	struct error told;

	if (parse_name(name, &diff_id))
		table_close(table_open(f->store, &diff_id, &told));
	else
		store_set_aside(f->store, room, name, "its name is no digest", &told);
}

static void check_blob(struct fsck *f, enum store_room room, const char *name)
{
	struct digest d;
	struct error told;
	struct stat st;
	char first = 0;

	if (!parse_name(name, &d)) {
		store_set_aside(f->store, room, name, "its name is no digest", &told);
		return;
	}
	auto_close int fd = store_find(f->store, room, name, &st, &told);

	if (fd >= 0 && (f->wishes->deep || st.st_size == 0 ||
	                (st.st_size < DOCUMENT_SIZE_MAX && path_read_at(fd, &first, 1, 0) == 1 &&
	                 first == '{')))
		blob_verify(f->store, &d, &told);
}

static void check_presence(struct fsck *f, enum store_room room, const char *name)
{
	store_has(f->store, room, name);
}

/* --- trees -------------------------------------------------------------------------------------- */

/* Is ENTRY in the tree ROOT as its table says? False and E; what is absent is ERROR_NOT_FOUND. */
static bool is_in_tree(int root, const struct entry *entry, struct error *e)
{
	auto_close int dir = -1;
	auto_close int fd = -1;
	char link[PATH_MAX];
	const char *name;
	struct digest is;
	struct stat st;
	ssize_t n;

	dir = path_parent(root, entry->path, &name, e);
	if (dir < 0)
		return false;
	if (entry->type == ENTRY_SYMLINK) {
		n = readlinkat(dir, name, link, sizeof link);
		return n < 0 ? error_errno(e, "%s", entry->path) == 0
		             : entry->link && (size_t)n == strlen(entry->link) &&
		                       memcmp(link, entry->link, (size_t)n) == 0;
	}
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		error_errno(e, "%s", entry->path);
		return false;
	}
	if ((st.st_mode & 07777) != entry->mode)
		return false;
	if (entry->type == ENTRY_DIR)
		return S_ISDIR(st.st_mode);
	return S_ISREG(st.st_mode) && st.st_size == entry->size &&
	       extent_digest(fd, 0, st.st_size, &is, e) == 0 && digest_equal(&is, &entry->digest);
}

/* A tree that depends on the layers below has things elsewhere, or not at all. */
static bool is_tree_of(int root, const struct table *table, bool depends, char **why)
{
	for (size_t i = 0; i < table_count(table); i++) {
		struct error e = { 0 };
		struct entry entry;

		table_get(table, i, &entry);
		if (!*entry.path || (entry.type != ENTRY_FILE && entry.type != ENTRY_DIR &&
		                     entry.type != ENTRY_SYMLINK))
			continue;
		if (is_in_tree(root, &entry, &e) || (depends && e.kind == ERROR_NOT_FOUND))
			continue;
		if (asprintf(why, "%s was changed in it", entry.path) < 0)
			*why = NULL;
		return false;
	}
	return true;
}

static void check_tree(struct fsck *f, enum store_room room, const char *name)
{
	struct error told;
	struct digest diff_id;
	struct table *table;
	auto_free char *why = NULL;

	if (!parse_name(name, &diff_id) || !store_has(f->store, room, name) || !f->wishes->deep)
		return;
	auto_close int root = store_find(f->store, room, name, NULL, &told);

	table = root < 0 ? NULL : table_open(f->store, &diff_id, &told);
	if (table && !is_tree_of(root, table, table_needs_below(table), &why))
		store_set_aside(f->store, room, name, why ? why : "it was changed", &told);
	table_close(table);
}

/* --- images ------------------------------------------------------------------------------------- */

static int check_images(struct fsck *f, struct error *e)
{
	struct image_name *names;
	size_t count;

	if (image_names(f->store, &names, &count, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++) {
		struct image image;
		struct error told;

		if (image_get(f->store, &names[i].manifest, &image, &told) == 0) {
			for (size_t k = 0; k < image.layer_count; k++)
				blob_has(f->store, &image.layers[k].blob, image.layers[k].blob_size);
			image_release(&image);
		} else if (told.kind != ERROR_DAMAGED) {
			error_context(&told, "image %s", names[i].name);
			note_problem(f, told.text);
		}
		image_name_release(&names[i]);
	}
	free(names);
	return 0;
}

/* --- all of it ---------------------------------------------------------------------------------- */

static int remember_name(const char *name, void *fsck)
{
	struct fsck *f = fsck;

	add_name(&f->names, name);
	return 0;
}

static int check_rooms(struct fsck *f, struct error *e)
{
	static const struct {
		enum store_room room;
		void (*check)(struct fsck *f, enum store_room room, const char *name);
	} rooms[] = {
		{ STORE_TABLES, check_table },     { STORE_BLOBS, check_blob },
		{ STORE_PACKED, check_record },    { STORE_STEPS, check_step },
		{ STORE_IMAGES, check_record },    { STORE_BASES, check_record },
		{ STORE_CONTEXTS, check_context }, { STORE_SEARCHED, check_record },
		{ STORE_TREES, check_tree },       { STORE_LOCKS, check_presence },
	};

	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		empty(&f->names);
		if (store_list(f->store, rooms[i].room, remember_name, f, e) < 0)
			return -1;
		for (size_t k = 0; k < f->names.count; k++)
			rooms[i].check(f, rooms[i].room, f->names.item[k]);
	}
	return check_images(f, e);
}

int fsck(struct store *s, const struct fsck_wishes *wishes, struct error *e)
{
	struct fsck f = { .store = s, .wishes = wishes };
	int result;

	if (wishes->repair && !store_is_alone(s))
		return error_set(e, ERROR_FAILED, "another cairn is at work: try again when it is done");
	store_on_damage(s, note_problem, &f);
	store_spare_damage(s, !wishes->repair);
	result = check_rooms(&f, e);
	if (result == 0 && (f.names.out_of_memory || f.problems.out_of_memory))
		result = error_memory(e);
	if (result == 0)
		result = (int)f.problems.count;
	store_on_damage(s, NULL, NULL);
	empty(&f.names);
	empty(&f.problems);
	free(f.names.item);
	free(f.problems.item);
	return result;
}
