/* Removing a tree that somebody else filled: no link is followed, no other mount is entered. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/scope.h"

/* What begins so is being removed. */
#define REMOVED ".gone."

/* A step may have made a file immutable (chattr +i); without this it could never be removed. */
static void make_mutable(int dir, const char *name)
{
	auto_close int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int flags;

	if (fd >= 0 && ioctl(fd, FS_IOC_GETFLAGS, &flags) == 0) {
		flags &= ~(FS_IMMUTABLE_FL | FS_APPEND_FL);
		ioctl(fd, FS_IOC_SETFLAGS, &flags);
	}
}

static int unlink_stubborn(int dir, const char *name, int flags)
{
	if (unlinkat(dir, name, flags) == 0 || errno == ENOENT)
		return 0;
	if (errno == EPERM) {
		make_mutable(dir, name);
		make_mutable(dir, ".");
		return unlinkat(dir, name, flags);
	}
	if (errno == EACCES && fchmodat(dir, ".", 0700, 0) == 0)
		return unlinkat(dir, name, flags);
	return -1;
}

/* Directories still to be emptied and removed, by the names they have in the top one. */
struct worklist {
	char **name;
	size_t count, capacity;
};

static int worklist_add(struct worklist *list, const char *name)
{
	if (list->count == list->capacity) {
		size_t capacity = list->capacity ? 2 * list->capacity : 16;
		char **grown = reallocarray(list->name, capacity, sizeof *grown);

		if (!grown)
			return -1;
		list->name = grown;
		list->capacity = capacity;
	}
	list->name[list->count] = strdup(name);
	return list->name[list->count] ? (int)list->count++ : -1;
}

static void worklist_release(struct worklist *list)
{
	while (list->count > 0)
		free(list->name[--list->count]);
	free(list->name);
}

static int open_dir(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0 && errno == EACCES && fchmodat(dir, name, 0700, 0) == 0)
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd;
}

/* Move the directory NAME of DIR up into TOP, so that depth costs no stack and no descriptor. */
static int hoist(int dir, const char *name, int top, struct worklist *list, struct error *e)
{
	char aside[48];

	snprintf(aside, sizeof aside, REMOVED "%d.%zu", gettid(), list->count);
	if (renameat(dir, name, top, aside) < 0) {
		auto_close int mended = errno == EACCES ? open_dir(dir, name) : -1;

		if (mended < 0 || fchmod(mended, 0700) < 0 || renameat(dir, name, top, aside) < 0)
			return error_errno(e, "remove %s", name);
	}
	return worklist_add(list, aside) < 0 ? error_memory(e) : 0;
}

static int empty(int top, const char *name, struct worklist *list, struct error *e)
{
	int fd = open_dir(top, name), result = 0;
	struct stat st, outer;
	DIR *stream;

	if (fd < 0)
		return error_errno(e, "open %s", name);
	stream = fdopendir(fd);
	if (!stream || fstat(fd, &st) < 0 || fstat(top, &outer) < 0)
		result = error_errno(e, "read %s", name);
	else if (st.st_dev != outer.st_dev)
		result = error_set(e, ERROR_SYSTEM, "%s is another file system: not removed", name);
	while (result == 0) {
		struct dirent *entry = readdir(stream);

		if (!entry)
			break;
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlink_stubborn(fd, entry->d_name, 0) == 0)
			continue;
		if (errno == EISDIR)
			result = hoist(fd, entry->d_name, top, list, e);
		else
			result = error_errno(e, "remove %s", entry->d_name);
	}
	if (stream)
		closedir(stream);
	else
		close(fd);
	return result;
}

int path_remove(int dir, const char *name, struct error *e)
{
	struct worklist list = { 0 };
	int result = 0;

	if (unlink_stubborn(dir, name, 0) == 0)
		return 0;
	if (errno != EISDIR)
		return error_errno(e, "remove %s", name);
	if (worklist_add(&list, name) < 0)
		result = error_memory(e);
	for (size_t i = 0; result == 0 && i < list.count; i++) {
		if (unlink_stubborn(dir, list.name[i], AT_REMOVEDIR) == 0)
			continue;
		/* What is mounted there may be of the same file system, and somebody's own. */
		if (errno == EBUSY)
			result = error_errno(e, "remove %s", list.name[i]);
		else
			result = empty(dir, list.name[i], &list, e);
		if (result == 0 && unlink_stubborn(dir, list.name[i], AT_REMOVEDIR) < 0)
			result = error_errno(e, "remove %s", list.name[i]);
	}
	worklist_release(&list);
	return result;
}

void path_remove_rest(int dir)
{
	DIR *stream = fdopendir(openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct error ignored;

	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));)
		if (strncmp(entry->d_name, REMOVED, strlen(REMOVED)) == 0)
			path_remove(dir, entry->d_name, &ignored);
	closedir(stream);
}
