#include "builder/copy/copy.h"

#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "layers/scope.h"

/* After so many entries of a table its pages, half a megabyte, may leave this process. */
#define ENTRIES_TO_FORGET (4 << 10)

void copy_free(struct selection *c)
{
	if (!c)
		return;
	ignore_free(c->excludes);
	arena_free(c->memory);
	if (c->spool >= 0)
		close(c->spool);
	copy_release_repositories(c);
	for (size_t i = 0; i < c->open_count; i++)
		close(c->open[i]);
	free(c->open);
	free(c->archive);
	free(c->destination);
	free(c->match);
	free(c->anchor);
	free(c->hard_link);
	free(c->item);
	free(c);
}

static struct selection *copy_new(const struct copy_step *step, const struct copy_world *world,
                             struct error *e)
{
	struct selection *c = calloc(1, sizeof *c);

	if (!c) {
		error_memory(e);
		return NULL;
	}
	c->spool = -1;
	c->memory = arena_new();
	if (!c->memory) {
		error_memory(e);
		copy_free(c);
		return NULL;
	}
	c->step = step;
	c->world = world;
	/* As BuildKit has it, --chmod makes of --link an ordinary copy. */
	c->onto = step->link && !(step->chmod && *step->chmod) ? NULL : world->onto;
	return c;
}

int copy_keep_open(struct selection *c, int fd, struct error *e)
{
	int *grown = reallocarray(c->open, c->open_count + 1, sizeof *grown);

	if (!grown) {
		close(fd);
		return error_memory(e);
	}
	c->open = grown;
	c->open[c->open_count++] = fd;
	return 0;
}

static int read_flags(struct selection *c, struct error *e)
{
	struct syntax_error wrong;

	if (copy_mode_parse(c->step->chmod, &c->chmod, e) < 0)
		return -1;
	if (c->step->exclude_count == 0)
		return 0;
	c->excludes = ignore_from_patterns(c->step->excludes, c->step->exclude_count, &wrong);
	return c->excludes ? 0 : error_set(e, ERROR_INPUT, "--exclude: %s", wrong.text);
}

static int take_source(struct selection *c, const struct copy_source *source, struct key *key,
                       struct error *e)
{
	switch (source->kind) {
	case SOURCE_DOCUMENT:
		return copy_next_match(c, NULL, NULL, e) < 0 ? -1 : copy_add_document(c, source, e);
	case SOURCE_URL:
		return copy_take_url(c, source, key, e);
	case SOURCE_GIT:
		return copy_take_repository(c, source, e);
	default:
		return copy_take_path(c, source, e);
	}
}

static int take_sources(struct selection *c, struct key *key, struct error *e)
{
	if (c->step->parents)
		c->is_folder = true;
	for (size_t i = 0; i < c->step->source_count; i++)
		if (take_source(c, &c->step->source[i], key, e) < 0)
			return -1;
	return 0;
}

/* --- the key ---------------------------------------------------------------------------------- */

static void hashed(void *context, int64_t done, int64_t total)
{
	const struct copy_world *w = context;

	w->moved(w->moved_context, "hashing", done, total);
}

/* The files of one context, hashed together; room that is not needed is not touched. */
static int hash_context(struct selection *c, struct context *context, struct error *e)
{
	const struct context_file **files =
		malloc((c->count + c->archive_count + 1) * sizeof *files);
	size_t count = 0;
	int result;

	if (!files)
		return error_memory(e);
	for (size_t i = 0; i < c->count; i++)
		if (c->item[i].kind == ITEM_CONTEXT && context_is_unhashed(c->item[i].file) &&
		    copy_match_of(c, &c->item[i])->context == context)
			files[count++] = c->item[i].file;
	for (size_t i = 0; i < c->archive_count; i++)
		if (c->archive[i].file && c->match[c->archive[i].match].context == context)
			files[count++] = c->archive[i].file;
	result = context_hash(context, files, count, c->world->moved ? hashed : NULL,
	                      (void *)c->world, e);
	free(files);
	return result;
}

/* What is known of one file, as bytes one after the other. */
struct facts {
	unsigned char *bytes;
	size_t size, capacity;
	bool failed;
};

static void put(struct facts *f, const void *data, size_t size)
{
	if (f->size + size > f->capacity) {
		size_t capacity = 2 * (f->size + size) + 512;
		unsigned char *grown = realloc(f->bytes, capacity);

		if (!grown) {
			f->failed = true;
			return;
		}
		f->bytes = grown;
		f->capacity = capacity;
	}
	memcpy(f->bytes + f->size, data, size);
	f->size += size;
}

/* Names and links with their ends; times and inodes are not what a file is. */
static void put_facts(struct facts *f, const struct entry *entry)
{
	const uint32_t numbers[] = {
		entry->type, entry->mode, entry->uid, entry->gid,
		entry->major, entry->minor, entry->xattrs_size,
	};

	f->size = 0;
	put(f, entry->path, strlen(entry->path) + 1);
	put(f, numbers, sizeof numbers);
	if (entry->xattrs_size)
		put(f, entry->xattrs, entry->xattrs_size);
	if (entry->type == ENTRY_FILE)
		put(f, &entry->digest, sizeof entry->digest);
	else if (entry->link)
		put(f, entry->link, strlen(entry->link) + 1);
}

