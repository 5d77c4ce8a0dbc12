#include "builder/image/tar_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layers/extent.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/tar.h"

#define BUFFER_SIZE (1 << 20)

/* Smaller contents are read into the buffer; larger ones are moved by the kernel. */
#define SMALL (128 << 10)

struct tar_file {
	char *dest;
	int fd;
	int dir; /* where DEST will be; -1 when FD is DEST itself */
	char *name, *aside;
	size_t used;
	char buffer[BUFFER_SIZE];
};

/* --- where it goes ---------------------------------------------------------------------------- */

static int open_aside(struct tar_file *t, const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');
	auto_free char *folder = slash ? strndup(path, (size_t)(slash - path) + 1) : strdup(".");

	t->name = strdup(slash ? slash + 1 : path);
	if (!folder || !t->name ||
	    asprintf(&t->aside, ".%.200s.%d.new", t->name, getpid()) < 0)
		return error_memory(e);
	t->dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (t->dir < 0)
		return error_errno(e, "open %s", folder);
	unlinkat(t->dir, t->aside, 0);
	t->fd = openat(t->dir, t->aside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	return t->fd < 0 ? error_errno(e, "create %s", t->dest) : 0;
}

static int open_dest(struct tar_file *t, struct error *e)
{
	auto_free char *real = NULL;
	struct stat st;

	if (strcmp(t->dest, "-") == 0) {
		if (isatty(STDOUT_FILENO))
			return error_set(e, ERROR_INPUT, "refusing to write a tar to the terminal: "
			                 "redirect it, or name a file with dest=");
		t->fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
		return t->fd < 0 ? error_errno(e, "standard output") : 0;
	}
	if (stat(t->dest, &st) < 0)
		return open_aside(t, t->dest, e);
	if (S_ISDIR(st.st_mode))
		return error_set(e, ERROR_INPUT, "%s is a directory", t->dest);
	if (!S_ISREG(st.st_mode)) {
		t->fd = open(t->dest, O_WRONLY | O_CLOEXEC);
		return t->fd < 0 ? error_errno(e, "open %s", t->dest) : 0;
	}
	/* A link to a file stays a link. */
	real = realpath(t->dest, NULL);
	return real ? open_aside(t, real, e) : error_errno(e, "open %s", t->dest);
}

static void tar_file_free(struct tar_file *t)
{
	if (t->fd >= 0)
		close(t->fd);
	if (t->dir >= 0)
		close(t->dir);
	free(t->dest);
	free(t->name);
	free(t->aside);
	free(t);
}

void tar_file_abandon(struct tar_file *t)
{
	if (!t)
		return;
	if (t->dir >= 0)
		unlinkat(t->dir, t->aside, 0);
	tar_file_free(t);
}

struct tar_file *tar_file_begin(const char *dest, struct error *e)
{
	struct tar_file *t = malloc(sizeof *t);

	if (!t) {
		error_memory(e);
		return NULL;
	}
	t->fd = t->dir = -1;
	t->name = t->aside = NULL;
	t->used = 0;
	t->dest = strdup(dest);
	if (!t->dest || open_dest(t, e) < 0) {
		if (!t->dest)
			error_memory(e);
		tar_file_free(t);
		return NULL;
	}
	return t;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static int flush(struct tar_file *t, struct error *e)
{
	size_t used = t->used;

	t->used = 0;
	return path_write_all(t->fd, t->buffer, used, e) < 0 ? error_context(e, "%s", t->dest) : 0;
}

static int put(struct tar_file *t, const void *bytes, size_t size, struct error *e)
{
	if (size > BUFFER_SIZE - t->used && flush(t, e) < 0)
		return -1;
	if (size > BUFFER_SIZE)
		return path_write_all(t->fd, bytes, size, e) < 0 ? error_context(e, "%s", t->dest) : 0;
	memcpy(t->buffer + t->used, bytes, size);
	t->used += size;
	return 0;
}

static int put_content(struct tar_file *t, const struct content *content, int64_t size,
                       struct error *e)
{
	ssize_t n;

	if (content->memory)
		return put(t, content->memory, (size_t)size, e);
	if (size > SMALL) {
		if (flush(t, e) < 0)
			return -1;
		return extent_copy(content->fd, content->offset, t->fd, size, e);
	}
	if (size > (int64_t)(BUFFER_SIZE - t->used) && flush(t, e) < 0)
		return -1;
	n = path_read_at(content->fd, t->buffer + t->used, (size_t)size, content->offset);
	if (n < 0)
		return error_errno(e, "read");
	if (n != size)
		return error_set(e, ERROR_CORRUPT, "the content is cut short");
	t->used += (size_t)size;
	return 0;
}

int tar_file_add(struct tar_file *t, const struct entry *entry, const struct content *content,
                struct error *e)
{
	static const char zeros[TAR_BLOCK];
	auto_free char *folder = NULL;
	const char *name = entry->path;
	struct tar_header header;

	if (entry->type == ENTRY_DIR) {
		if (asprintf(&folder, "%s/", name) < 0)
			return error_memory(e);
		name = folder;
	}
	if (!tar_header(entry, name, &header)) {
		size_t size;
		auto_free char *records = tar_records(entry, name, &size);

		if (!records)
			return error_memory(e);
		if (put(t, records, size, e) < 0)
			return -1;
	}
	if (put(t, &header, sizeof header, e) < 0)
		return -1;
	if (entry->type != ENTRY_FILE || entry->size == 0)
		return 0;
	if (put_content(t, content, entry->size, e) < 0)
		return error_context(e, "%s", entry->path);
	return put(t, zeros, tar_padding(entry->size), e);
}

int tar_file_finish(struct tar_file *t, struct error *e)
{
	static const char end[2 * TAR_BLOCK];
	int result = put(t, end, sizeof end, e);

	if (result == 0)
		result = flush(t, e);
	if (result == 0 && t->dir >= 0 && fsync(t->fd) < 0)
		result = error_errno(e, "write %s", t->dest);
	if (result == 0 && t->dir >= 0 && renameat(t->dir, t->aside, t->dir, t->name) < 0)
		result = error_errno(e, "write %s", t->dest);
	if (result < 0)
		tar_file_abandon(t);
	else
		tar_file_free(t);
	return result;
}
