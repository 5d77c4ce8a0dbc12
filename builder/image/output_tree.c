#include "builder/image/output_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "builder/image/hard_links.h"
#include "layers/extent.h"
#include "layers/path.h"
#include "layers/scope.h"

/* A directory gets its mode and time when all below it is there. */
struct directory {
	char *path;
	mode_t mode;
	int64_t mtime;
};

struct folder_writer {
	struct stack *stack;
	struct hard_links *links;
	int root;
	int64_t epoch;
	int parent;         /* the directory that PARENT_PATH names, open */
	char *parent_path;
	struct directory *directory;
	size_t count, capacity;
	size_t skipped;
};

/* Under this name in its directory a file is made before it takes its place. */
#define ASIDE ".cairn-output.new"

static int64_t time_of(const struct entry *entry, int64_t epoch)
{
	return epoch >= 0 ? epoch : entry->mtime;
}

/* --- a folder --------------------------------------------------------------------------------- */

/* Make PARENT the directory of PATH; *NAME is its last component. */
static int enter_parent(struct folder_writer *w, const char *path, const char **name,
                        struct error *e)
{
	const char *slash = strrchr(path, '/');
	size_t length = slash ? (size_t)(slash - path) : 0;

	*name = slash ? slash + 1 : path;
	if (w->parent >= 0 && strlen(w->parent_path) == length &&
	    strncmp(w->parent_path, path, length) == 0)
		return 0;
	if (w->parent >= 0)
		close(w->parent);
	w->parent = -1;
	free(w->parent_path);
	w->parent_path = strndup(path, length);
	if (!w->parent_path)
		return error_memory(e);
	w->parent = path_open(w->root, w->parent_path, O_RDONLY | O_DIRECTORY, 0, e);
	return w->parent < 0 ? -1 : 0;
}

/* What was made aside becomes NAME, whatever that is now. */
static int take_place(struct folder_writer *w, const char *name, struct error *e)
{
	if (renameat(w->parent, ASIDE, w->parent, name) == 0)
		return 0;
	if (errno != EISDIR && errno != ENOTEMPTY && errno != EEXIST)
		return error_errno(e, "write %s", name);
	if (path_remove(w->parent, name, e) < 0)
		return -1;
	if (renameat(w->parent, ASIDE, w->parent, name) < 0)
		return error_errno(e, "write %s", name);
	return 0;
}

static int make_directory(struct folder_writer *w, const struct entry *entry, const char *name,
                          struct error *e)
{
	struct stat st;