static int put_there(void *context, const struct found *found, struct error *e)
{
	struct key *key = context;
	const struct entry *entry = &found->entry;
	unsigned char type = (unsigned char)entry->type;

	(void)e;
	key_file(key, &type, 1);
	key_file(key, entry->path, strlen(entry->path) + 1);
	if (entry->link)
		key_file(key, entry->link, strlen(entry->link) + 1);
	return 0;
}

/* Archives and repositories are not looked into before their layer is written, so all that their
 * files may meet counts: every name and link below the destination, if it is there. */
static int add_later_to_key(struct selection *c, struct key *key, struct error *e)
{
	if (c->archive_count + c->repository_count == 0)
		return 0;
	copy_archives_to_key(c, key);
	copy_repositories_to_key(c, key);
	for (size_t i = 0; i < c->step->exclude_count; i++)
		key_add(key, "--exclude", c->step->excludes[i]);
	if (!c->onto || !c->is_there)
		return 0;
	key_files_begin(key, "what is at the destination");
	if (stack_walk(c->onto, c->destination, true, put_there, key, e) < 0)
		return -1;
	key_files_end(key);
	return 0;
}

/* All that the result depends on is in the paths and facts of the items: where the destination is
 * after its links, which parents are missing, who the owner is. So nothing of the image below is
 * needed, and a copy that comes to the same is found again after a change there. */
static int add_to_key(struct selection *c, struct key *key, struct error *e)
{
	struct facts facts = { 0 };
	struct item_reader reader;
	struct entry entry;

	key_add(key, "instruction", c->step->add ? "ADD" : "COPY");
	key_add(key, "destination", c->destination);
	if (c->step->chown)
		key_add(key, "--chown", c->step->chown);
	if (c->step->chmod)
		key_add(key, "--chmod", c->step->chmod);
	if (add_later_to_key(c, key, e) < 0)
		return -1;
	if (item_reader_begin(&reader, c, e) < 0)
		return -1;
	key_files_begin(key, "files");
	for (size_t i = 0; i < c->count; i++) {
		copy_entry(&reader, &c->item[i], &entry);
		put_facts(&facts, &entry);
		key_file(key, facts.bytes, facts.size);
	}
	key_files_end(key);
	item_reader_release(&reader);
	free(facts.bytes);
	return facts.failed ? error_memory(e) : 0;
}

struct selection *copy_select(const struct copy_step *step, const struct copy_world *world,
                         struct key *key, struct error *e)
{
	struct selection *c = copy_new(step, world, e);

	if (!c)
		return NULL;
	if (read_flags(c, e) < 0 || copy_find_target(c, e) < 0 || take_sources(c, key, e) < 0 ||
	    copy_arrange(c, e) < 0 || (world->context && hash_context(c, world->context, e) < 0) ||
	    add_to_key(c, key, e) < 0) {
		copy_free(c);
		return NULL;
	}
	return c;
}

/* --- why it runs again ------------------------------------------------------------------------ */

static bool is_same(const struct entry *a, const struct entry *b)
{
	return a->type == b->type && a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->major == b->major && a->minor == b->minor && a->xattrs_size == b->xattrs_size &&
	       (a->xattrs_size == 0 || memcmp(a->xattrs, b->xattrs, a->xattrs_size) == 0) &&
	       strcmp(a->link ? a->link : "", b->link ? b->link : "") == 0 &&
	       (a->type != ENTRY_FILE || digest_equal(&a->digest, &b->digest));
}

/* The first path at which the items, read by R, and T differ, the difference said in words; NULL. */
static char *first_difference(struct item_reader *r, struct table *t)
{
	const struct selection *c = r->copy;
	size_t i = 0, at = 0;
	char *text;

	while (i < c->count || at < table_count(t)) {
		int order = i == c->count ? 1 : -1;
		struct entry then, now;

		if (i < c->count)
			copy_entry(r, &c->item[i], &now);
		if (at < table_count(t)) {
			table_get(t, at, &then);
			if (i < c->count)
				order = path_order(now.path, then.path);
		}
		if (order != 0 || !is_same(&now, &then))
			return asprintf(&text, "/%s %s", order > 0 ? then.path : now.path,
			                order < 0 ? "is new" : order > 0 ? "is gone" : "changed") < 0
			               ? NULL
			               : text;
		i++;
		at++;
		if (at % ENTRIES_TO_FORGET == 0)
			table_forget(t);
	}
	return NULL;
}

char *copy_difference(void *copy, const struct layer *old)
{
	const struct selection *c = copy;
	struct item_reader reader = { 0 };
	struct error ignored;
	/* What is in archives and repositories is not known yet. */
	struct table *t = c->archive_count + c->repository_count > 0
	                          ? NULL
	                          : table_open(c->world->store, &old->diff_id, &ignored);
	char *text = NULL;

	if (t && item_reader_begin(&reader, c, &ignored) == 0)
		text = first_difference(&reader, t);
	item_reader_release(&reader);
	table_close(t);
	return text;
}
