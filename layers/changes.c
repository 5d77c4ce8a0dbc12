/* What changed in an overlay's upper folder, as entries of a layer. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "layers/inode.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/tree.h"
#include "layers/xattr.h"

/* Directories held open at a time; deeper ones are found again by "..". */
#define OPEN_MAX_DIRS 64

/* The names in a directory, sorted. */
struct names {
	char *text;
	size_t size, capacity;
	const char **item;
	size_t count;
};

/* A directory that the walk is in. */
struct level {
	int fd; /* -1 while too many are open */
	dev_t device;
	ino_t inode;
	struct names names;
	size_t next;
	size_t path_size;   /* of the walk's path, up to this directory */
	bool opaque;
	bool written;       /* the layer has its entry */
	struct entry entry; /* path NULL: the walk's */
	void *xattrs;
};

struct walk {
	const struct tree_base *base;
	struct stack *below;
	int64_t began, ended; /* from when to when UPPER was written to, in nanoseconds */
	const struct tree_rules *rules;
	const struct owner *maker;
	int64_t epoch;
	struct layer_writer *layer;
	char *path;
	size_t path_capacity;
	struct level *level;
	size_t depth, capacity;
	struct inodes inodes;
};

static void names_release(struct names *n)
{
	free(n->text);
	free(n->item);
}

static int by_bytes(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int names_add(struct names *n, const char *name)
{
	size_t size = strlen(name) + 1;

	if (n->size + size > n->capacity) {
		size_t capacity = 2 * n->capacity + size + 512;
		char *grown = realloc(n->text, capacity);

		if (!grown)
			return -1;
		n->text = grown;
		n->capacity = capacity;
	}
	memcpy(n->text + n->size, name, size);
	n->size += size;
	n->count++;
	return 0;
}

static int names_read(struct names *n, int fd, const char *path, struct error *e)
{
	char buffer[16 << 10] __attribute__((aligned(8)));
	ssize_t got;

	while ((got = getdents64(fd, buffer, sizeof buffer)) > 0) {
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *d = (const void *)(buffer + at);

			at += d->d_reclen;
			if (strcmp(d->d_name, ".") != 0 && strcmp(d->d_name, "..") != 0 &&
			    names_add(n, d->d_name) < 0)
				return error_memory(e);
		}
	}
	if (got < 0)
		return error_errno(e, "read the directory %s", path);
	n->item = calloc(n->count + 1, sizeof *n->item);
	if (!n->item)
		return error_memory(e);
	for (size_t i = 0, at = 0; i < n->count; at += strlen(n->text + at) + 1)
		n->item[i++] = n->text + at;
	qsort(n->item, n->count, sizeof *n->item, by_bytes);
	return 0;
}

/* The walk's path becomes that of NAME in the directory it is in. */
static int enter_name(struct walk *w, const char *name, struct error *e)
{
	size_t base = w->level[w->depth - 1].path_size, size = strlen(name) + 1;

	if (base + 1 + size > w->path_capacity) {
		size_t capacity = 2 * (base + 1 + size) + 256;
		char *grown = realloc(w->path, capacity);

		if (!grown)
			return error_memory(e);
		w->path = grown;
		w->path_capacity = capacity;
	}
	if (base > 0)
		w->path[base++] = '/';
	memcpy(w->path + base, name, size);
	return 0;
}

/* Directories that were left out because they are as they were below, but now hold a change. */
static int write_parents(struct walk *w, struct error *e)
{
	for (size_t i = 0; i < w->depth; i++) {
		struct level *l = &w->level[i];
		auto_free char *path = NULL;

		if (l->written)
			continue;
		path = strndup(w->path, l->path_size);
		if (!path)
			return error_memory(e);
		l->entry.path = path;
		if (layer_add(w->layer, &l->entry, NULL, e) < 0)
			return -1;
		l->written = true;
	}
	return 0;
}

static int put(struct walk *w, const struct entry *entry, int fd, struct error *e)
{
	struct content content = { .fd = fd };

	if (write_parents(w, e) < 0)
		return -1;
	return layer_add(w->layer, entry, &content, e);
}

static int put_whiteout(struct walk *w, struct error *e)
{
	struct entry entry = {
		.path = w->path, .type = ENTRY_WHITEOUT,
		.mtime = w->epoch >= 0 && w->epoch < LAYER_TIME ? w->epoch : LAYER_TIME,
	};

	/* An opaque directory has nothing left to hide. */
	return w->level[w->depth - 1].opaque ? 0 : put(w, &entry, -1, e);
}