	if (w->count == w->capacity) {
		size_t capacity = w->capacity ? 2 * w->capacity : 64;
		struct directory *grown = reallocarray(w->directory, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		w->directory = grown;
		w->capacity = capacity;
	}
	if (fstatat(w->parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		if (!S_ISDIR(st.st_mode) && path_remove(w->parent, name, e) < 0)
			return -1;
		/* It may be one that even its owner may not write to. */
		if (S_ISDIR(st.st_mode) && (st.st_mode & 0700) != 0700)
			fchmodat(w->parent, name, (st.st_mode & 07777) | 0700, 0);
	}
	if (mkdirat(w->parent, name, 0700) < 0 && errno != EEXIST)
		return error_errno(e, "create %s", name);
	w->directory[w->count] = (struct directory){ strdup(entry->path), entry->mode,
		                                     time_of(entry, w->epoch) };
	return w->directory[w->count++].path ? 0 : error_memory(e);
}

static int make_file(struct folder_writer *w, const struct found *found, struct error *e)
{
	const struct entry *entry = &found->entry;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                     { .tv_sec = time_of(entry, w->epoch) } };
	auto_close int fd = openat(w->parent, ASIDE, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct content content;

	if (fd < 0)
		return error_errno(e, "create a file");
	if (entry->size > 0 &&
	    (stack_content(w->stack, found, &content, e) < 0 ||
	     extent_copy(content.fd, content.offset, fd, entry->size, e) < 0))
		return -1;
	if (fchmod(fd, entry->mode) < 0 || futimens(fd, times) < 0)
		return error_errno(e, "write");
	return 0;
}

/* Another name of FIRST, which was written before. */
static int make_link(struct folder_writer *w, const char *first, struct error *e)
{
	const char *slash = strrchr(first, '/');
	auto_free char *folder = strndup(first, slash ? (size_t)(slash - first) : 0);
	auto_close int dir = -1;

	if (!folder)
		return error_memory(e);
	dir = path_open(w->root, folder, O_PATH | O_DIRECTORY, 0, e);
	if (dir < 0)
		return -1;
	if (linkat(dir, slash ? slash + 1 : first, w->parent, ASIDE, 0) < 0)
		return error_errno(e, "link to %s", first);
	return 0;
}

static int make_file_or_link(struct folder_writer *w, const struct found *found, struct error *e)
{
	const char *first;

	if (hard_links_first(w->links, found, &first, e) < 0)
		return -1;
	return first ? make_link(w, first, e) : make_file(w, found, e);
}

/* A symlink, device or pipe; 1 when this user may not make it. */
static int make_special(struct folder_writer *w, const struct entry *entry, struct error *e)
{
	static const mode_t types[] = {
		[ENTRY_CHAR] = S_IFCHR, [ENTRY_BLOCK] = S_IFBLK, [ENTRY_FIFO] = S_IFIFO,
	};
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
		                     { .tv_sec = time_of(entry, w->epoch) } };
	int result;

	if (entry->type == ENTRY_SYMLINK)
		result = symlinkat(entry->link, w->parent, ASIDE);
	else
		result = mknodat(w->parent, ASIDE, types[entry->type] | 0600,
		                 makedev(entry->major, entry->minor));
	if (result < 0 && errno == EPERM && entry->type != ENTRY_SYMLINK)
		return 1;
	if (result < 0)
		return error_errno(e, "create");
	if (entry->type != ENTRY_SYMLINK)
		fchmodat(w->parent, ASIDE, entry->mode, 0);
	utimensat(w->parent, ASIDE, times, AT_SYMLINK_NOFOLLOW);
	return 0;
}

static int write_entry(void *context, const struct found *found, struct error *e)
{
	struct folder_writer *w = context;
	const struct entry *entry = &found->entry;
	const char *name;
	int result;

	if (enter_parent(w, entry->path, &name, e) < 0)
		return -1;
	if (entry->type == ENTRY_DIR)
		return make_directory(w, entry, name, e);
	unlinkat(w->parent, ASIDE, 0);
	result = entry->type == ENTRY_FILE ? make_file_or_link(w, found, e)
	                                   : make_special(w, entry, e);
	if (result > 0) {
		w->skipped++;
		return 0;
	}
	if (result == 0)
		result = take_place(w, name, e);
	if (result < 0) {
		unlinkat(w->parent, ASIDE, 0);
		return error_context(e, "%s", entry->path);
	}
	return 0;
}

/* Remove what the directory PATH, open as FD, has beside what the image has. */
static int remove_others(struct folder_writer *w, const char *path, int fd, struct error *e)
{
	DIR *stream = fdopendir(openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	int result = 0;

	if (!stream)
		return error_errno(e, "open %s", path);
	for (struct dirent *entry; result == 0 && (entry = readdir(stream));) {
		auto_free char *inside = NULL;
		struct found found;

		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (asprintf(&inside, "%s%s%s", path, *path ? "/" : "", entry->d_name) < 0)
			result = error_memory(e);
		else if ((result = stack_lookup(w->stack, inside, &found, e)) == 0)
			result = path_remove(fd, entry->d_name, e);
		else if (result > 0)
			result = 0;
	}
	closedir(stream);
	return result;
}

/* Innermost first, so that a directory's time is not changed by what is done below it. */
static int finish_directories(struct folder_writer *w, bool mirror, struct error *e)
{
	for (size_t i = w->count; i-- > 0;) {
		const struct directory *d = &w->directory[i];
		struct timespec times[2] = { { .tv_nsec = UTIME_OMIT }, { .tv_sec = d->mtime } };
		auto_close int fd = path_open(w->root, d->path, O_RDONLY | O_DIRECTORY, 0, e);

		if (fd < 0 || (mirror && remove_others(w, d->path, fd, e) < 0))
			return -1;
		if (fchmod(fd, d->mode) < 0 || futimens(fd, times) < 0)
			return error_errno(e, "write %s", d->path);
	}
	return mirror ? remove_others(w, "", w->root, e) : 0;
}

int output_folder(struct stack *st, const char *dest, int64_t epoch, bool mirror,
                  size_t *skipped, struct error *e)
{
	struct folder_writer w = { .stack = st, .epoch = epoch, .parent = -1 };
	int result = -1;

	w.root = path_make_user_dirs(dest, 0755, e);
	w.links = w.root >= 0 ? hard_links_find(st, e) : NULL;
	if (w.links && stack_walk(st, "", true, write_entry, &w, e) == 0)
		result = finish_directories(&w, mirror, e);
	hard_links_free(w.links);
	if (w.root >= 0)
		close(w.root);
	if (w.parent >= 0)
		close(w.parent);
	for (size_t i = 0; i < w.count; i++)
		free(w.directory[i].path);
	free(w.directory);
	free(w.parent_path);
	*skipped = w.skipped;
	return result < 0 ? error_context(e, "%s", dest) : 0;
}

/* --- a tar ------------------------------------------------------------------------------------ */

struct tar_output {
	struct stack *stack;
	struct hard_links *links;
	struct tar_file *tar;
	const char *prefix;
	int64_t epoch;
};

static int tar_entry(void *context, const struct found *found, struct error *e)
{
	const struct tar_output *to = context;
	struct entry entry = found->entry;
	struct content content = { .fd = -1 };
	auto_free char *path = NULL, *link = NULL;
	const char *first = NULL;

	if (entry.type == ENTRY_FILE && hard_links_first(to->links, found, &first, e) < 0)
		return -1;
	if (entry.type == ENTRY_FILE && entry.size > 0 && !first &&
	    stack_content(to->stack, found, &content, e) < 0)
		return -1;
	if (asprintf(&path, "%s%s", to->prefix, entry.path) < 0 ||
	    (first && asprintf(&link, "%s%s", to->prefix, first) < 0))
		return error_memory(e);
	entry.path = path;
	if (first) {
		entry.type = ENTRY_HARDLINK;
		entry.link = link;
		entry.size = 0;
	}
	entry.mtime = time_of(&entry, to->epoch);
	return tar_file_add(to->tar, &entry, &content, e);
}

/* The root itself, when it is not what everybody takes it for. */
static int tar_root(const struct tar_output *to, struct error *e)
{
	struct found root;

	if (stack_lookup(to->stack, "", &root, e) < 0)
		return -1;
	if (*to->prefix || (root.entry.mode == 0755 && root.entry.uid == 0 && root.entry.gid == 0 &&
	                    root.entry.xattrs_size == 0))
		return 0;
	root.entry.path = ".";
	return tar_entry((void *)to, &root, e);
}

int output_tar(struct stack *st, struct tar_file *t, const char *prefix, int64_t epoch,
               struct error *e)
{
	struct tar_output to = { st, hard_links_find(st, e), t, prefix, epoch };
	int result = to.links ? tar_root(&to, e) : -1;

	if (result == 0)
		result = stack_walk(st, "", true, tar_entry, &to, e);
	hard_links_free(to.links);
	return result;
}
