/* Archives of ADD: known by their content, unpacked into the selection.
 *
 * An archive is unpacked as onto a disk, member by member: links that it brought or that the image
 * has are walked through as long as they stay below the destination, and what is in a member's way
 * is replaced. Nothing is unpacked onto a disk, though: members become items, their content goes
 * into one unnamed file.
 *
 * Source: Dockerfile reference, "ADD", local archives; moby/go-archive.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "layers/archive.h"
#include "layers/path.h"
#include "layers/reserve.h"
#include "layers/scope.h"

#define LINKS_MAX 40 /* as the kernel */
#define BUFFER_SIZE (256 << 10)

/* --- taking ----------------------------------------------------------------------------------- */

static int is_archive(int fd, struct error *e)
{
	struct archive *a;
	int result = archive_open(fd, &a, e);

	if (result > 0)
		archive_end(a);
	return result;
}

/* An archive brings its own modes: --chmod is not for the folder it needs, either. */
static bool make_folder(struct selection *c, struct error *e)
{
	const struct copy_mode chmod = c->chmod;
	bool made;

	c->chmod = (struct copy_mode){ .given = false };
	made = copy_folder_target(c, e);
	c->chmod = chmod;
	return made;
}

static int add_archive(struct selection *c, struct copy_archive archive, struct error *e)
{
	if (!make_folder(c, e))
		return -1;
	if (c->archive_count == c->archive_capacity) {
		size_t capacity = c->archive_capacity ? 2 * c->archive_capacity : 4;
		struct copy_archive *grown = reallocarray(c->archive, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		c->archive = grown;
		c->archive_capacity = capacity;
	}
	archive.match = c->match_now;
	archive.name = arena_text(c->memory, archive.name, strlen(archive.name));
	if (!archive.name)
		return error_memory(e);
	c->match[archive.match].replaces = true;
	c->match[archive.match].stack = c->onto;
	c->archive[c->archive_count++] = archive;
	return 1;
}

int copy_take_archive(struct selection *c, const struct place *p, const char *name,
                      struct error *e)
{
	struct context_reader reader = { .context = c->world->context, .fd = -1 };
	auto_close int fd = -1;
	int result;

	if (!p->file || p->entry.type != ENTRY_FILE || p->entry.size == 0)
		return 0;
	fd = context_reader_open(&reader, p->file, e);
	result = fd < 0 ? -1 : is_archive(fd, e);
	context_reader_release(&reader);
	if (result <= 0)
		return result < 0 ? error_context(e, "%s", name) : 0;
	return add_archive(c, (struct copy_archive){ .name = name, .file = p->file, .fd = -1 }, e);
}

int copy_take_archive_fd(struct selection *c, int fd, const struct digest *digest,
                         const char *name, struct error *e)
{
	int result = is_archive(fd, e);

	if (result <= 0)
		return result < 0 ? error_context(e, "%s", name) : 0;
	return add_archive(c, (struct copy_archive){ .name = name, .fd = fd, .digest = *digest },
	                   e);
}

void copy_archives_to_key(struct selection *c, struct key *key)
{
	for (size_t i = 0; i < c->archive_count; i++) {
		const struct copy_archive *a = &c->archive[i];
		struct entry entry;

		if (a->file)
			context_entry(a->file, &entry);
		key_add_digest(key, a->name, a->file ? &entry.digest : &a->digest);
	}
}

/* --- unpacking -------------------------------------------------------------------------------- */

struct member {
	const char *path;
	struct arrived *arrived; /* NULL: a folder that was only implied */
	uint32_t number;         /* when it came */
	uint32_t cut;            /* what came below it before that went with a file in its place */
};

struct unpacking {
	struct selection *copy;
	const char *name;        /* of the archive */
	struct archive *archive;
	struct member *member;
	size_t count, capacity;
	uint32_t *slot;          /* a hash table of 1 + index */
	size_t slots;
	uint32_t number;
	int64_t size;            /* of the spool */
	struct reserve reserve;
	char *buffer;
};

static uint64_t hash_of(const char *path)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *path; path++)
		hash = (hash ^ (unsigned char)*path) * 0x100000001b3u;
	return hash ^ hash >> 29;
}

static uint32_t *slot_of(const struct unpacking *u, const char *path)
{
	size_t at = hash_of(path) & (u->slots - 1);

	while (u->slot[at] && strcmp(u->member[u->slot[at] - 1].path, path) != 0)
		at = (at + 1) & (u->slots - 1);
	return &u->slot[at];
}

