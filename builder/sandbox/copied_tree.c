#include "builder/sandbox/copied_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "builder/sandbox/sandbox.h"
#include "layers/extent.h"
#include "layers/owner.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/xattr.h"

/* Names of one file within the layer that is being laid. */
struct link {
	ino_t inode;
	char *path;                /* of the first one, in ROOT */
};

struct laying {
	int root;
	bool user_xattrs;
	struct link *link;
	size_t count, capacity;
};

static int copy_attributes(int from, int to, struct error *e)
{
	ssize_t size = flistxattr(from, NULL, 0), length;
	auto_free char *names = size > 0 ? malloc((size_t)size) : NULL;

	if (size <= 0)
		return 0;
	if (!names)
		return error_memory(e);
	size = flistxattr(from, names, (size_t)size);
	for (const char *name = names; size > 0 && name < names + size; name += strlen(name) + 1) {
		char value[XATTR_SIZE_MAX];

		if (!xattr_is_kept(name) && strcmp(name, OWNER_ATTRIBUTE) != 0)
			continue;
		length = fgetxattr(from, name, value, sizeof value);
		if (length < 0 || fsetxattr(to, name, value, (size_t)length, 0) < 0)
			return error_errno(e, "copy the attribute %s", name);
	}
	return 0;
}

int copied_tree_dress(int from, int to, struct error *e)
{
	auto_close int readable = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	if (readable < 0 || fstat(readable, &st) < 0)
		return error_errno(e, "look at a folder");
	if (fchown(to, st.st_uid, st.st_gid) < 0 || fchmod(to, st.st_mode & 07777) < 0)
		return error_errno(e, "set owner and mode");
	if (copy_attributes(readable, to, e) < 0)
		return -1;
	if (futimens(to, (struct timespec[]) { st.st_atim, st.st_mtim }) < 0)
		return error_errno(e, "set times");
	return 0;
}

