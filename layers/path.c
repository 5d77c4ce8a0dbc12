#include "layers/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "layers/scope.h"
#include "layers/walk.h"

static int open_in_root(int root, const char *path, int flags, mode_t mode)
{
	struct open_how how = {
		.flags = (unsigned)(flags | O_CLOEXEC),
		.mode = flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? mode : 0,
		.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
	};
	int fd;

	if (!*path)
		path = ".";
	/* EAGAIN: a rename elsewhere raced with "..", the kernel wants to be asked again. */
	for (int tries = 0; tries < 128; tries++) {
		fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	/* Old container runtimes filter openat2 away. */
	if (fd < 0 && (errno == ENOSYS || errno == EPERM))
		fd = walk_open(root, path, flags, mode);
	return fd;
}

int path_open(int root, const char *path, int flags, mode_t mode, struct error *e)
{
	int fd = open_in_root(root, path, flags, mode);

	if (fd < 0)
		return error_errno(e, "open %s", path);
	return fd;
}

int path_parent(int root, const char *path, const char **name, struct error *e)
{
	const char *slash = strrchr(path, '/');
	const char *last = slash ? slash + 1 : path;
	auto_free char *parent = strndup(path, (size_t)(last - path));

	if (!parent)
		return error_memory(e);
	if (!*last || strcmp(last, ".") == 0 || strcmp(last, "..") == 0)
		return error_set(e, ERROR_INPUT, "\"%s\" does not name a file", path);
	*name = last;
	return path_open(root, parent, O_PATH | O_DIRECTORY, 0, e);
}

/* Make the one directory NAME in DIR if it is not there, and open it, its links resolved in ROOT. */
static int make_one(int root, const char *so_far, mode_t mode, struct error *e)
{
	int fd = open_in_root(root, so_far, O_PATH | O_DIRECTORY, 0);
	auto_close int dir = -1;
	const char *name;

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return error_errno(e, "open %s", so_far);
	dir = path_parent(root, so_far, &name, e);
	if (dir < 0)
		return -1;
	if (mkdirat(dir, name, 0700) < 0)
		return error_errno(e, "create %s", so_far);
	fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fchmod(fd, mode) < 0) {
		error_errno(e, "create %s", so_far);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	return fd;
}

int path_make_dirs(int root, const char *path, mode_t mode, struct error *e)
{
	auto_free char *copy = strdup(path);
	int fd;

	if (!copy)
		return error_memory(e);
	for (char *p = copy; *p;) {
		char *end = p + strspn(p, "/");

		end += strcspn(end, "/");
		char kept = *end;

		*end = '\0';
		if (end[-1] != '/') {
			fd = make_one(root, copy, mode, e);
			if (fd < 0)
				return -1;
			close(fd);
		}
		*end = kept;
		p = end;
		if (!p[strspn(p, "/")])
			break;
	}
	return path_open(root, path, O_RDONLY | O_DIRECTORY, 0, e);
}

int path_make_user_dirs(const char *path, mode_t mode, struct error *e)
{
	auto_close int slash = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *here = getcwd(NULL, 0);
	auto_free char *absolute = NULL;

	if (slash >= 0 && path[0] == '/')
		return path_make_dirs(slash, path, mode, e);
	if (slash < 0 || !here)
		return error_errno(e, "open %s", path);
	if (asprintf(&absolute, "%s/%s", here, path) < 0)
		return error_memory(e);
	return path_make_dirs(slash, absolute, mode, e);
}

bool path_is_there(int dir, const char *name)
{
	struct stat st;

	/* faccessat would be faccessat2, which old filters of containers deny with EPERM. */
	return fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

char *path_clean(const char *path)
{
	char *clean = malloc(strlen(path) + 2), *out = clean;

	if (!clean)
		return NULL;
	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 2 && path[0] == '.' && path[1] == '.') {
			while (out > clean && *--out != '/')
				continue;
		} else if (length > 0 && !(length == 1 && path[0] == '.')) {
			*out++ = '/';
			memcpy(out, path, length);
			out += length;
		}
		path += length + (path[length] == '/');
	}
	if (out == clean)
		*out++ = '/';
	*out = '\0';
	return clean;
}

char *path_read(int root, const char *path, size_t limit, size_t *size, struct error *e)
{
	auto_close int fd = path_open(root, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, e);
	auto_free char *data = NULL;
	struct stat st;
	size_t used = 0;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0) {
		error_errno(e, "stat %s", path);
		return NULL;
	}
	if (!S_ISREG(st.st_mode)) {
		error_set(e, ERROR_INPUT, "%s is %s", path,
		          S_ISDIR(st.st_mode) ? "a directory" : "not a regular file");
		return NULL;
	}
	if ((uint64_t)st.st_size > limit) {
		error_set(e, ERROR_INPUT, "%s is larger than %zu bytes", path, limit);
		return NULL;
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data) {
		error_memory(e);
		return NULL;
	}
	while (used < (size_t)st.st_size) {
		ssize_t n = read(fd, data + used, (size_t)st.st_size - used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			error_errno(e, "read %s", path);
			return NULL;
		}
		if (n == 0)
			break;
		used += (size_t)n;
	}
	data[used] = '\0';
	if (size)
		*size = used;
	return take_pointer(&data);
}

ssize_t path_read_at(int fd, void *data, size_t size, int64_t offset)
{
	char *to = data;
	size_t used = 0;

	while (used < size) {
		ssize_t n = pread(fd, to + used, size - used, offset + (int64_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

int path_write_all(int fd, const void *data, size_t size, struct error *e)
{
	const char *p = data;

	while (size > 0) {
		ssize_t n = write(fd, p, size);

		if (n < 0 && errno == EAGAIN)
			poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n < 0)
			return error_errno(e, "write");
		p += n;
		size -= (size_t)n;
	}
	return 0;
}

int path_write(int dir, const char *name, const void *data, size_t size, mode_t mode,
               struct error *e)
{
	auto_free char *aside = NULL;
	int fd;

	if (asprintf(&aside, ".%.200s.%d.new", name, gettid()) < 0)
		return error_memory(e);
	unlinkat(dir, aside, 0);
	fd = openat(dir, aside, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(e, "create %s", name);
	if (path_write_all(fd, data, size, e) < 0 || fchmod(fd, mode) < 0 || fdatasync(fd) < 0) {
		error_errno(e, "write %s", name);
		close(fd);
		unlinkat(dir, aside, 0);
		return -1;
	}
	if (close(fd) < 0 || renameat(dir, aside, dir, name) < 0) {
		error_errno(e, "write %s", name);
		unlinkat(dir, aside, 0);
		return -1;
	}
	return 0;
}