static int grow_slots(struct unpacking *u, struct error *e)
{
	uint32_t *old = u->slot;

	if (2 * u->count < u->slots)
		return 0;
	u->slots = u->slots ? 2 * u->slots : 256;
	u->slot = calloc(u->slots, sizeof *u->slot);
	free(old);
	if (!u->slot)
		return error_memory(e);
	for (size_t i = 0; i < u->count; i++)
		*slot_of(u, u->member[i].path) = (uint32_t)i + 1;
	return 0;
}

static enum entry_type type_of(const struct member *m)
{
	return m->arrived ? m->arrived->entry.type : ENTRY_DIR;
}

/* A and what it was in the place of. */
static int put_member(struct unpacking *u, const char *path, struct arrived *arrived,
                      struct error *e)
{
	struct member *m;
	uint32_t *slot;

	if (grow_slots(u, e) < 0)
		return -1;
	slot = slot_of(u, path);
	if (!*slot) {
		if (u->count == u->capacity) {
			size_t capacity = u->capacity ? 2 * u->capacity : 256;
			struct member *grown = reallocarray(u->member, capacity, sizeof *grown);

			if (!grown)
				return error_memory(e);
			u->member = grown;
			u->capacity = capacity;
		}
		u->member[u->count++] = (struct member){ .path = path };
		*slot = (uint32_t)u->count;
		m = &u->member[u->count - 1];
		m->arrived = arrived;
	} else {
		m = &u->member[*slot - 1];
		m->arrived = arrived;
	}
	m->number = ++u->number;
	if (type_of(m) != ENTRY_DIR)
		m->cut = m->number;
	return 0;
}

/* What is at PATH now, the members before this one counted: 1, 0, or -1 and E. CUT is that of the
 * folders around it; what came earlier is gone. */
struct there {
	enum entry_type type;
	const char *link;
	const struct member *member; /* NULL: the image has it */
	struct found found;
	uint32_t cut;
};

static int look(const struct unpacking *u, const char *path, uint32_t cut, struct there *t,
                struct error *e)
{
	const struct member *m = NULL;
	int there;

	if (u->slots && *slot_of(u, path))
		m = &u->member[*slot_of(u, path) - 1];
	t->cut = cut;
	if (m && m->number > cut) {
		t->member = m;
		t->type = type_of(m);
		t->link = m->arrived ? m->arrived->entry.link : NULL;
		t->cut = m->cut > cut ? m->cut : cut;
		return 1;
	}
	t->member = NULL;
	if (!u->copy->onto || cut)
		return 0;
	there = stack_lookup(u->copy->onto, path, &t->found, e);
	t->type = there > 0 ? t->found.entry.type : ENTRY_DIR;
	t->link = there > 0 ? t->found.entry.link : NULL;
	return there;
}

/* Where a member goes: its parents are there afterwards, links in them followed. */
struct route {
	char *at;      /* the folder so far, a table path */
	char *rest;    /* of the name, still to go */
	uint32_t cut;
	int links;
};

static int enter(struct unpacking *u, struct route *r, const char *path, struct error *e)
{
	struct there t;
	const char *kept;
	char *onward;
	int there = look(u, path, r->cut, &t, e);

	if (there < 0)
		return -1;
	if (there && t.type == ENTRY_SYMLINK) {
		if (++r->links > LINKS_MAX)
			return error_set(e, ERROR_INPUT, "too many levels of symbolic links");
		if (asprintf(&onward, "%s/%s", t.link, r->rest) < 0)
			return error_memory(e);
		free(r->rest);
		r->rest = onward;
		if (t.link[0] == '/')
			*r->at = '\0';
		r->cut = 0;
		return 0;
	}
	if (there && t.type != ENTRY_DIR)
		return error_set(e, ERROR_INPUT, "/%s is not a directory", path);
	if (!there) {
		kept = arena_text(u->copy->memory, path, strlen(path));
		if (!kept || put_member(u, kept, NULL, e) < 0)
			return kept ? -1 : error_memory(e);
	}
	r->cut = there ? t.cut : r->cut;
	onward = strdup(path);
	if (!onward)
		return error_memory(e);
	free(r->at);
	r->at = onward;
	return 0;
}

static bool is_inside(const char *path, const char *dir)
{
	return strcmp(path, dir) == 0 || path_is_below(path, dir);
}