static struct entry entry_of(const struct walk *w, const struct stat *st)
{
	struct entry entry = {
		.path = w->path, .mode = st->st_mode & 07777, .uid = st->st_uid, .gid = st->st_gid,
		.mtime = st->st_mtim.tv_sec,
	};

	if (w->epoch >= 0 && entry.mtime > w->epoch)
		entry.mtime = w->epoch;
	switch (st->st_mode & S_IFMT) {
	case S_IFREG:
		entry.type = ENTRY_FILE;
		entry.size = st->st_size;
		break;
	case S_IFDIR:
		entry.type = ENTRY_DIR;
		break;
	case S_IFLNK:
		entry.type = ENTRY_SYMLINK;
		break;
	case S_IFIFO:
		entry.type = ENTRY_FIFO;
		break;
	default:
		entry.type = S_ISCHR(st->st_mode) ? ENTRY_CHAR : ENTRY_BLOCK;
		entry.major = major(st->st_rdev);
		entry.minor = minor(st->st_rdev);
	}
	return entry;
}

static int64_t nanoseconds(int64_t seconds, int64_t rest)
{
	return seconds * 1000000000 + rest;
}

/* A file system that does not say when UPPER was made: every file is looked at. */
static void note_times(struct walk *w, int upper)
{
	struct timespec now;
	struct statx born;

	clock_gettime(CLOCK_REALTIME, &now);
	w->ended = nanoseconds(now.tv_sec, now.tv_nsec);
	w->began = INT64_MAX;
	if (statx(upper, "", AT_EMPTY_PATH, STATX_BTIME, &born) == 0 && born.stx_mask & STATX_BTIME)
		w->began = nanoseconds(born.stx_btime.tv_sec, born.stx_btime.tv_nsec);
}

/* Only its mode, owner or attributes changed: the time that it has is that of its tree, and the
 * layers have another. What was written meanwhile needs no look. */
static int keep_time(const struct walk *w, const struct stat *st, struct entry *entry,
                     struct error *e)
{
	int64_t time = nanoseconds(st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
	auto_free char *path = NULL;
	auto_close int fd = -1;
	struct error ignored;
	struct stat before;
	struct found found;
	int there;

	if (!w->base || !w->base->tree || (time >= w->began && time <= w->ended))
		return 0;
	there = stack_lookup(w->below, w->path, &found, e);
	if (there <= 0 || found.entry.mtime == entry->mtime)
		return there < 0 ? -1 : 0;
	if (asprintf(&path, "%s/%s", w->base->tree[found.layer], w->path) < 0)
		return error_memory(e);
	fd = path_open(w->base->store, path, O_PATH | O_NOFOLLOW, 0, &ignored);
	if (fd >= 0 && fstat(fd, &before) == 0 && S_ISREG(before.st_mode) &&
	    nanoseconds(before.st_mtim.tv_sec, before.st_mtim.tv_nsec) == time)
		entry->mtime = found.entry.mtime;
	return 0;
}

/* The owner of what is open as FD, where the file system does not tell it (owner.h). */
static int find_owner(const struct walk *w, int fd, struct entry *entry, struct error *e)
{
	struct owner owner;

	if (w->rules->keep_owners)
		return 0;
	owner = *w->maker;
	if (!owner_find(fd, &owner) && owner_set(fd, &owner, false) < 0)
		return error_errno(e, "note the owner of %s", w->path);
	entry->uid = owner.uid;
	entry->gid = owner.gid;
	return 0;
}

/* The same for what cannot be opened: unchanged, it belongs to whom it did. */
static int find_owner_below(const struct walk *w, struct entry *entry, struct error *e)
{
	struct found found;
	const struct entry *b = &found.entry;
	int there;

	if (w->rules->keep_owners)
		return 0;
	there = w->below ? stack_lookup(w->below, entry->path, &found, e) : 0;
	if (there < 0)
		return -1;
	there = there && b->type == entry->type && b->major == entry->major &&
	        b->minor == entry->minor && (!entry->link || strcmp(b->link, entry->link) == 0);
	entry->uid = there ? b->uid : w->maker->uid;
	entry->gid = there ? b->gid : w->maker->gid;
	return 0;
}

static int refuse_partial(const struct walk *w, struct error *e)
{
	return error_set(e, ERROR_UNSUPPORTED, "%s: overlayfs kept only a part of it (metacopy or "
	                 "redirect_dir is on); the layer would lack its content", w->path);
}

/* A regular file; FD is open for reading. */
static int visit_file(struct walk *w, int fd, struct entry *entry, struct error *e)
{
	struct xattr_overlay overlay;
	void *xattrs;
	int result;

	if (xattr_read_overlay(fd, w->rules->user_xattrs, w->path, &overlay, e) < 0)
		return -1;
	if (overlay.whiteout && entry->size == 0)
		return put_whiteout(w, e);
	if (overlay.partial)
		return refuse_partial(w, e);
	if (find_owner(w, fd, entry, e) < 0 ||
	    xattr_read(fd, w->path, &xattrs, &entry->xattrs_size, e) < 0)
		return -1;
	entry->xattrs = xattrs;
	result = put(w, entry, fd, e);
	free(xattrs);
	return result;
}

static int visit_symlink(struct walk *w, int dir, const char *name, struct entry *entry,
                         struct error *e)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(dir, name, target, sizeof target - 1);

