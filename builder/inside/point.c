/* Mount points: found inside the image, made where they are missing, and gone again afterwards.
 *
 * Making /etc/hosts in an image without one leaves traces in the upper directory: the file, a copy
 * of /etc as it was, a new time on both. So everything made is noted with the descriptor of the
 * directory in the upper that holds it, and after the command, when nobody else is alive, what
 * is still as it was noted is taken away there, not through the overlay, which would leave
 * whiteouts. By descriptors and without following a link: whatever the command put in the place of
 * a stub's path stays untouched.
 */
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <asm/stat.h>

#include "builder/inside/inside.h"

enum { ENOENT = 2, EEXIST = 17, ENOTDIR = 20, ELOOP = 40, LINKS_MAX = 40 };
enum { S_KIND = 0170000, S_DIRECTORY = 0040000, S_LINK = 0120000 };

struct walk {
	char done[PATH_SIZE];      /* where we are in the image: a path without links, "" is "/" */
	char rest[2 * PATH_SIZE];  /* what is still to be walked */
	char name[256];            /* the component under way */
	unsigned links;
};

/* In a chroot, where nobody else is alive yet, the kernel's "/" is the image's already. */
static long open_in_image(struct inside *in, const char *path, unsigned flags, unsigned resolve)
{
	if (in->r->flags & REQUEST_CHROOT)
		return sys(openat, AT_FDCWD, *path ? path : "/", flags | O_CLOEXEC);
	return open_beneath(in->root, path, flags, 0, resolve);
}

static void note(struct inside *in, int parent, const char *name, bool made)
{
	char *copy = take_memory(strlen(name) + 1);

	if (in->stub_count == STUBS_MAX)
		fail(0, "too many mount points have to be made, with", name);
	memcpy(copy, name, strlen(name) + 1);
	in->stub[in->stub_count++] = (struct stub) { .parent = parent, .name = copy, .made = made };
}

/* The next component of PATH into NAME (256 bytes); returns what follows it, NULL at the end. */
static const char *component(const char *path, char *name)
{
	size_t length = 0;

	while (*path == '/')
		path++;
	if (!*path)
		return NULL;
	for (; path[length] && path[length] != '/'; length++) {
		if (length == 255)
			fail(0, "the name is too long in", path);
		name[length] = path[length];
	}
	name[length] = '\0';
	return path + length;
}