/* All parts of REST but the last. */
static int follow_route(struct unpacking *u, struct route *r, struct error *e)
{
	for (;;) {
		size_t skip = strspn(r->rest, "/"), length = strcspn(r->rest + skip, "/");
		auto_free char *part = strndup(r->rest + skip, length), *path = NULL;
		const char *behind = r->rest + skip + length;
		bool is_last = !behind[strspn(behind, "/")];

		if (!part)
			return error_memory(e);
		if (strcmp(part, "..") == 0 || strcmp(part, ".") == 0) {
			char *slash = strrchr(r->at, '/');

			if (part[1])
				*(slash ? slash : r->at) = '\0';
		} else if (is_last) {
			return is_inside(r->at, u->copy->destination)
			               ? 0
			               : error_set(e, ERROR_INPUT, "it leads out of /%s",
			                           u->copy->destination);
		}
		memmove(r->rest, behind, strlen(behind) + 1);
		if (strcmp(part, "..") == 0 || strcmp(part, ".") == 0)
			continue;
		if (asprintf(&path, "%s%s%s", r->at, *r->at ? "/" : "", part) < 0)
			return error_memory(e);
		/* Folders outside are only walked through, never made. */
		if (!is_inside(path, u->copy->destination) &&
		    !path_is_below(u->copy->destination, path) && *u->copy->destination) {
			struct there t;

			if (look(u, path, 0, &t, e) <= 0)
				return error_set(e, ERROR_INPUT, "it leads out of /%s",
				                 u->copy->destination);
		}
		if (enter(u, r, path, e) < 0)
			return -1;
	}
}

/* The table path that NAME stands for, in the arena; "" for the destination itself. */
static int locate(struct unpacking *u, const char *name, const char **path, uint32_t *cut,
                  struct error *e)
{
	auto_free char *clean = path_clean(name);
	struct route r = { .at = strdup(u->copy->destination),
		           .rest = clean ? strdup(clean) : NULL };
	int result = 0;

	*path = "";
	if (!clean || !r.at || !r.rest)
		result = error_memory(e);
	else if (strcmp(clean, "/") != 0)
		result = follow_route(u, &r, e);
	if (result == 0 && strcmp(clean, "/") != 0) {
		*path = copy_join(u->copy, r.at, r.rest + strspn(r.rest, "/"));
		*cut = r.cut;
		if (!*path)
			result = error_memory(e);
	}
	free(r.at);
	free(r.rest);
	return result;
}

static int spool_content(struct unpacking *u, struct entry *entry, struct error *e)
{
	struct sha256 sha;
	int64_t begin = u->size;
	ssize_t n;

	sha256_begin(&sha);
	while ((n = archive_read(u->archive, u->buffer, BUFFER_SIZE, e)) > 0) {
		if (reserve_write(&u->reserve, u->copy->spool, u->buffer, (size_t)n, e) < 0)
			return error_context(e, "the store");
		sha256_add(&sha, u->buffer, (size_t)n);
		u->size += n;
	}
	sha256_end(&sha, &entry->digest);
	entry->offset = begin;
	entry->size = u->size - begin;
	return n < 0 ? -1 : 0;
}

/* ENTRY with all that it points to kept, as long as the selection. */
static struct arrived *keep_entry(struct selection *c, const struct entry *entry, struct error *e)
{
	struct arrived *a = arena_array(c->memory, 1, sizeof *a);

	if (!a) {
		error_memory(e);
		return NULL;
	}
	*a = (struct arrived){ .entry = *entry, .fd = c->spool };
	if (entry->link)
		a->entry.link = arena_text(c->memory, entry->link, strlen(entry->link));
	if (entry->xattrs_size > 0)
		a->entry.xattrs = arena_text(c->memory, entry->xattrs, entry->xattrs_size);
	if ((entry->link && !a->entry.link) || (entry->xattrs_size > 0 && !a->entry.xattrs)) {
		error_memory(e);
		return NULL;
	}
	return a;
}

/* The file that a hard link names: an earlier member, or one that the image has below the
 * destination, whose content is taken. */
static int hard_link(struct unpacking *u, const char *path, const struct entry *entry,
                     struct error *e)
{
	const char *target;
	struct arrived *arrived;
	struct there t;
	uint32_t cut = 0;
	int there;

	if (locate(u, entry->link, &target, &cut, e) < 0)
		return error_context(e, "the link to %s", entry->link);
	there = *target ? look(u, target, cut, &t, e) : 0;
	if (there < 0)
		return -1;
	if (!there || t.type == ENTRY_DIR)
		return error_set(e, ERROR_INPUT,
		                 "a hard link to %s, which is no file of the archive", entry->link);
	if (t.member)
		return put_member(u, path, t.member->arrived, e);
	arrived = keep_entry(u->copy, &t.found.entry, e);
	if (!arrived)
		return -1;
	arrived->layer = t.found.layer;
	arrived->fd = -1;
	return put_member(u, path, arrived, e);
}

