#include "layers/walk.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/scope.h"

#define LINKS_MAX 40 /* as the kernel */

/* The directories from the root down to where we are: ".." is a pop, so nothing moved meanwhile
 * can lead out. */
struct trail {
	int *fd;
	size_t count, capacity;
};

static int trail_push(struct trail *t, int fd)
{
	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? 2 * t->capacity : 16;
		int *grown = reallocarray(t->fd, capacity, sizeof *grown);

		if (!grown) {
			close(fd);
			return -1;
		}
		t->fd = grown;
		t->capacity = capacity;
	}
	t->fd[t->count++] = fd;
	return 0;
}

static void trail_cut(struct trail *t, size_t count)
{
	while (t->count > count)
		close(t->fd[--t->count]);
}

/* LINK's text followed by REST, as the path still to go. With SLASH it has to be a directory. */
static char *read_link(int link, const char *rest, bool slash)
{
	char target[PATH_MAX];
	ssize_t n = readlinkat(link, "", target, sizeof target);
	char *path;

	if (n < 0)
		return NULL;
	if (n == sizeof target) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	if (asprintf(&path, "%.*s%s%s", (int)n, target, slash ? "/" : "", rest) < 0)
		return NULL;
	return path;
}

static int descend(struct trail *t, char *path, int flags, mode_t mode)
{
	auto_free char *todo = path;
	char *p = todo;
	int links = 0;

	for (;;) {
		p += strspn(p, "/");
		size_t length = strcspn(p, "/");
		char *rest = p + length + strspn(p + length, "/");
		int last = !*rest;
		bool must_be_dir = p[length] == '/';
		int here = t->fd[t->count - 1];
		struct stat st;

		p[length] = '\0';
		if (length == 0 || strcmp(p, ".") == 0 || strcmp(p, "..") == 0) {
			if (length == 2 && t->count > 1)
				trail_cut(t, t->count - 1);
			if (last)
				return openat(t->fd[t->count - 1], ".", (flags & ~O_CREAT) | O_CLOEXEC);
			p = rest;
			continue;
		}
		auto_close int fd = openat(here, p, O_PATH | O_NOFOLLOW | O_CLOEXEC);

		if (fd >= 0 && fstat(fd, &st) < 0)
			return -1;
		if (fd >= 0 && S_ISLNK(st.st_mode) && (!last || must_be_dir || !(flags & O_NOFOLLOW))) {
			char *onward = ++links > LINKS_MAX ? NULL : read_link(fd, rest, must_be_dir);

			if (!onward) {
				errno = links > LINKS_MAX ? ELOOP : errno;
				return -1;
			}
			if (onward[0] == '/')
				trail_cut(t, 1);
			free(todo);
			p = todo = onward;
			continue;
		}
		if (last)
			return openat(here, p, flags | O_NOFOLLOW | O_CLOEXEC | (must_be_dir ? O_DIRECTORY : 0),
			              mode);
		if (fd < 0)
			return -1;
		if (!S_ISDIR(st.st_mode)) {
			errno = ENOTDIR;
			return -1;
		}
		if (trail_push(t, take_fd(&fd)) < 0)
			return -1;
		p = rest;
	}
}

int walk_open(int root, const char *path, int flags, mode_t mode)
{
	struct trail trail = { 0 };
	char *copy = strdup(path);
	int fd = -1, number;

	if (copy && trail_push(&trail, fcntl(root, F_DUPFD_CLOEXEC, 0)) == 0)
		fd = descend(&trail, copy, flags, mode);
	else
		free(copy);
	number = errno;
	trail_cut(&trail, 0);
	free(trail.fd);
	errno = number;
	return fd;
}
