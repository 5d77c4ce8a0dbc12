#include "builder/sandbox/copied_root.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <time.h>

#include "builder/sandbox/copied_tree.h"
#include "builder/sandbox/sandbox.h"
#include "layers/checksum.h"
#include "layers/path.h"
#include "layers/scope.h"

/* What tells whether an entry is still the same, and unchanged. */
struct state {
	uint64_t inode, size;
	uint32_t mode, links, uid, gid;
	struct timespec birth, ctime, mtime;
	uint32_t sum;              /* of the content; of what has several names only */
};

/* An entry of the copy as it was before the command ran. */
struct was {
	char *path;                /* without leading slash */
	struct state state;
	bool met;                  /* when looking for what has changed */
};

struct copied_root {
	int root;
	struct was *was;           /* by path */
	size_t count, capacity;
	struct timespec youngest;
};

int copied_root_directory(const struct copied_root *c)
{
	return c->root;
}

void copied_root_free(struct copied_root *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->count; i++)
		free(c->was[i].path);
	free(c->was);
	if (c->root >= 0)
		close(c->root);
	free(c);
}

static bool later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

static struct timespec time_of(const struct statx_timestamp *t)
{
	return (struct timespec) { .tv_sec = t->tv_sec, .tv_nsec = t->tv_nsec };
}

static int look(int dir, const char *name, struct state *state)
{
	struct statx x;

	if (statx(dir, name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x) < 0)
		return -1;
	*state = (struct state) {
		.inode = x.stx_ino, .size = x.stx_size, .mode = x.stx_mode, .links = x.stx_nlink,
		.uid = x.stx_uid, .gid = x.stx_gid, .birth = time_of(&x.stx_btime),
		.ctime = time_of(&x.stx_ctime), .mtime = time_of(&x.stx_mtime),
	};
	return 0;
}

/* Of a file that was looked at; false when it cannot be read. */
static bool add_up(int dir, const char *name, uint32_t *sum)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct error ignored;

	*sum = 0;
	return fd >= 0 && checksum_add_file(sum, fd, 0, &ignored) == 0;
}

static int remember(struct copied_root *c, const char *path, const struct state *state,
                    struct error *e)
{
	if (c->count == c->capacity) {
		size_t capacity = c->capacity ? 2 * c->capacity : 256;
		struct was *was = reallocarray(c->was, capacity, sizeof *was);

		if (!was)
			return error_memory(e);
		c->was = was;
		c->capacity = capacity;
	}
	c->was[c->count] = (struct was) { strdup(path), *state, false };
	if (!c->was[c->count++].path)
		return error_memory(e);
	if (later(&state->ctime, &c->youngest))
		c->youngest = state->ctime;
	return 0;
}

/* One entry of the copy: its directory, name and path. */
typedef int visit_fn(struct copied_root *c, int dir, const char *name, const char *path,
                     const struct state *state, void *context, struct error *e);

/* Every entry of DIR, which is at PATH ("" or "some/where/"), to VISIT; not deeper. */
static int visit_all(struct copied_root *c, int dir, const char *path, visit_fn *visit,
                     void *context, struct error *e)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!list) {
		error_errno(e, "read the folder /%s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (status == 0 && (errno = 0, entry = readdir(list))) {
		auto_free char *inner = NULL;
		struct state state;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&inner, "%s%s", path, entry->d_name) < 0)
			status = error_memory(e);
		else if (look(dir, entry->d_name, &state) < 0)
			status = error_errno(e, "stat /%s", inner);
		else
			status = visit(c, dir, entry->d_name, inner, &state, context, e);
	}
	if (status == 0 && errno)
		status = error_errno(e, "read the folder /%s", path);
	closedir(list);
	return status;
}

static int visit_inside(struct copied_root *c, int dir, const char *name, const char *path,
                        visit_fn *visit, void *context, struct error *e)
{
	auto_close int inner = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_free char *slashed = NULL;

	if (inner < 0)
		return error_errno(e, "open /%s", path);
	if (asprintf(&slashed, "%s/", path) < 0)
		return error_memory(e);
	return visit_all(c, inner, slashed, visit, context, e);
}