static int unpack_member(struct unpacking *u, struct entry *entry, struct error *e)
{
	struct arrived *arrived;
	const char *path;
	uint32_t cut = 0;

	if (locate(u, entry->path, &path, &cut, e) < 0)
		return -1;
	/* The archive's own root says nothing about the destination. */
	if (!*path)
		return entry->type == ENTRY_DIR
		               ? 0
		               : error_set(e, ERROR_INPUT,
		                           "only a folder can stand for the destination");
	if (entry->type == ENTRY_HARDLINK)
		return hard_link(u, path, entry, e);
	if (entry->type == ENTRY_FILE && spool_content(u, entry, e) < 0)
		return -1;
	arrived = keep_entry(u->copy, entry, e);
	return arrived ? put_member(u, path, arrived, e) : -1;
}

/* --- members to items ------------------------------------------------------------------------- */

static int by_path(const void *a, const void *b)
{
	return path_order(((const struct member *)a)->path, ((const struct member *)b)->path);
}

static int add_member(struct selection *c, const struct member *m, struct error *e)
{
	struct copy_item *item = copy_add_item(c, m->path, m->arrived ? ITEM_ARRIVED : ITEM_PARENT,
	                                       type_of(m), e);

	if (!item)
		return -1;
	item->mode = 0755;
	if (!m->arrived)
		return 0;
	item->arrived = m->arrived;
	item->mode = (uint16_t)m->arrived->entry.mode;
	/* A file stood there in between: what the image had below it must not show again. */
	if (m->cut && item->type == ENTRY_DIR)
		item->type = ENTRY_OPAQUE;
	return 0;
}

/* Leave out what went when a file took the place of a folder around it. */
static int add_members(struct unpacking *u, struct error *e)
{
	size_t *around = malloc((u->count + 1) * sizeof *around), depth = 0;
	int result = around ? 0 : error_memory(e);

	if (u->count > 0)
		qsort(u->member, u->count, sizeof *u->member, by_path);
	for (size_t i = 0; result == 0 && i < u->count; i++) {
		struct member *m = &u->member[i];
		bool gone = false;

		while (depth > 0 && !path_is_below(m->path, u->member[around[depth - 1]].path))
			depth--;
		if (depth > 0) {
			const struct member *dir = &u->member[around[depth - 1]];

			gone = dir->cut > m->number || (type_of(dir) != ENTRY_DIR);
			if (gone)
				continue;
		}
		around[depth++] = i;
		result = add_member(u->copy, m, e);
	}
	free(around);
	return result;
}

/* --- whole archives --------------------------------------------------------------------------- */

static int unpack_all(struct unpacking *u, struct error *e)
{
	struct entry entry;
	int more;

	while ((more = archive_next(u->archive, &entry, e)) > 0)
		if (unpack_member(u, &entry, e) < 0)
			return error_context(e, "%s: %s", u->name, entry.path);
	if (more == 0 && !archive_was_ended(u->archive))
		more = error_set(e, ERROR_CORRUPT, "the archive is cut short: it has no end");
	if (more < 0 || reserve_end(&u->reserve, u->copy->spool, e) < 0)
		return error_context(e, "%s", u->name);
	return add_members(u, e);
}

static int unpack_fd(struct selection *c, const struct copy_archive *a, int fd, struct error *e)
{
	struct unpacking u = { .copy = c, .name = a->name };
	int result = -1, opened;

	c->match_now = a->match;
	u.size = lseek(c->spool, 0, SEEK_END);
	u.buffer = malloc(BUFFER_SIZE);
	opened = u.buffer ? archive_open(fd, &u.archive, e) : error_memory(e);
	if (opened == 0)
		error_set(e, ERROR_INPUT, "%s changed while it was read", a->name);
	if (opened > 0) {
		result = unpack_all(&u, e);
		archive_end(u.archive);
	}
	free(u.buffer);
	free(u.member);
	free(u.slot);
	return result;
}

static int unpack_one(struct selection *c, const struct copy_archive *a, struct error *e)
{
	struct context_reader reader = { .context = c->match[a->match].context, .fd = -1 };
	auto_close int fd = -1;
	int result;

	if (!a->file)
		return unpack_fd(c, a, a->fd, e);
	fd = context_reader_open(&reader, a->file, e);
	result = fd < 0 || unpack_fd(c, a, fd, e) < 0 ? -1 : context_unchanged(a->file, fd, e);
	context_reader_release(&reader);
	return result;
}

int copy_unpack(struct selection *c, struct error *e)
{
	struct store_temp spool;

	c->spool = store_temp_file(c->world->store, &spool, e);
	if (c->spool < 0)
		return -1;
	store_discard(&spool);
	for (size_t i = 0; i < c->archive_count; i++)
		if (unpack_one(c, &c->archive[i], e) < 0)
			return -1;
	return 0;
}