/* How many leading components of PATH are directories in the upper. */
static unsigned count_in_upper(struct inside *in, const char *path)
{
	char name[256];
	unsigned count = 0;
	long dir = in->upper, next;

	while ((path = component(path, name))) {
		next = open_beneath((int)dir, name, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
		if (dir != in->upper)
			sys(close, dir);
		if (next < 0)
			return count;
		dir = next;
		count++;
	}
	if (dir != in->upper)
		sys(close, dir);
	return count;
}

/* Note the directories of PATH beyond the first BEFORE as copied up, and return the last one in
 * the upper; the descriptors stay open for points_remove. */
static int note_copies(struct inside *in, const char *path, unsigned before)
{
	char name[256];
	int dir = in->upper;

	for (unsigned count = 0; (path = component(path, name)); count++) {
		if (count >= before)
			note(in, dir, name, false);
		dir = (int)must(open_beneath(dir, name, O_PATH | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS),
		                "open in the upper", name);
	}
	return dir;
}

/* Make W's component in the directory where W stands. */
static void make(struct inside *in, const struct walk *w, bool directory, bool stub, uint32_t uid,
                 uint32_t gid)
{
	long parent = must(open_in_image(in, w->done, O_RDONLY | O_DIRECTORY,
	                                 RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS), "open", w->done);
	unsigned before = 0;
	struct stat st, root;
	long made;

	must(sys(fstat, parent, &st), "stat", w->done);
	must(sys(fstat, in->root, &root), "stat", "/");
	stub = stub && st.st_dev == root.st_dev;
	if (stub)
		before = count_in_upper(in, w->done);
	made = directory ? sys(mkdirat, parent, w->name, 0755)
	                 : sys(openat, parent, w->name,
	                       O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY | O_CLOEXEC, 0644);
	if (made < 0)
		fail(made, "create the mount point", w->name);
	if (!directory)
		sys(close, made);
	if (!stub) {
		must(sys(fchownat, parent, w->name, uid, gid, AT_SYMLINK_NOFOLLOW), "chown", w->name);
	} else {
		int64_t times[4] = { (int64_t)st.st_atime, (int64_t)st.st_atime_nsec,
		                     (int64_t)st.st_mtime, (int64_t)st.st_mtime_nsec };

		must(sys(utimensat, parent, 0, times, 0), "set the time of", w->done);
		note(in, note_copies(in, w->done, before), w->name, true);
	}
	sys(close, parent);
}

static void go_up(struct walk *w)
{
	size_t length = strlen(w->done);

	while (length > 0 && w->done[length - 1] != '/')
		length--;
	w->done[length > 0 ? length - 1 : 0] = '\0';
}

/* Put the link's TEXT in front of what is still to be walked. */
static void follow(struct walk *w, const char *text, size_t length)
{
	size_t rest = strlen(w->rest);

	if (++w->links > LINKS_MAX)
		fail(-ELOOP, "open", w->name);
	if (length + 1 + rest + 1 > sizeof w->rest)
		fail(0, "the path is too long behind the link", w->name);
	for (size_t i = rest + 1; i-- > 0;)
		w->rest[length + 1 + i] = w->rest[i];
	memcpy(w->rest, text, length);
	w->rest[length] = '/';
	if (text[0] == '/')
		w->done[0] = '\0';
}

/* One component further. Each is opened anew from the root without following a link, so that a
 * directory shared with another run cannot lead us out, whatever is exchanged there meanwhile. */
static void step(struct inside *in, struct walk *w, bool directory, bool stub, uint32_t uid,
                 uint32_t gid)
{
	struct text t = { w->done + strlen(w->done), w->done + sizeof w->done };
	size_t before = strlen(w->done);
	char link[PATH_SIZE];
	struct stat st;
	long fd, length;

	if (strcmp(w->name, ".") == 0)
		return;
	if (strcmp(w->name, "..") == 0) {
		go_up(w);
		return;
	}
	text_add(&t, "/");
	text_add(&t, w->name);
	fd = open_in_image(in, w->done, O_PATH | O_NOFOLLOW, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	if (fd == -ENOENT) {
		w->done[before] = '\0';
		make(in, w, directory, stub, uid, gid);
		w->done[before] = '/';
		return;
	}
	must(fd, "open", w->done);
	must(sys(fstat, fd, &st), "stat", w->done);
	if ((st.st_mode & S_KIND) == S_LINK) {
		length = must(sys(readlinkat, fd, "", link, sizeof link), "read", w->done);
		if (length == sizeof link)
			fail(0, "the link is too long at", w->done);
		w->done[before] = '\0';
		follow(w, link, (size_t)length);
	}
	sys(close, fd);
}

static int open_or_make(struct inside *in, const char *target, bool directory, bool stub,
                        uint32_t uid, uint32_t gid)
{
	long fd = open_in_image(in, target, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	static struct walk w;
	struct text rest = { w.rest, w.rest + sizeof w.rest };
	const char *next;

	if (fd != -ENOENT)
		return (int)must(fd, "open", target);
	w.done[0] = w.rest[0] = '\0';
	w.links = 0;
	text_add(&rest, target);
	if (strlen(w.rest) < strlen(target))
		fail(0, "the path is too long:", target);
	while ((next = component(w.rest, w.name))) {
		size_t left = strlen(next);
		bool last = strlen(w.name) > 0 && !component(next, (char[256]) { 0 });

		for (size_t i = 0; i <= left; i++)
			w.rest[i] = next[i];
		step(in, &w, directory || !last, stub, uid, gid);
	}
	return (int)must(open_in_image(in, w.done, O_PATH, RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS), "open",
	                 target);
}

int point_open(struct inside *in, const char *target, enum point_kind kind, bool optional)
{
	int fd = open_or_make(in, target, kind == POINT_DIRECTORY, true, 0, 0);
	struct stat st;

	must(sys(fstat, fd, &st), "stat", target);
	if (((st.st_mode & S_KIND) == S_DIRECTORY) == (kind == POINT_DIRECTORY))
		return fd;
	if (!optional)
		fail(0, kind == POINT_DIRECTORY ? "not a directory:" : "a directory:", target);
	sys(close, fd);
	return -1;
}

int point_directory(struct inside *in, const char *path, uint32_t uid, uint32_t gid)
{
	int fd = open_or_make(in, path, true, false, uid, gid);
	struct stat st;

	must(sys(fstat, fd, &st), "stat", path);
	if ((st.st_mode & S_KIND) != S_DIRECTORY)
		fail(-ENOTDIR, "enter", path);
	return fd;
}

void point_cover(struct inside *in, int mount, int point, const char *target)
{
	if (in->cover_count == COVERS_MAX)
		fail(0, "too many mounts, with", target);
	must(attach(mount, point), "mount", target);
	sys(close, point);
	in->cover[in->cover_count++] = mount;
}

/* In a copied tree the stubs are mount points themselves, which cannot be removed. /proc, which is
 * asked here, was covered first. */
static void uncover(struct inside *in)
{
	enum { MNT_DETACH = 2 };

	while (in->cover_count > 0) {
		char path[32];
		struct text t = { path, path + sizeof path };

		text_add(&t, "/proc/self/fd/");
		text_add_number(&t, (uint64_t)in->cover[--in->cover_count]);
		sys(umount2, path, MNT_DETACH);
	}
}

static bool look(const struct stub *s, struct stub *now)
{
	struct stat st;
	long fd, size;

	if (sys(newfstatat, s->parent, s->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	*now = *s;
	now->inode = st.st_ino;
	now->size = (st.st_mode & S_KIND) == S_DIRECTORY ? 0 : (uint64_t)st.st_size;
	now->mode = st.st_mode;
	now->uid = st.st_uid;
	now->gid = st.st_gid;
	now->mtime[0] = (int64_t)st.st_mtime;
	now->mtime[1] = (int64_t)st.st_mtime_nsec;
	now->ctime[0] = (int64_t)st.st_ctime;
	now->ctime[1] = (int64_t)st.st_ctime_nsec;
	now->xattrs = 0;
	if (!s->made) {
		/* On older kernels a change within one tick of the clock leaves the ctime as it is. */
		fd = open_beneath(s->parent, s->name, O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
		size = fd < 0 ? fd : sys(flistxattr, fd, 0, 0);
		now->xattrs = (uint32_t)size;
		if (fd >= 0)
			sys(close, fd);
	}
	return true;
}

static bool same(const struct stub *a, const struct stub *b)
{
	return a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	       memcmp(a->mtime, b->mtime, sizeof a->mtime) == 0 &&
	       memcmp(a->ctime, b->ctime, sizeof a->ctime) == 0 && a->xattrs == b->xattrs;
}

void points_remember(struct inside *in)
{
	for (unsigned i = 0; i < in->stub_count; i++)
		look(&in->stub[i], &in->stub[i]);
}

/* Take S away unless something is in it now; the directory that held it gets its time back. */
static void take_away(const struct stub *s)
{
	long parent = open_beneath(s->parent, "", O_RDONLY | O_DIRECTORY, 0, RESOLVE_NO_SYMLINKS);
	struct stat st;
	long answer;

	if (parent < 0)
		return;
	if (sys(fstat, parent, &st) >= 0) {
		int64_t times[4] = { (int64_t)st.st_atime, (int64_t)st.st_atime_nsec,
		                     (int64_t)st.st_mtime, (int64_t)st.st_mtime_nsec };

		answer = sys(unlinkat, parent, s->name,
		             (s->mode & S_KIND) == S_DIRECTORY ? AT_REMOVEDIR : 0);
		if (answer >= 0)
			sys(utimensat, parent, 0, times, 0);
	}
	sys(close, parent);
}

void points_remove(struct inside *in)
{
	struct stub now;

	if (in->r->flags & REQUEST_COPY)
		uncover(in);
	/* All are looked at before the first is removed: that changes the others' times. */
	for (unsigned i = 0; i < in->stub_count; i++) {
		struct stub *s = &in->stub[i];

		s->untouched = look(s, &now) && now.inode == s->inode && now.size == 0 &&
		               (s->made || same(s, &now));
	}
	for (unsigned i = in->stub_count; i-- > 0;)
		if (in->stub[i].untouched)
			take_away(&in->stub[i]);
}