	if (n < 0)
		return error_errno(e, "read the link %s", w->path);
	target[n] = '\0';
	entry->link = target;
	return find_owner_below(w, entry, e) < 0 ? -1 : put(w, entry, -1, e);
}

/* Two directories, but for their times. */
static bool look_alike(const struct entry *a, const struct entry *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       a->xattrs_size == b->xattrs_size &&
	       (a->xattrs_size == 0 || memcmp(a->xattrs, b->xattrs, a->xattrs_size) == 0);
}

/* Is there a directory below, and is it the same as ENTRY? Its TIME is that of the disk: a tree that
 * was unpacked has the layer's there, which may be after the epoch, a RUN's own has one before it
 * was held against that. */
static int compare_below(struct walk *w, const struct entry *entry, int64_t time, bool *is_dir,
                         bool *same, struct error *e)
{
	struct found found;
	int result = w->below ? stack_lookup(w->below, entry->path, &found, e) : 0;
	const struct entry *b = &found.entry;

	*is_dir = result > 0 && (b->type == ENTRY_DIR || b->type == ENTRY_OPAQUE);
	*same = *is_dir && (b->mtime == entry->mtime || b->mtime == time) && look_alike(entry, b);
	return result < 0 ? -1 : 0;
}

static int push(struct walk *w, struct level *l, struct error *e)
{
	if (w->depth == w->capacity) {
		size_t capacity = w->capacity ? 2 * w->capacity : 16;
		struct level *grown = reallocarray(w->level, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		w->level = grown;
		w->capacity = capacity;
	}
	if (w->depth >= OPEN_MAX_DIRS) {
		close(w->level[w->depth - OPEN_MAX_DIRS].fd);
		w->level[w->depth - OPEN_MAX_DIRS].fd = -1;
	}
	w->level[w->depth++] = *l;
	return 0;
}

static void level_release(struct level *l)
{
	if (l->fd >= 0)
		close(l->fd);
	names_release(&l->names);
	free(l->xattrs);
}

/* Back to the directory above, which may have been closed meanwhile. */
static int pop(struct walk *w, struct error *e)
{
	struct level *l = &w->level[--w->depth];
	struct level *up = w->depth > 0 ? &w->level[w->depth - 1] : NULL;
	struct stat st;
	int result = 0;

	if (up && up->fd < 0) {
		up->fd = openat(l->fd, "..", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (up->fd < 0 || fstat(up->fd, &st) < 0)
			result = error_errno(e, "open the directory above %s", w->path);
		else if (st.st_dev != up->device || st.st_ino != up->inode)
			result = error_set(e, ERROR_SYSTEM, "%s was moved while it was read", w->path);
	}
	level_release(l);
	return result;
}

/* A directory: FD is given away. */
static int visit_dir(struct walk *w, int fd, const struct stat *st, struct error *e)
{
	struct level l = {
		.fd = fd, .device = st->st_dev, .inode = st->st_ino, .path_size = strlen(w->path),
		.entry = entry_of(w, st),
	};
	struct xattr_overlay overlay;
	bool is_dir, same, written;

	if (xattr_read_overlay(fd, w->rules->user_xattrs, w->path, &overlay, e) < 0 ||
	    find_owner(w, fd, &l.entry, e) < 0 ||
	    xattr_read(fd, w->path, &l.xattrs, &l.entry.xattrs_size, e) < 0)
		goto fail;
	l.entry.xattrs = l.xattrs;
	if (overlay.partial) {
		refuse_partial(w, e);
		goto fail;
	}
	if (compare_below(w, &l.entry, st->st_mtim.tv_sec, &is_dir, &same, e) < 0)
		goto fail;
	l.opaque = overlay.opaque;
	if (overlay.opaque && (is_dir || !w->below))
		l.entry.type = ENTRY_OPAQUE;
	written = !same || l.entry.type == ENTRY_OPAQUE;
	if ((written && put(w, &l.entry, -1, e) < 0) || names_read(&l.names, fd, w->path, e) < 0)
		goto fail;
	l.written = written;
	if (push(w, &l, e) == 0)
		return 0;
fail:
	level_release(&l);
	return -1;
}

static int visit(struct walk *w, const char *name, struct error *e)
{
	int dir = w->level[w->depth - 1].fd;
	auto_close int fd = -1;
	const char *first;
	struct entry entry;
	struct stat st;

	if (enter_name(w, name, e) < 0)
		return -1;
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "stat %s", w->path);
	if (S_ISSOCK(st.st_mode))
		return 0;
	if (S_ISCHR(st.st_mode) && st.st_rdev == 0)
		return put_whiteout(w, e);
	if (S_ISREG(st.st_mode) || S_ISDIR(st.st_mode)) {
		mode_t type = st.st_mode & S_IFMT;

		fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
		if (fd < 0 || fstat(fd, &st) < 0)
			return error_errno(e, "open %s", w->path);
		if ((st.st_mode & S_IFMT) != type)
			return error_set(e, ERROR_SYSTEM, "%s changed while it was read", w->path);
		if (S_ISDIR(type))
			return visit_dir(w, take_fd(&fd), &st, e);
	}
	entry = entry_of(w, &st);
	if (entry.type == ENTRY_FILE && keep_time(w, &st, &entry, e) < 0)
		return -1;
	/* Only names in the upper folder count: copying up has parted a file from those below. */
	first = st.st_nlink > 1 ? inodes_first(&w->inodes, &st, w->path) : w->path;
	if (!first)
		return error_memory(e);
	if (strcmp(first, w->path) != 0) {
		entry.type = ENTRY_HARDLINK;
		entry.link = first;
		entry.size = 0;
		return put(w, &entry, -1, e);
	}
	if (entry.type == ENTRY_FILE)
		return visit_file(w, fd, &entry, e);
	if (entry.type == ENTRY_SYMLINK)
		return visit_symlink(w, dir, name, &entry, e);
	return find_owner_below(w, &entry, e) < 0 ? -1 : put(w, &entry, -1, e);
}

/* The root's time changes with every name in it, which alone is no reason to write it down. */
static int visit_root(struct walk *w, struct level *root, const struct stat *st, struct error *e)
{
	struct found below = { .entry = { .mode = 0755 } };

	w->path = strdup("");
	if (!w->path)
		return error_memory(e);
	w->path_capacity = 1;
	root->entry = entry_of(w, st);
	if (find_owner(w, root->fd, &root->entry, e) < 0 ||
	    xattr_read(root->fd, "/", &root->xattrs, &root->entry.xattrs_size, e) < 0)
		return -1;
	root->entry.xattrs = root->xattrs;
	if (w->below && stack_lookup(w->below, "", &below, e) < 0)
		return -1;
	if (!look_alike(&root->entry, &below.entry) && layer_add(w->layer, &root->entry, NULL, e) < 0)
		return -1;
	return names_read(&root->names, root->fd, "/", e);
}

static int begin(struct walk *w, int upper, struct error *e)
{
	struct level root = { .fd = -1, .written = true };
	struct stat st;

	root.fd = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (root.fd < 0 || fstat(root.fd, &st) < 0)
		return error_errno(e, "open the upper folder");
	root.device = st.st_dev;
	root.inode = st.st_ino;
	note_times(w, root.fd);
	if (visit_root(w, &root, &st, e) < 0 || push(w, &root, e) < 0) {
		level_release(&root);
		return -1;
	}
	return 0;
}

int tree_changes(int upper, const struct tree_base *base, const struct tree_rules *rules,
                 const struct owner *maker, int64_t epoch, struct layer_writer *layer,
                 struct error *e)
{
	struct walk w = {
		.base = base, .below = base ? base->stack : NULL, .rules = rules, .maker = maker,
		.epoch = epoch, .layer = layer,
	};
	int result = begin(&w, upper, e);

	while (result == 0 && w.depth > 0) {
		struct level *l = &w.level[w.depth - 1];

		result = l->next < l->names.count ? visit(&w, l->names.item[l->next++], e) : pop(&w, e);
	}
	while (w.depth > 0)
		level_release(&w.level[--w.depth]);
	inodes_release(&w.inodes);
	free(w.level);
	free(w.path);
	return result;
}