static int note(struct copied_root *c, int dir, const char *name, const char *path,
                const struct state *state, void *context, struct error *e)
{
	struct state noted = *state;

	if (S_ISREG(state->mode) && state->links > 1)
		add_up(dir, name, &noted.sum);
	if (remember(c, path, &noted, e) < 0)
		return -1;
	return S_ISDIR(state->mode) ? visit_inside(c, dir, name, path, note, context, e) : 0;
}

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct was *)a)->path, ((const struct was *)b)->path);
}

/* A clock of the filesystem may stand still for some milliseconds: wait until what the command
 * changes gets a later time than all that is there. */
static int let_the_clock_tick(struct copied_root *c, int work, struct error *e)
{
	auto_close int fd = openat(work, "clock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct stat st;

	for (;;) {
		if (fd < 0 || futimens(fd, NULL) < 0 || fstat(fd, &st) < 0)
			return error_errno(e, "write in the work folder");
		if (later(&st.st_ctim, &c->youngest))
			return 0;
		nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
	}
}

static int make_root(struct copied_root *c, int store, const char *const *lower, int upper,
                     int work, struct error *e)
{
	c->root = copied_tree_make(store, lower, work, "root", e);
	if (c->root < 0)
		return -1;
	if (copied_tree_dress(upper, c->root, e) < 0)
		return error_context(e, "the root folder");
	if (visit_all(c, c->root, "", note, NULL, e) < 0)
		return -1;
	qsort(c->was, c->count, sizeof *c->was, by_path);
	return let_the_clock_tick(c, work, e);
}

struct copied_root *copied_root_make(int store, const char *const *lower, int upper, int work,
                                     struct error *e)
{
	struct copied_root *c = calloc(1, sizeof *c);

	if (!c) {
		error_memory(e);
		return NULL;
	}
	c->root = -1;
	if (make_root(c, store, lower, upper, work, e) < 0) {
		copied_root_free(c);
		return NULL;
	}
	return c;
}

static struct was *find(const struct copied_root *c, const char *path)
{
	struct was key = { .path = (char *)path };

	return c->count ? bsearch(&key, c->was, c->count, sizeof key, by_path) : NULL;
}

static bool same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* A number is given again, but not to one of the same birth. */
static bool is_same(const struct state *a, const struct state *b)
{
	return a->inode == b->inode && same_time(&a->birth, &b->birth) &&
	       S_ISDIR(a->mode) == S_ISDIR(b->mode);
}

/* NAME in DIR is what it was. A file that has lost a name has a new ctime, too: then it is the rest
 * that tells. */
static bool is_unchanged(int dir, const char *name, const struct state *was,
                         const struct state *now)
{
	uint32_t sum;

	if (!is_same(was, now))
		return false;
	if (same_time(&was->ctime, &now->ctime))
		return true;
	return S_ISREG(now->mode) && now->links < was->links && now->mode == was->mode &&
	       now->uid == was->uid && now->gid == was->gid && now->size == was->size &&
	       same_time(&now->mtime, &was->mtime) && add_up(dir, name, &sum) && sum == was->sum;
}

void copied_root_forgive(struct copied_root *c, const char *path)
{
	struct was *was = find(c, path);
	struct state now;

	if (was && look(c->root, path, &now) == 0 && is_same(&was->state, &now))
		was->state.ctime = now.ctime;
}

/* The upper directory is filled along the way: PARENT is where the folder just visited has its
 * place in it, -1 as long as nothing in there has changed. */
struct place {
	struct place *outer;
	int folder;                /* in the copy */
	const char *name;
	int parent;
};

/* The folder's place in the upper, made with all that lead to it when it is needed first. */
static int place_of(struct place *p, struct error *e)
{
	int outer;

	if (p->parent >= 0)
		return p->parent;
	outer = place_of(p->outer, e);
	if (outer < 0)
		return -1;
	if (mkdirat(outer, p->name, 0700) < 0 ||
	    (p->parent = openat(outer, p->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return error_errno(e, "create %s in the upper folder", p->name);
	return p->parent;
}

/* NAME was a directory and is another one now: nothing of the old one may show through. */
static int make_opaque(int parent, const char *name, struct error *e)
{
	auto_close int dir = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_free char *attribute = NULL;

	if (asprintf(&attribute, "%sopaque", sandbox_xattrs()) < 0)
		return error_memory(e);
	if (dir < 0 || fsetxattr(dir, attribute, "y", 1, 0) < 0)
		return error_errno(e, "mark %s as opaque", name);
	return 0;
}

static int take_folder(struct copied_root *c, int dir, const char *name, const char *path,
                       bool changed, struct place *outer, struct error *e);

static int take(struct copied_root *c, int dir, const char *name, const char *path,
                const struct state *now, void *context, struct error *e)
{
	struct place *outer = context;
	struct was *was = find(c, path);
	bool unchanged = was && is_unchanged(dir, name, &was->state, now);
	int parent;

	if (was)
		was->met = true;
	if (was && S_ISDIR(now->mode) && is_same(&was->state, now))
		return take_folder(c, dir, name, path, !unchanged, outer, e);
	if (unchanged)
		return 0;
	parent = place_of(outer, e);
	if (parent < 0)
		return -1;
	if (renameat(dir, name, parent, name) < 0)
		return error_errno(e, "move /%s", path);
	return was && S_ISDIR(now->mode) && S_ISDIR(was->state.mode) ? make_opaque(parent, name, e) : 0;
}

static int whiteout(int parent, const char *name, struct error *e)
{
	auto_free char *attribute = NULL;
	auto_close int fd = -1;

	if (mknodat(parent, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	fd = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (asprintf(&attribute, "%swhiteout", sandbox_xattrs()) < 0)
		return error_memory(e);
	if (fd < 0 || fsetxattr(fd, attribute, "y", 1, 0) < 0)
		return error_errno(e, "note that %s was deleted", name);
	return 0;
}

/* What was in the folder at PATH ("some/where/") and was not met is gone. */
static int take_deleted(struct copied_root *c, const char *path, struct place *here,
                        struct error *e)
{
	size_t length = strlen(path);
	struct was key = { .path = (char *)path };
	size_t low = 0, high = c->count;
	int parent;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (by_path(&c->was[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (; low < c->count && strncmp(c->was[low].path, path, length) == 0; low++) {
		const char *name = c->was[low].path + length;

		if (c->was[low].met || strchr(name, '/'))
			continue;
		parent = place_of(here, e);
		if (parent < 0 || whiteout(parent, name, e) < 0)
			return -1;
	}
	return 0;
}

static int take_folder(struct copied_root *c, int dir, const char *name, const char *path,
                       bool changed, struct place *outer, struct error *e)
{
	auto_close int folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct place here = { outer, folder, name, -1 };
	auto_free char *slashed = NULL;
	struct timespec times[2];
	struct stat st;
	int status;

	if (folder < 0 || fstat(folder, &st) < 0)
		return error_errno(e, "open /%s", path);
	if (asprintf(&slashed, "%s/", path) < 0)
		return error_memory(e);
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	status = visit_all(c, folder, slashed, take, &here, e);
	if (status == 0)
		status = take_deleted(c, slashed, &here, e);
	if (status == 0 && changed && place_of(&here, e) < 0)
		status = -1;
	if (here.parent < 0)
		return status;
	/* Moving things out of it has changed its time. */
	if (status == 0 && futimens(folder, times) < 0)
		status = error_errno(e, "set the time of /%s", path);
	if (status == 0 && copied_tree_dress(folder, here.parent, e) < 0)
		status = error_context(e, "/%s", path);
	close(here.parent);
	return status;
}

int copied_root_changes(struct copied_root *c, int upper, struct error *e)
{
	auto_close int own = openat(upper, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct place here = { NULL, c->root, "/", own };
	struct timespec times[2];
	struct stat st;

	if (own < 0 || fstat(c->root, &st) < 0)
		return error_errno(e, "open the upper folder");
	times[0] = st.st_atim;
	times[1] = st.st_mtim;
	if (visit_all(c, c->root, "", take, &here, e) < 0 || take_deleted(c, "", &here, e) < 0)
		return -1;
	if (futimens(c->root, times) < 0)
		return error_errno(e, "set the time of /");
	return copied_tree_dress(c->root, own, e);
}
