/* The times of files in a tree. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/scope.h"
#include "layers/tree.h"

/* The folder of the last file. */
struct folder {
	int tree, fd;
	char *path;
};

static const char *last_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* Go to the folder that PATH is in. */
static int go_beside(struct folder *f, const char *path, struct error *e)
{
	size_t size = (size_t)(last_name(path) - path);

	if (f->path && strncmp(f->path, path, size) == 0 && !f->path[size])
		return 0;
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	f->path = strndup(path, size);
	f->fd = f->path ? path_open(f->tree, f->path, O_PATH | O_DIRECTORY, 0, e) : error_memory(e);
	return f->fd < 0 ? -1 : 0;
}

/* What has its time already is not touched. */
static int set_time(struct folder *f, const struct entry *entry, int64_t time, bool is_known,
                    struct error *e)
{
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	const char *name = last_name(entry->path);
	struct stat st;

	times[1].tv_sec = time / 1000000000 - (time % 1000000000 < 0);
	times[1].tv_nsec = time - times[1].tv_sec * 1000000000;
	if (go_beside(f, entry->path, e) < 0)
		return -1;
	if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "stat %s", entry->path);
	if (!S_ISREG(st.st_mode) ||
	    (st.st_mtim.tv_sec == times[1].tv_sec && st.st_mtim.tv_nsec == times[1].tv_nsec) ||
	    (!is_known && st.st_mtim.tv_sec != LAYER_TIME))
		return 0;
	if (utimensat(f->fd, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "set the time of %s", entry->path);
	return 0;
}

int tree_set_times(struct store *s, const char *path, const struct table *table,
                   const int64_t *time, int64_t otherwise, struct error *e)
{
	auto_close int store = open(store_path(s), O_PATH | O_DIRECTORY | O_CLOEXEC);
	struct folder f = { .tree = -1, .fd = -1 };
	int result = 0;

	if (store < 0)
		return error_errno(e, "open %s", store_path(s));
	f.tree = path_open(store, path, O_PATH | O_DIRECTORY, 0, e);
	if (f.tree < 0)
		return -1;
	for (size_t i = 0; result == 0 && i < table_count(table); i++) {
		bool is_known = time && time[i] != TREE_NO_TIME;
		struct entry entry;

		table_get(table, i, &entry);
		if (entry.type == ENTRY_FILE && (is_known || entry.mtime == LAYER_TIME))
			result = set_time(&f, &entry, is_known ? time[i] : otherwise, is_known, e);
	}
	if (f.fd >= 0)
		close(f.fd);
	close(f.tree);
	free(f.path);
	return result < 0 ? error_context(e, "%s/%s", store_path(s), path) : 0;
}
