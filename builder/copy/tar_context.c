#include "builder/copy/tar_context.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "layers/archive.h"
#include "layers/path.h"
#include "layers/reserve.h"
#include "layers/scope.h"

#define BUFFER_SIZE (256 << 10)

/* The mode of a folder, given when all is in it: the archive may forbid us to write there. */
struct folder {
	char *path;
	mode_t mode;
};

struct unpacking {
	int root;
	struct archive *archive;
	char *buffer;
	struct reserve reserve;
	struct folder *folder;
	size_t count, capacity;
	int64_t newest;
};

/* --- names ------------------------------------------------------------------------------------ */

/* The table path that NAME stands for; NULL and E. The caller frees it. */
static char *clean_name(const char *name, struct error *e)
{
	auto_free char *clean = NULL;
	char *path;

	for (const char *p = name; *p; p += strspn(p, "/")) {
		size_t length = strcspn(p, "/");

		if (length == 2 && p[0] == '.' && p[1] == '.') {
			error_set(e, ERROR_INPUT, "the name leads out of the context");
			return NULL;
		}
		p += length;
	}
	clean = path_clean(name);
	path = clean ? strdup(clean + 1) : NULL;
	if (!path)
		error_memory(e);
	return path;
}

/* The folder that holds PATH's last part, made when it is missing, no link followed. *NAME is that
 * part. */