static int copy_file(int from_dir, int to_dir, const char *name, const struct stat *st,
                     struct error *e)
{
	auto_close int from = openat(from_dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int to = openat(to_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (from < 0 || to < 0)
		return error_errno(e, "copy %s", name);
	if (ioctl(to, FICLONE, from) < 0 && extent_copy(from, 0, to, st->st_size, e) < 0)
		return error_context(e, "copy %s", name);
	/* The owner before the mode, which chown takes bits from; the attributes after the owner. */
	if (fchown(to, st->st_uid, st->st_gid) < 0 || fchmod(to, st->st_mode & 07777) < 0)
		return error_errno(e, "copy %s", name);
	if (copy_attributes(from, to, e) < 0)
		return error_context(e, "%s", name);
	if (futimens(to, (struct timespec[]) { st->st_atim, st->st_mtim }) < 0)
		return error_errno(e, "set the times of %s", name);
	return 0;
}

static int copy_special(int from_dir, int to_dir, const char *name, const struct stat *st,
                        struct error *e)
{
	struct timespec times[2] = { st->st_atim, st->st_mtim };
	char target[4097];
	ssize_t length;

	if (S_ISLNK(st->st_mode)) {
		length = readlinkat(from_dir, name, target, sizeof target - 1);
		if (length < 0)
			return error_errno(e, "read the link %s", name);
		target[length] = '\0';
		if (symlinkat(target, to_dir, name) < 0)
			return error_errno(e, "create the link %s", name);
	} else if (mknodat(to_dir, name, st->st_mode, st->st_rdev) < 0 ||
	           fchmodat(to_dir, name, st->st_mode & 07777, 0) < 0) {
		return error_errno(e, "create %s", name);
	}
	if (fchownat(to_dir, name, st->st_uid, st->st_gid, AT_SYMLINK_NOFOLLOW) < 0 ||
	    utimensat(to_dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "set owner and times of %s", name);
	return 0;
}

/* A further name of a file that is there already: 1 when it was made, 0 when it is the first. */
static int link_again(struct laying *l, int to_dir, const char *name, const char *path,
                      const struct stat *st, struct error *e)
{
	for (size_t i = 0; i < l->count; i++) {
		if (l->link[i].inode != st->st_ino)
			continue;
		if (linkat(l->root, l->link[i].path, to_dir, name, 0) < 0)
			return error_errno(e, "link %s", path);
		return 1;
	}
	if (l->count == l->capacity) {
		size_t capacity = l->capacity ? 2 * l->capacity : 64;
		struct link *grown = reallocarray(l->link, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		l->link = grown;
		l->capacity = capacity;
	}
	l->link[l->count] = (struct link) { st->st_ino, strdup(path) };
	return l->link[l->count++].path ? 0 : error_memory(e);
}

static int lay_folder(struct laying *l, int from, int to, const char *path, struct error *e);

static int lay_directory(struct laying *l, int from_dir, int to_dir, const char *name,
                         const char *path, struct error *e)
{
	auto_close int from = openat(from_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	auto_close int to = -1;
	struct xattr_overlay overlay;
	struct stat st;

	if (from < 0)
		return error_errno(e, "open %s", path);
	if (xattr_read_overlay(from, l->user_xattrs, path, &overlay, e) < 0)
		return -1;
	if ((fstatat(to_dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISDIR(st.st_mode)) ||
	    overlay.opaque)
		if (path_remove(to_dir, name, e) < 0)
			return -1;
	if (mkdirat(to_dir, name, 0700) < 0 && errno != EEXIST)
		return error_errno(e, "create %s", path);
	to = openat(to_dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (to < 0)
		return error_errno(e, "open %s", path);
	if (lay_folder(l, from, to, path, e) < 0)
		return -1;
	return copied_tree_dress(from, to, e) < 0 ? error_context(e, "%s", path) : 0;
}

static bool is_whiteout(struct laying *l, int dir, const char *name, const struct stat *st)
{
	struct xattr_overlay overlay = { 0 };
	struct error ignored;
	auto_close int fd = -1;

	if (S_ISCHR(st->st_mode))
		return st->st_rdev == 0;
	if (!S_ISREG(st->st_mode) || st->st_size > 0)
		return false;
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	return fd >= 0 && xattr_read_overlay(fd, l->user_xattrs, name, &overlay, &ignored) == 0 &&
	       overlay.whiteout;
}

static int lay_entry(struct laying *l, int from_dir, int to_dir, const char *name, const char *path,
                     struct error *e)
{
	struct stat st;
	int linked = 0;

	if (fstatat(from_dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "stat %s", path);
	if (S_ISDIR(st.st_mode))
		return lay_directory(l, from_dir, to_dir, name, path, e);
	if (path_remove(to_dir, name, e) < 0)
		return -1;
	if (is_whiteout(l, from_dir, name, &st))
		return 0;
	if (st.st_nlink > 1)
		linked = link_again(l, to_dir, name, path, &st, e);
	if (linked != 0)
		return linked < 0 ? -1 : 0;
	return S_ISREG(st.st_mode) ? copy_file(from_dir, to_dir, name, &st, e)
	                           : copy_special(from_dir, to_dir, name, &st, e);
}

static int lay_folder(struct laying *l, int from, int to, const char *path, struct error *e)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!list) {
		error_errno(e, "read the folder %s", path);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	while (status == 0 && (entry = readdir(list))) {
		auto_free char *inner = NULL;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&inner, "%s%s%s", path, *path ? "/" : "", entry->d_name) < 0)
			status = error_memory(e);
		else
			status = lay_entry(l, from, to, entry->d_name, inner, e);
	}
	closedir(list);
	return status;
}

/* Lay the layer in TREE over what is in ROOT. */
static int lay(int tree, int root, struct error *e)
{
	struct laying l = { .root = root,
		                .user_xattrs = strncmp(sandbox_xattrs(), "user.", 5) == 0 };
	int status = lay_folder(&l, tree, root, "", e);

	for (size_t i = 0; i < l.count; i++)
		free(l.link[i].path);
	free(l.link);
	return status;
}

int copied_tree_make(int store, const char *const *lower, int work, const char *name,
                     struct error *e)
{
	auto_close int root = -1;
	size_t count = 0;

	if (mkdirat(work, name, 0755) < 0 ||
	    (root = openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return error_errno(e, "create the folder %s", name);
	while (lower[count])
		count++;
	for (size_t i = count; i-- > 0;) {
		auto_close int tree = path_open(store, lower[i], O_RDONLY | O_DIRECTORY, 0, e);

		if (tree < 0 || lay(tree, root, e) < 0)
			return -1;
		if (copied_tree_dress(tree, root, e) < 0)
			return error_context(e, "%s", name);
	}
	return take_fd(&root);
}
