#include "builder/sandbox/stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "builder/sandbox/copied_tree.h"
#include "builder/sandbox/request.h"
#include "builder/sandbox/stand_in_parts.h"
#include "layers/path.h"
#include "layers/scope.h"

enum { LINKS_MAX = 40 };

static struct stand_in *new_item(struct stand_ins *s, struct error *e)
{
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 16;
		struct stand_in *grown = reallocarray(s->item, capacity, sizeof *grown);

		if (!grown) {
			error_memory(e);
			return NULL;
		}
		s->item = grown;
		s->capacity = capacity;
	}
	s->item[s->count] = (struct stand_in) { .parent = -1, .lender = -1, .lent = -1,
		                                .listening = -1 };
	return &s->item[s->count++];
}

/* In the work directory: what is made for item NUMBER, or what it hides. */
static const char *aside(const char *kind, size_t number, char name[static 32])
{
	snprintf(name, 32, "%s.%zu", kind, number);
	return name;
}

static const char *name_in(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* The times of a directory are the image's and the command's: what we do in it does not count. */
static int keep_times(int dir, struct timespec times[2], struct error *e)
{
	struct stat st;

	if (fstat(dir, &st) < 0)
		return error_errno(e, "stat a folder");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	return 0;
}

/* --- finding places --------------------------------------------------------------------------- */

/* A walk to a place in the image, as the kernel walks: DONE has no links, REST is still to come. */
struct walk {
	char *done, *rest;
	unsigned links;
};

static int open_parent(const struct stand_ins *s, const char *path, struct error *e)
{
	auto_free char *parent = strndup(path, (size_t)(name_in(path) - path));

	return parent ? path_open(s->root, parent, O_RDONLY | O_DIRECTORY, 0, e) : error_memory(e);
}

/* The directory at PATH is missing and needed: made, and noted to be removed. */
static int make_directory(struct stand_ins *s, const char *path, struct error *e)
{
	struct stand_in *item = new_item(s, e);
	struct timespec times[2];
	struct stat st;

	if (!item)
		return -1;
	item->on_the_way = true;
	item->parent = open_parent(s, path, e);
	if (item->parent < 0 || keep_times(item->parent, times, e) < 0)
		return -1;
	item->path = strdup(path);
	if (!item->path)
		return error_memory(e);
	if (mkdirat(item->parent, name_in(path), 0700) < 0 ||
	    fchmodat(item->parent, name_in(path), 0755, 0) < 0 ||
	    fstatat(item->parent, name_in(path), &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    futimens(item->parent, times) < 0)
		return error_errno(e, "create the mount point /%s", path);
	item->inode = st.st_ino;
	return 0;
}

/* The link FD, at W's end, leads on from the directory that holds it, or from the top. */
static int follow(struct walk *w, int fd, size_t before, struct error *e)
{
	char text[PATH_MAX];
	ssize_t length = readlinkat(fd, "", text, sizeof text - 1);
	char *rest;

	if (length < 0)
		return error_errno(e, "read the link /%s", w->done);
	if (++w->links > LINKS_MAX) {
		errno = ELOOP;
		return error_errno(e, "open /%s", w->done);
	}
	text[length] = '\0';
	if (asprintf(&rest, "%s/%s", text, w->rest) < 0)
		return error_memory(e);
	free(w->rest);
	w->rest = rest;
	w->done[text[0] == '/' ? 0 : before] = '\0';
	return 0;
}

static int step(struct stand_ins *s, struct walk *w, const char *name, bool last, struct error *e)
{
	size_t before = strlen(w->done);
	auto_close int fd = -1;
	struct stat st;
	char *next;

	if (strcmp(name, "..") == 0) {
		w->done[name_in(w->done) > w->done ? name_in(w->done) - w->done - 1 : 0] = '\0';
		return 0;
	}
	if (asprintf(&next, "%s%s%s", w->done, before ? "/" : "", name) < 0)
		return error_memory(e);
	free(w->done);
	w->done = next;
	fd = path_open(s->root, w->done, O_PATH | O_NOFOLLOW, 0, e);
	if (fd < 0 && e->kind != ERROR_NOT_FOUND)
		return -1;
	if (fd < 0)
		return last ? 0 : make_directory(s, w->done, e);
	if (fstat(fd, &st) < 0)
		return error_errno(e, "stat /%s", w->done);
	return S_ISLNK(st.st_mode) ? follow(w, fd, before, e) : 0;
}

/* W->done is where TARGET leads in the image, with all directories on the way. */
static int find_place(struct stand_ins *s, const char *target, struct walk *w, struct error *e)
{
	*w = (struct walk) { .done = strdup(""), .rest = strdup(target) };
	if (!w->done || !w->rest)
		return error_memory(e);
	while (*w->rest) {
		size_t length = strcspn(w->rest, "/");
		auto_free char *name = strndup(w->rest, length);
		size_t end = length + strspn(w->rest + length, "/");

		if (!name)
			return error_memory(e);
		memmove(w->rest, w->rest + end, strlen(w->rest + end) + 1);
		if (*name && strcmp(name, ".") != 0 && step(s, w, name, !*w->rest, e) < 0)
			return -1;
	}
	return *w->done ? 0 : error_set(e, ERROR_INPUT, "it leads to the root folder");
}

/* --- putting it there ------------------------------------------------------------------------- */

/* What was made aside for item NUMBER takes its place. */
static int put(struct stand_ins *s, size_t number, const char *made, const char *path, bool hides,
               struct error *e)
{
	struct stand_in *item = &s->item[number];
	struct timespec times[2];
	char hidden[32];

	item->path = strdup(path);
	if (!item->path)
		return error_memory(e);
	item->parent = open_parent(s, path, e);
	if (item->parent < 0 || keep_times(item->parent, times, e) < 0)
		return -1;
	if (hides && renameat(item->parent, name_in(path), s->run->work,
	                      aside("hidden", number, hidden)) < 0)
		return error_errno(e, "move /%s", path);
	item->hides = hides;
	if (renameat(s->run->work, made, item->parent, name_in(path)) < 0 ||
	    futimens(item->parent, times) < 0)
		return error_errno(e, "put /%s in its place", path);
	return 0;
}

/* OPTIONAL: not where the image has something else. */
static int stand_in(struct stand_ins *s, const struct sandbox_mount *m, bool optional,
                    struct error *e)
{
	struct stand_in *item = new_item(s, e);
	size_t number = s->count - 1;
	struct stat st, found;
	struct walk w = { 0 };
	bool there = false;
	char made[32];
	int status;

	if (!item)
		return -1;
	status = stand_in_make(s, aside("made", number, made), m, item, e);
	if (status == 0 && fstatat(s->run->work, made, &st, AT_SYMLINK_NOFOLLOW) < 0)
		status = error_errno(e, "stat what was made");
	if (status == 0)
		status = find_place(s, m->target, &w, e);
	if (status == 0)
		there = fstatat(s->root, w.done, &found, AT_SYMLINK_NOFOLLOW) == 0;
	if (there && S_ISDIR(st.st_mode) != S_ISDIR(found.st_mode)) {
		if (!optional)
			status = error_set(e, ERROR_INPUT, S_ISDIR(st.st_mode) ? "not a directory"
			                                                       : "a directory");
	} else if (status == 0) {
		status = put(s, number, made, w.done, there, e);
	}
	free(w.done);
	free(w.rest);
	return status < 0 ? error_context(e, "mount %s", m->target) : 0;
}

/* --- what every command has ------------------------------------------------------------------- */

static int stand_in_usual(struct stand_ins *s, struct error *e)
{
	const struct sandbox_run *r = s->run;
	const struct sandbox_mount folders[] = {
		{ .kind = SANDBOX_TMPFS, .target = "/proc", .mode = 0555 },
		{ .kind = SANDBOX_TMPFS, .target = "/sys", .mode = 0555 },
		{ .kind = SANDBOX_TMPFS, .target = "/dev", .mode = 0755 },
	};
	const struct sandbox_mount files[] = {
		{ .kind = SANDBOX_FILE, .target = "/etc/hosts", .mode = 0644, .data = r->hosts,
		  .size = r->hosts ? strlen(r->hosts) : 0 },
		{ .kind = SANDBOX_FILE, .target = "/etc/resolv.conf", .mode = 0644,
		  .data = r->resolv_conf, .size = r->resolv_conf ? strlen(r->resolv_conf) : 0 },
	};
	auto_close int dev = -1;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (stand_in(s, &folders[i], false, e) < 0)
			return -1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++)
		if (files[i].data && stand_in(s, &files[i], true, e) < 0)
			return -1;
	dev = path_open(s->root, "dev", O_RDONLY | O_DIRECTORY, 0, e);
	return dev < 0 ? -1 : stand_in_fill_dev(dev, e);
}

/* --- all of them ------------------------------------------------------------------------------ */

static unsigned depth(const char *path)
{
	unsigned slashes = 0;

	for (; *path; path++)
		slashes += *path == '/';
	return slashes;
}

/* Outer targets before inner ones, and otherwise as given. */
static int sort_mounts(struct stand_ins *s, struct error *e)
{
	const struct sandbox_run *r = s->run;

	s->mount = calloc(r->mount_count + 1, sizeof *s->mount);
	if (!s->mount)
		return error_memory(e);
	for (size_t i = 0; i < r->mount_count; i++) {
		struct sandbox_mount m = r->mount[i];
		size_t place = i;

		m.target = request_target(&r->mount[i], e);
		if (!m.target)
			return -1;
		/* O_PATH is not enough for us. */
		if (m.kind == SANDBOX_BIND)
			m.source = openat(m.source, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		for (; place > 0 && depth(s->mount[place - 1].target) > depth(m.target); place--)
			s->mount[place] = s->mount[place - 1];
		s->mount[place] = m;
		s->mount_count++;
		if (m.kind == SANDBOX_BIND && m.source < 0)
			return error_errno(e, "mount %s: open what is to be lent", m.target);
	}
	return 0;
}

struct cache {
	int fd;
	struct stat st;
};

static int by_inode(const void *a, const void *b)
{
	const struct stat *x = &((const struct cache *)a)->st, *y = &((const struct cache *)b)->st;

	if (x->st_dev != y->st_dev)
		return x->st_dev < y->st_dev ? -1 : 1;
	return x->st_ino < y->st_ino ? -1 : x->st_ino > y->st_ino;
}

/* All in one order, so that nobody waits for somebody who waits for him. */
static int lock_caches(struct stand_ins *s, struct error *e)
{
	auto_free struct cache *cache = calloc(s->mount_count + 1, sizeof *cache);
	size_t count = 0;

	if (!cache)
		return error_memory(e);
	for (size_t i = 0; i < s->mount_count; i++) {
		if (s->mount[i].kind != SANDBOX_BIND)
			continue;
		cache[count].fd = s->mount[i].source;
		if (fstat(cache[count].fd, &cache[count].st) < 0)
			return error_errno(e, "stat a cache");
		count++;
	}
	qsort(cache, count, sizeof *cache, by_inode);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && by_inode(&cache[i - 1], &cache[i]) == 0)
			return error_set(e, ERROR_UNSUPPORTED, "a cache in two places at once is what only mounts "
			                 "can give, and they are refused here");
		while (flock(cache[i].fd, LOCK_EX) < 0)
			if (errno != EINTR)
				return error_errno(e, "lock a cache");
	}
	return 0;
}