static int open_parent(struct unpacking *u, const char *path, const char **name, struct error *e)
{
	int dir = openat(u->root, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	const char *slash;

	for (; dir >= 0 && (slash = strchr(path, '/')); path = slash + 1) {
		auto_free char *part = strndup(path, (size_t)(slash - path));
		int next;

		if (!part) {
			close(dir);
			return error_memory(e);
		}
		if (mkdirat(dir, part, 0700) == 0 && fchmodat(dir, part, 0755, 0) < 0)
			error_errno(e, "%s", part);
		next = openat(dir, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(dir);
		dir = next;
	}
	*name = path;
	return dir < 0 ? error_errno(e, "the folder around it") : dir;
}

/* --- members ---------------------------------------------------------------------------------- */

static int write_content(struct unpacking *u, int fd, struct error *e)
{
	ssize_t n;

	while ((n = archive_read(u->archive, u->buffer, BUFFER_SIZE, e)) > 0)
		if (reserve_write(&u->reserve, fd, u->buffer, (size_t)n, e) < 0)
			return -1;
	return n < 0 ? -1 : reserve_end(&u->reserve, fd, e);
}

static int make_file(struct unpacking *u, int dir, const char *name, mode_t mode, struct error *e)
{
	auto_close int fd =
		openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return error_errno(e, "create it");
	if (write_content(u, fd, e) < 0)
		return -1;
	return fchmod(fd, mode) < 0 ? error_errno(e, "set its mode") : 0;
}

static int make_folder(struct unpacking *u, int dir, const char *name, const char *path,
                       mode_t mode, struct error *e)
{
	auto_close int fd = -1;

	if (u->count == u->capacity) {
		size_t capacity = u->capacity ? 2 * u->capacity : 64;
		struct folder *grown = reallocarray(u->folder, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		u->folder = grown;
		u->capacity = capacity;
	}
	if (*name) {
		if (mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
			return error_errno(e, "create it");
		fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (fd < 0)
			return error_errno(e, "create it");
	}
	u->folder[u->count].path = strdup(path);
	u->folder[u->count].mode = mode;
	return u->folder[u->count++].path ? 0 : error_memory(e);
}

static int make_hard_link(struct unpacking *u, int dir, const char *name, const char *target,
                          struct error *e)
{
	auto_free char *path = clean_name(target, e);
	auto_close int from = -1;
	const char *last;
	struct stat st;

	if (!path)
		return -1;
	from = open_parent(u, path, &last, e);
	if (from < 0)
		return -1;
	if (!*last || fstatat(from, last, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, ERROR_INPUT,
		                 "a hard link to %s, which is no file of the archive", target);
	return linkat(from, last, dir, name, 0) < 0 ? error_errno(e, "link it to %s", target) : 0;
}

static int make_member(struct unpacking *u, const struct entry *entry, int dir, const char *name,
                       const char *path, struct error *e)
{
	dev_t device = makedev(entry->major, entry->minor);
	int result;

	switch (entry->type) {
	case ENTRY_DIR:
		return make_folder(u, dir, name, path, entry->mode, e);
	case ENTRY_FILE:
		return make_file(u, dir, name, entry->mode, e);
	case ENTRY_HARDLINK:
		return make_hard_link(u, dir, name, entry->link, e);
	case ENTRY_SYMLINK:
		result = symlinkat(entry->link, dir, name);
		break;
	case ENTRY_FIFO:
		result = mkfifoat(dir, name, entry->mode);
		break;
	default:
		result = mknodat(dir, name,
		                 (entry->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK) | entry->mode,
		                 device);
	}
	return result < 0 ? error_errno(e, "create it") : 0;
}

static int unpack_member(struct unpacking *u, const struct entry *entry, struct error *e)
{
	auto_free char *path = clean_name(entry->path, e);
	auto_close int dir = -1;
	const char *name;
	struct stat st;

	if (!path)
		return -1;
	if (!*path && entry->type != ENTRY_DIR)
		return error_set(e, ERROR_INPUT, "only a folder can stand for the context");
	if (reserve_take(&u->reserve, u->root, RESERVE_FILE, e) < 0)
		return -1;
	dir = open_parent(u, path, &name, e);
	if (dir < 0)
		return -1;
	/* A member takes the place of an earlier one, but for folders, which become one. */
	if (*name && fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    !(S_ISDIR(st.st_mode) && entry->type == ENTRY_DIR) && path_remove(dir, name, e) < 0)
		return -1;
	return make_member(u, entry, dir, name, path, e);
}

/* From the last to the first, so that a folder is closed to us after what is in it. */
static int set_modes(struct unpacking *u, struct error *e)
{
	for (size_t i = u->count; i-- > 0;) {
		auto_close int fd = -1;
		const char *name;
		auto_close int dir = open_parent(u, u->folder[i].path, &name, e);

		if (dir < 0)
			return -1;
		fd = openat(dir, *name ? name : ".",
		            O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		/* What a later member replaced has no mode to be set; the root stays ours. */
		if (fd >= 0 && *name && fchmod(fd, u->folder[i].mode) < 0)
			return error_errno(e, "%s: set its mode", u->folder[i].path);
	}
	return 0;
}

static int unpack_all(struct unpacking *u, struct error *e)
{
	struct entry entry;
	int more;

	while ((more = archive_next(u->archive, &entry, e)) > 0) {
		if (unpack_member(u, &entry, e) < 0)
			return error_context(e, "the context's archive: %s", entry.path);
		if (entry.type == ENTRY_FILE && entry.mtime > u->newest)
			u->newest = entry.mtime;
	}
	if (more == 0 && !archive_was_ended(u->archive))
		more = error_set(e, ERROR_CORRUPT, "it is cut short: it has no end");
	if (more < 0)
		return error_context(e, "the context's archive");
	return set_modes(u, e);
}

int tar_context_unpack(struct store *s, int fd, struct store_temp *place, int64_t *newest,
                       struct error *e)
{
	struct unpacking u = { .root = -1, .newest = -1 };
	int result = archive_open(fd, &u.archive, e);

	if (result <= 0)
		return result;
	u.buffer = malloc(BUFFER_SIZE);
	u.root = u.buffer ? store_temp_dir(s, place, e) : error_memory(e);
	result = u.root < 0 ? -1 : unpack_all(&u, e);
	if (u.root >= 0) {
		close(u.root);
		if (result < 0)
			store_discard(place);
	}
	for (size_t i = 0; i < u.count; i++)
		free(u.folder[i].path);
	free(u.folder);
	free(u.buffer);
	archive_end(u.archive);
	if (newest)
		*newest = u.newest;
	return result < 0 ? -1 : 1;
}

int tar_context_spool(struct store *s, int fd, struct error *e)
{
	auto_free char *buffer = malloc(BUFFER_SIZE);
	struct store_temp temp;
	auto_close int spool = buffer ? store_temp_file(s, &temp, e) : error_memory(e);
	struct reserve reserve = { 0 };
	ssize_t n;

	if (spool < 0)
		return -1;
	store_discard(&temp);
	while ((n = read(fd, buffer, BUFFER_SIZE)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "read the context");
		if (reserve_take(&reserve, spool, n, e) < 0 ||
		    path_write_all(spool, buffer, (size_t)n, e) < 0)
			return error_context(e, "the context");
	}
	if (lseek(spool, 0, SEEK_SET) < 0)
		return error_errno(e, "read the context");
	return take_fd(&spool);
}
