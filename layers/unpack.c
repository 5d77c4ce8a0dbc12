#include "layers/unpack.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "layers/archive.h"
#include "layers/implied.h"
#include "layers/interrupted.h"
#include "layers/path.h"
#include "layers/reserve.h"
#include "layers/restore.h"
#include "layers/scope.h"
#include "layers/tarball.h"

#define BUFFER_SIZE (128 << 10)

struct unpack {
	const struct table *table;
	struct stack *under;
	const struct tree_rules *rules;
	int root;
	int dir;          /* the directory last worked in, and its path */
	char *dir_path;
	size_t dir_size, dir_capacity;
	char **implied;   /* directories that no entry names, in the order they were made */
	size_t implied_count, implied_capacity;
	unsigned char *buffer;
	struct reserve reserve;
	bool has_files;   /* and their directories */
};

static int unpack_failed(struct error *e, const char *path)
{
	return error_errno(e, "unpack %s", path);
}

/* --- where things go ---------------------------------------------------------------------------- */

static int imply(struct unpack *u, const char *path, size_t size, struct error *e)
{
	if (u->implied_count == u->implied_capacity) {
		size_t capacity = u->implied_capacity ? 2 * u->implied_capacity : 16;
		char **grown = reallocarray(u->implied, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		u->implied = grown;
		u->implied_capacity = capacity;
	}
	u->implied[u->implied_count] = strndup(path, size);
	if (!u->implied[u->implied_count])
		return error_memory(e);
	u->implied_count++;
	return 0;
}

/* One step down: NAME in the directory AT. */
static int descend(struct unpack *u, int at, const char *name, const char *path, size_t size,
                   struct error *e)
{
	int flags = O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
	int fd = openat(at, name, flags);

	if (fd < 0 && errno == ENOENT) {
		if (mkdirat(at, name, 0700) < 0)
			return unpack_failed(e, path);
		if (imply(u, path, size, e) < 0)
			return -1;
		fd = openat(at, name, flags);
	}
	return fd < 0 ? unpack_failed(e, path) : fd;
}

static void leave(struct unpack *u)
{
	if (u->dir != u->root)
		close(u->dir);
	u->dir = u->root;
	u->dir_size = 0;
}

/* Go to the directory that is the first SIZE bytes of PATH, from the one before when it lies below
 * that, component by component. */
static int go_to(struct unpack *u, const char *path, size_t size, struct error *e)
{
	char name[NAME_MAX + 1];

	if (u->dir_size > 0 &&
	    (u->dir_size > size || memcmp(u->dir_path, path, u->dir_size) != 0 ||
	     (u->dir_size < size && path[u->dir_size] != '/')))
		leave(u);
	if (size + 1 > u->dir_capacity) {
		char *grown = realloc(u->dir_path, 2 * (size + 1));

		if (!grown)
			return error_memory(e);
		u->dir_path = grown;
		u->dir_capacity = 2 * (size + 1);
	}
	while (u->dir_size < size) {
		size_t from = u->dir_size + (u->dir_size > 0);
		size_t length = strcspn(path + from, "/");
		int fd;

		if (length > NAME_MAX)
			return error_set(e, ERROR_CORRUPT, "unpack %s: a name is too long", path);
		memcpy(name, path + from, length);
		name[length] = '\0';
		fd = descend(u, u->dir, name, path, from + length, e);
		if (fd < 0)
			return -1;
		if (u->dir != u->root)
			close(u->dir);
		u->dir = fd;
		memcpy(u->dir_path, path, from + length);
		u->dir_size = from + length;
	}
	return 0;
}

/* Go to PATH's directory; returns PATH's last component. */
static const char *go_beside(struct unpack *u, const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/');

	if (go_to(u, path, slash ? (size_t)(slash - path) : 0, e) < 0)
		return NULL;
	return slash ? slash + 1 : path;
}

/* --- contents ----------------------------------------------------------------------------------- */

/* Where a content comes from: READ gives the next bytes. */
struct source {
	ssize_t (*read)(void *context, void *buffer, size_t size, struct error *e);
	void *context;
};

static int copy_content(struct unpack *u, int fd, const struct entry *entry,
                        const struct source *from, struct error *e)
{
	int64_t left = entry->size;
	struct sha256 hash;
	struct digest found;

	sha256_begin(&hash);
	while (left > 0) {
		ssize_t n = from->read(from->context, u->buffer,
		                       left < BUFFER_SIZE ? (size_t)left : BUFFER_SIZE, e);

		if (n < 0)
			return error_context(e, "unpack %s", entry->path);
		if (n == 0)
			return error_set(e, ERROR_CORRUPT, "unpack %s: the layer is cut short", entry->path);
		sha256_add(&hash, u->buffer, (size_t)n);
		if (reserve_write(&u->reserve, fd, u->buffer, (size_t)n, e) < 0)
			return error_context(e, "unpack %s", entry->path);
		left -= n;
	}
	if (entry->size > 0 && reserve_end(&u->reserve, fd, e) < 0)
		return error_context(e, "unpack %s", entry->path);
	sha256_end(&hash, &found);
	if (!digest_equal(&found, &entry->digest))
		return error_set(e, ERROR_CORRUPT, "unpack %s: the layer is damaged", entry->path);
	return 0;
}

static int make_file(struct unpack *u, const struct entry *entry, const struct source *from,
                     struct error *e)
{
	const char *name = go_beside(u, entry->path, e);
	int fd, result;

	if (!name)
		return -1;
	fd = openat(u->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return unpack_failed(e, entry->path);
	result = reserve_take(&u->reserve, fd, RESERVE_FILE, e);
	if (result < 0)
		error_context(e, "unpack %s", entry->path);
	else
		result = copy_content(u, fd, entry, from, e);
	if (result == 0)
		result = restore_metadata(u->rules, fd, entry, e);
	if (close(fd) < 0 && result == 0)
		result = unpack_failed(e, entry->path);
	return result;
}

static ssize_t read_tarball(void *context, void *buffer, size_t size, struct error *e)
{
	return tarball_read(context, buffer, size, e);
}

static ssize_t read_archive(void *context, void *buffer, size_t size, struct error *e)
{
	return archive_read(context, buffer, size, e);
}

/* A file whose content is in pieces: its headers say where. */
static int make_sparse(struct unpack *u, const struct entry *entry, struct tarball *tar,
                       struct error *e)
{
	struct archive *a = archive_begin(read_tarball, tar, e);
	struct source from = { read_archive, a };
	struct entry again;
	int result;

	if (!a)
		return -1;
	result = archive_next(a, &again, e);
	if (result == 0 || (result > 0 && again.size != entry->size))
		result = error_set(e, ERROR_CORRUPT, "unpack %s: the layer is damaged", entry->path);
	if (result > 0)
		result = make_file(u, entry, &from, e);
	archive_end(a);
	return result;
}

/* Where in the tar an entry's content, or its headers, begin. */
static int64_t place_of(const struct entry *entry)
{
	return entry->offset < 0 ? -entry->offset - 1 : entry->offset;
}

static int by_place(const void *a, const void *b, void *table)
{
	struct entry x, y;

	table_get(table, *(const uint32_t *)a, &x);
	table_get(table, *(const uint32_t *)b, &y);
	return place_of(&x) < place_of(&y) ? -1 : place_of(&x) > place_of(&y);
}

static int make_files(struct unpack *u, struct tarball *tar, struct error *e)
{
	struct source from = { read_tarball, tar };
	size_t count = table_count(u->table), files = 0;
	auto_free uint32_t *file = calloc(count + 1, sizeof *file);
	struct entry entry;
	int64_t last = -1;
	bool sorted = true;

	if (!file)
		return error_memory(e);
	for (size_t i = 0; i < count; i++) {
		table_get(u->table, i, &entry);
		if (entry.type != ENTRY_FILE)
			continue;
		file[files++] = (uint32_t)i;
		sorted &= place_of(&entry) > last;
		last = place_of(&entry);
	}
	if (!sorted)
		qsort_r(file, files, sizeof *file, by_place, (void *)u->table);
	for (size_t i = 0; i < files; i++) {
		table_get(u->table, file[i], &entry);
		if (interrupted_check(e) < 0)
			return -1;
		if (entry.size > 0 && tarball_seek(tar, place_of(&entry), e) < 0)
			return error_context(e, "unpack %s", entry.path);
		if ((entry.offset < 0 ? make_sparse(u, &entry, tar, e)
		                      : make_file(u, &entry, &from, e)) < 0)
			return -1;
	}
	return 0;
}

/* --- everything else ---------------------------------------------------------------------------- */

static int mark_opaque(const struct unpack *u, int fd, const char *path, struct error *e)
{
	const char *name = u->rules->user_xattrs ? "user.overlay.opaque" : "trusted.overlay.opaque";

	if (fsetxattr(fd, name, "y", 1, 0) < 0)
		return error_errno(e, "unpack %s: attribute %s", path, name);
	return 0;
}

static int make_dir(struct unpack *u, const char *name, const struct entry *entry, struct error *e)
{
	auto_close int fd = -1;

	if (mkdirat(u->dir, name, 0700) < 0 && !(u->has_files && errno == EEXIST))
		return unpack_failed(e, entry->path);
	if (entry->type != ENTRY_OPAQUE)
		return 0;
	fd = openat(u->dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return unpack_failed(e, entry->path);
	return mark_opaque(u, fd, entry->path, e);
}

static int make_device(struct unpack *u, const char *name, const struct entry *entry,
                       struct error *e)
{
	mode_t type = entry->type == ENTRY_CHAR ? S_IFCHR : S_IFBLK;

	if (!u->rules->make_devices)
		return 0;
	/* To overlayfs this number is a deleted file. */
	if (entry->major == 0 && entry->minor == 0 && entry->type == ENTRY_CHAR)
		return error_set(e, ERROR_CORRUPT, "unpack %s: a device 0:0 cannot be kept", entry->path);
	if (mknodat(u->dir, name, type | 0600, makedev(entry->major, entry->minor)) < 0)
		return unpack_failed(e, entry->path);
	return restore_metadata_at(u->rules, u->dir, name, entry, e);
}

/* On an overlay nobody can make a device 0:0. */
static int mark_whiteout(const struct unpack *u, const char *name, const struct entry *entry,
                         struct error *e)
{
	const char *mark = u->rules->user_xattrs ? "user.overlay.whiteout" : "trusted.overlay.whiteout";
	auto_close int fd = openat(u->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || fsetxattr(fd, mark, "y", 1, 0) < 0)
		return unpack_failed(e, entry->path);
	return 0;
}

/* Where there is nothing to hide, in an opaque directory or in one that is of this layer alone,
 * overlayfs would list the whiteout itself as a file that cannot be opened (H092, H093). */
static int make_whiteout(struct unpack *u, const char *name, const struct entry *entry,
                         const char *opaque, struct error *e)
{
	struct found found;
	int hides = u->under ? stack_lookup(u->under, entry->path, &found, e) : 1;

	if (hides <= 0 || (opaque && path_is_below(entry->path, opaque)))
		return hides < 0 ? -1 : 0;
	if (mknodat(u->dir, name, S_IFCHR, makedev(0, 0)) == 0)
		return 0;
	return errno == EPERM ? mark_whiteout(u, name, entry, e) : unpack_failed(e, entry->path);
}

/* Directories, links, pipes, devices and whiteouts: what has no content. */
static int make_node(struct unpack *u, const struct entry *entry, const char *opaque,
                     struct error *e)
{
	const char *name = go_beside(u, entry->path, e);
	int result = 0;

	if (!name)
		return -1;
	if (reserve_take(&u->reserve, u->root, RESERVE_FILE, e) < 0)
		return error_context(e, "unpack %s", entry->path);
	switch (entry->type) {
	case ENTRY_DIR:
	case ENTRY_OPAQUE:
		return make_dir(u, name, entry, e);
	case ENTRY_SYMLINK:
		result = symlinkat(entry->link ? entry->link : "", u->dir, name);
		break;
	case ENTRY_FIFO:
		result = mkfifoat(u->dir, name, 0600);
		break;
	case ENTRY_WHITEOUT:
		return make_whiteout(u, name, entry, opaque, e);
	default:
		return make_device(u, name, entry, e);
	}
	if (result < 0)
		return unpack_failed(e, entry->path);
	return restore_metadata_at(u->rules, u->dir, name, entry, e);
}

static int make_nodes(struct unpack *u, struct error *e)
{
	auto_free char *opaque = NULL;
	struct entry entry;

	for (size_t i = 0; i < table_count(u->table); i++) {
		table_get(u->table, i, &entry);
		if (entry.type == ENTRY_OPAQUE && !(opaque && path_is_below(entry.path, opaque))) {
			free(opaque);
			opaque = strdup(entry.path);
			if (!opaque)
				return error_memory(e);
		}
		if (*entry.path && entry.type != ENTRY_FILE && entry.type != ENTRY_HARDLINK &&
		    make_node(u, &entry, opaque, e) < 0)
			return -1;
	}
	return 0;
}

static ssize_t read_content(void *context, void *buffer, size_t size, struct error *e)
{
	struct content *content = context;
	ssize_t n = path_read_at(content->fd, buffer, size, content->offset);

	if (n < 0)
		return error_errno(e, "read a layer");
	content->offset += n;
	return n;
}

/* A file of a lower layer gets one more name: its content is copied up. */
static int copy_up(struct unpack *u, const struct entry *entry, struct error *e)
{
	struct found found;
	struct content content;
	struct entry copy;
	int hidden = table_hides(u->table, entry->link);
	int result = u->under && hidden == 0 ? stack_lookup(u->under, entry->link, &found, e) : 0;

	if (hidden < 0)
		return error_memory(e);
	if (result < 0)
		return -1;
	if (result == 0 || found.entry.type != ENTRY_FILE)
		return error_set(e, ERROR_CORRUPT, "unpack %s: a hard link to %s, which is no file",
		                 entry->path, entry->link);
	if (stack_content(u->under, &found, &content, e) < 0)
		return error_context(e, "unpack %s", entry->path);
	copy = found.entry;
	copy.path = entry->path;
	struct source from = { read_content, &content };

	return make_file(u, &copy, &from, e);
}

static int make_link(struct unpack *u, const struct entry *entry, struct error *e)
{
	const char *target = go_beside(u, entry->link, e), *name;
	auto_close int from = target ? fcntl(u->dir, F_DUPFD_CLOEXEC, 0) : -1;

	if (!target)
		return -1;
	name = from < 0 ? NULL : go_beside(u, entry->path, e);
	if (from < 0)
		return unpack_failed(e, entry->path);
	if (!name)
		return -1;
	if (linkat(from, target, u->dir, name, 0) == 0)
		return 0;
	/* A device that was left out has no other names either. */
	return errno == ENOENT && !u->rules->make_devices ? 0 : unpack_failed(e, entry->path);
}

/* Does the layer itself have the file PATH? */
static bool is_own(const struct table *t, const char *path)
{
	ssize_t at = table_find(t, path);
	struct entry entry;

	if (at >= 0)
		table_get(t, (size_t)at, &entry);
	return at >= 0 && entry.type != ENTRY_WHITEOUT;
}

static int make_links(struct unpack *u, struct error *e)
{
	struct entry entry;

	for (size_t i = 0; i < table_count(u->table); i++) {
		table_get(u->table, i, &entry);
		if (entry.type != ENTRY_HARDLINK)
			continue;
		if (!entry.link)
			return error_set(e, ERROR_CORRUPT, "unpack %s: the table is damaged", entry.path);
		if ((is_own(u->table, entry.link) ? make_link : copy_up)(u, &entry, e) < 0)
			return -1;
	}
	return 0;
}

/* --- directories last, deepest first: their times stay then (H121) ------------------------------ */

static int finish_dir(struct unpack *u, const struct entry *entry, struct error *e)
{
	auto_close int fd = -1;

	if (go_to(u, entry->path, strlen(entry->path), e) < 0)
		return -1;
	fd = openat(u->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return unpack_failed(e, entry->path);
	return restore_metadata(u->rules, fd, entry, e);
}

static int finish_dirs(struct unpack *u, struct error *e)
{
	struct entry root = { .path = "", .mode = 0755 }, entry;

	while (u->implied_count > 0) {
		char *path = u->implied[u->implied_count - 1];
		struct entry implied;

		if (implied_dir(u->table, u->under, path, &implied, e) < 0 || finish_dir(u, &implied, e) < 0)
			return -1;
		free(path);
		u->implied_count--;
	}
	for (size_t i = table_count(u->table); i-- > 0;) {
		table_get(u->table, i, &entry);
		if (!*entry.path)
			root = entry;
		else if ((entry.type == ENTRY_DIR || entry.type == ENTRY_OPAQUE) &&
		         finish_dir(u, &entry, e) < 0)
			return -1;
	}
	return finish_dir(u, &root, e);
}

static void release(struct unpack *u)
{
	leave(u);
	while (u->implied_count > 0)
		free(u->implied[--u->implied_count]);
	free(u->implied);
	free(u->dir_path);
	free(u->buffer);
}

static int unpack_all(struct unpack *u, struct tarball *tar, struct error *e)
{
	if (make_nodes(u, e) < 0 || (!u->has_files && make_files(u, tar, e) < 0) ||
	    make_links(u, e) < 0)
		return -1;
	return finish_dirs(u, e);
}

int unpack(struct store *s, const struct layer *layer, const struct table *table,
           struct stack *under, const struct tree_rules *rules, int root, struct error *e)
{
	struct unpack u = {
		.table = table, .under = under, .rules = rules, .root = root, .dir = root,
		.buffer = malloc(BUFFER_SIZE),
	};
	struct tarball *tar = u.buffer ? tarball_open(s, layer, e) : NULL;
	int result = tar ? unpack_all(&u, tar, e) : u.buffer ? -1 : error_memory(e);

	tarball_close(tar);
	release(&u);
	return result;
}

int unpack_rest(const struct table *table, const struct tree_rules *rules, int root,
                struct error *e)
{
	struct unpack u = {
		.table = table, .rules = rules, .root = root, .dir = root, .has_files = true,
	};
	int result = unpack_all(&u, NULL, e);

	release(&u);
	return result;
}
