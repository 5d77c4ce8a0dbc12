/* What stands in for a mount: made aside, in the work directory. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>

#include "builder/sandbox/copied_tree.h"
#include "builder/sandbox/stand_in_parts.h"
#include "layers/path.h"
#include "layers/scope.h"

static int make_folder(int work, const char *name, mode_t mode, struct error *e)
{
	auto_close int dir = -1;

	if (mkdirat(work, name, 0700) < 0 ||
	    (dir = openat(work, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    fchmod(dir, mode) < 0)
		return error_errno(e, "create a folder");
	return take_fd(&dir);
}

static int make_file(int work, const char *name, const struct sandbox_mount *m, struct error *e)
{
	auto_close int fd = openat(work, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(e, "create a file");
	if (path_write_all(fd, m->data, m->size, e) < 0)
		return -1;
	if ((sandbox_keeps_owners() && fchown(fd, m->uid, m->gid) < 0) || fchmod(fd, m->mode) < 0)
		return error_errno(e, "set owner and mode");
	return 0;
}

/* Those of an image's layers that M wants, and of those the part it wants. */
static int make_image(const struct stand_ins *s, const char *name, const struct sandbox_mount *m,
                      struct error *e)
{
	auto_close int tree = copied_tree_make(s->run->store, m->lower, s->run->work, "image", e);
	auto_close int part = tree < 0 ? -1 : path_open(tree, m->subpath, O_PATH, 0, e);
	char link[64], path[PATH_MAX];
	ssize_t length;

	if (part < 0)
		return -1;
	snprintf(link, sizeof link, "/proc/self/fd/%d", part);
	length = readlink(link, path, sizeof path - 1);
	if (length < 0)
		return error_errno(e, "find %s", m->subpath);
	path[length] = '\0';
	if (renameat(AT_FDCWD, path, s->run->work, name) < 0)
		return error_errno(e, "move %s", m->subpath);
	return path_remove(s->run->work, "image", e);
}

int stand_in_move_all(int from, int to, struct error *e)
{
	int fd = openat(from, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), status = 0;
	DIR *list = fd < 0 ? NULL : fdopendir(fd);
	bool moved = true;

	if (!list) {
		error_errno(e, "read a folder");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	/* Nobody promises that a list is complete while names in it go away. */
	while (status == 0 && moved) {
		struct dirent *entry;

		moved = false;
		rewinddir(list);
		while (status == 0 && (entry = readdir(list))) {
			if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
				continue;
			moved = renameat(from, entry->d_name, to, entry->d_name) == 0;
			status = moved ? 0 : error_errno(e, "move %s", entry->d_name);
		}
	}
	closedir(list);
	return status;
}

/* The cache itself stays where it is, for others to wait at. */
static int borrow(const struct stand_ins *s, const char *name, const struct sandbox_mount *m,
                  struct stand_in *item, struct error *e)
{
	item->lender = m->source;
	item->lent = make_folder(s->run->work, name, 0700, e);
	if (item->lent < 0 || stand_in_move_all(item->lender, item->lent, e) < 0)
		return -1;
	return copied_tree_dress(item->lender, item->lent, e);
}

/* A name of any length does not fit an address: the descriptor does. */
static int make_agent(const struct stand_ins *s, const char *name, const struct sandbox_mount *m,
                      struct stand_in *item, struct error *e)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d/%s", s->run->work, name);
	item->source = m->source;
	item->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (item->listening < 0 ||
	    bind(item->listening, (struct sockaddr *)&address, sizeof address) < 0 ||
	    (sandbox_keeps_owners() && fchownat(s->run->work, name, m->uid, m->gid, 0) < 0) ||
	    fchmodat(s->run->work, name, m->mode, 0) < 0 || listen(item->listening, 16) < 0)
		return error_errno(e, "make a socket");
	return 0;
}

int stand_in_make(const struct stand_ins *s, const char *name, const struct sandbox_mount *m,
                  struct stand_in *item, struct error *e)
{
	auto_close int folder = -1;

	switch (m->kind) {
	case SANDBOX_BIND:
		return borrow(s, name, m, item, e);
	case SANDBOX_IMAGE:
		return make_image(s, name, m, e);
	case SANDBOX_TMPFS:
		folder = make_folder(s->run->work, name, m->mode, e);
		return folder < 0 ? -1 : 0;
	case SANDBOX_FILE:
		return make_file(s->run->work, name, m, e);
	case SANDBOX_AGENT:
		return make_agent(s, name, m, item, e);
	}
	return error_set(e, ERROR_UNSUPPORTED, "a mount of an unknown kind");
}

/* --- /dev ------------------------------------------------------------------------------------- */

/* A node that cannot be made, or not be used, is left out. Only without a place to throw things
 * away nothing would work: a file does. */
static int make_nodes(int dev, struct error *e)
{
	static const struct {
		const char *name;
		unsigned major, minor;
	} nodes[] = {
		{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 },
		{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
	};

	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
		const char *name = nodes[i].name;
		auto_close int fd = -1;

		if (mknodat(dev, name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)) == 0 &&
		    fchmodat(dev, name, 0666, 0) == 0)
			fd = openat(dev, name, O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		if (fd >= 0 || errno == ENXIO)
			continue;
		unlinkat(dev, name, 0);
		if (i > 0)
			continue;
		fd = openat(dev, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
		if (fd < 0 || fchmod(fd, 0666) < 0)
			return error_errno(e, "create /dev/%s", name);
	}
	return 0;
}

int stand_in_fill_dev(int dev, struct error *e)
{
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" },
		{ "/proc/self/fd/1", "stdout" }, { "/proc/self/fd/2", "stderr" },
	};

	if (make_nodes(dev, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		if (symlinkat(links[i][0], dev, links[i][1]) < 0)
			return error_errno(e, "create /dev/%s", links[i][1]);
	if (mkdirat(dev, "shm", 0700) < 0 || fchmodat(dev, "shm", 01777, 0) < 0)
		return error_errno(e, "create /dev/shm");
	return 0;
}