static int stand_in_all(struct stand_ins *s, struct error *e)
{
	if (sort_mounts(s, e) < 0 || lock_caches(s, e) < 0 || stand_in_usual(s, e) < 0)
		return -1;
	for (size_t i = 0; i < s->mount_count; i++)
		if (stand_in(s, &s->mount[i], false, e) < 0)
			return -1;
	return 0;
}

struct stand_ins *stand_ins_make(const struct sandbox_run *r, struct copied_root *root,
                                 struct error *e)
{
	struct stand_ins *s = calloc(1, sizeof *s);
	struct error lost;

	if (!s) {
		error_memory(e);
		return NULL;
	}
	*s = (struct stand_ins) { .run = r, .copy = root, .root = copied_root_directory(root) };
	if (stand_in_all(s, e) == 0)
		return s;
	stand_ins_remove(s, &lost);
	return NULL;
}

void stand_ins_listen(struct stand_ins *s, struct agents *a)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->item[i].listening >= 0)
			agents_add(a, take_fd(&s->item[i].listening), s->item[i].source);
}

/* Whatever the command has put at that name goes, and what it hid is there again. When the
 * directory is gone, so is what it had. */
static void clear_place(struct stand_ins *s, size_t number)
{
	struct stand_in *item = &s->item[number];
	const char *name = name_in(item->path);
	struct timespec times[2];
	struct error ignored;
	char hidden[32];
	struct stat st;

	if (keep_times(item->parent, times, &ignored) < 0)
		return;
	if (item->on_the_way) {
		/* It stays when the command has put something into it. */
		if (fstatat(item->parent, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
		    st.st_ino != item->inode || unlinkat(item->parent, name, AT_REMOVEDIR) < 0)
			return;
	} else {
		path_remove(item->parent, name, &ignored);
	}
	if (item->hides && renameat(s->run->work, aside("hidden", number, hidden), item->parent,
	                            name) == 0)
		copied_root_forgive(s->copy, item->path);
	futimens(item->parent, times);
}

static void release(struct stand_ins *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct stand_in *item = &s->item[i];
		const int fds[] = { item->parent, item->lent, item->listening };

		for (size_t k = 0; k < sizeof fds / sizeof *fds; k++)
			if (fds[k] >= 0)
				close(fds[k]);
		free(item->path);
	}
	for (size_t i = 0; i < s->mount_count; i++) {
		if (s->mount[i].kind == SANDBOX_BIND && s->mount[i].source >= 0)
			close(s->mount[i].source);
		free((char *)s->mount[i].target);
	}
	free(s->mount);
	free(s->item);
	free(s);
}

int stand_ins_remove(struct stand_ins *s, struct error *e)
{
	int status = 0;

	if (!s)
		return 0;
	for (size_t i = s->count; i-- > 0;) {
		struct stand_in *item = &s->item[i];

		if (item->lent >= 0 && (stand_in_move_all(item->lent, item->lender, e) < 0 ||
		                        copied_tree_dress(item->lent, item->lender, e) < 0))
			status = error_context(e, "give a cache back");
		if (item->parent >= 0 && !item->on_the_way)
			clear_place(s, i);
	}
	/* What leads to a place is in the way no more when all places are clear. */
	for (size_t i = s->count; i-- > 0;)
		if (s->item[i].parent >= 0 && s->item[i].on_the_way)
			clear_place(s, i);
	release(s);
	return status;
}
