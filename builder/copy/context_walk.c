#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "builder/copy/context_parts.h"
#include "layers/path.h"
#include "layers/scope.h"

#define NAMES_SIZE (64 << 10)
/* A walk with so many folders still to go is worth a second thread. */
#define FOLDERS_TO_SHARE 8
/* After so many entries of the index its pages, half a megabyte, may leave this process. */
#define ENTRIES_TO_FORGET (4 << 10)

/* As the kernel gives them: getdents64(2). */
struct kernel_dirent {
	uint64_t ino;
	int64_t offset;
	unsigned short size;
	unsigned char type;
	char name[];
};

struct listed {
	const char *name;
	unsigned char type;
};

/* What one thread of a walk has of its own. */
struct walker {
	struct context *context;
	struct arena *memory;
	char *names;             /* NAMES_SIZE for getdents */
	struct listed *listed;
	size_t count, capacity;
	struct context_path path;
};

const char *context_path_of(struct context_path *p, const struct context_file *file)
{
	size_t size = 1;
	char *end;

	for (const struct context_file *f = file; f->parent; f = f->parent)
		size += strlen(f->name) + 1;
	if (size > p->capacity) {
		char *grown = realloc(p->text, 2 * size);

		if (!grown)
			return NULL;
		p->text = grown;
		p->capacity = 2 * size;
	}
	end = p->text + (size > 1 ? size - 2 : 0);
	*end = '\0';
	for (const struct context_file *f = file; f->parent; f = f->parent) {
		size_t length = strlen(f->name);

		end -= length;
		memcpy(end, f->name, length);
		if (end > p->text)
			*--end = '/';
	}
	return p->text;
}

int context_open_below(const struct context *c, const char *path, int flags, struct error *e)
{
	auto_close int from = -1;

	/* The kernel takes paths of less than PATH_MAX; a deeper one is gone down in parts. */
	while (strlen(path) >= PATH_MAX) {
		auto_free char *part = strndup(path, PATH_MAX - 1);
		char *slash = part ? strrchr(part, '/') : NULL;
		int next;

		if (!slash)
			return error_memory(e);
		*slash = '\0';
		next = path_open(from < 0 ? c->root : from, part, O_PATH | O_DIRECTORY, 0, e);
		if (next < 0)
			return -1;
		if (from >= 0)
			close(from);
		from = next;
		path += slash + 1 - part;
	}
	return path_open(from < 0 ? c->root : from, path, flags | O_NOFOLLOW, 0, e);
}

bool context_matches(const struct context_file *file, const struct stat *st)
{
	return file->dev == st->st_dev && file->ino == st->st_ino && file->size == st->st_size &&
	       file->mtime_ns == context_ns(&st->st_mtim) &&
	       file->ctime_ns == context_ns(&st->st_ctim) && file->mode == st->st_mode;
}

void context_take(struct context_file *file, const struct stat *st)
{
	const struct index_entry *known = file->flags & FILE_HASHED ? NULL : file->known;

	file->mode = (uint16_t)st->st_mode;
	file->dev = (uint32_t)st->st_dev;
	file->ino = st->st_ino;
	file->mtime_ns = context_ns(&st->st_mtim);
	file->ctime_ns = context_ns(&st->st_ctim);
	file->flags =
		(uint16_t)((file->flags & ~(FILE_HASHED | FILE_RACY | FILE_SHARED)) | FILE_STATTED);
	if (S_ISDIR(st->st_mode))
		return;
	file->size = st->st_size;
	file->known = NULL;
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		file->device = st->st_rdev;
	if (st->st_nlink > 1)
		file->flags |= FILE_SHARED;
	if (S_ISREG(st->st_mode) && known && !known->is_dir && known->dev == file->dev &&
	    known->ino == file->ino && known->size == file->size &&
	    known->mtime_ns == file->mtime_ns && known->ctime_ns == file->ctime_ns) {
		file->digest = known->digest;
		file->flags |= FILE_HASHED;
	}
}

static int read_link(struct walker *w, int dir, struct context_file *file, struct error *e)
{
	char target[PATH_MAX];
	ssize_t size = readlinkat(dir, file->name, target, sizeof target);

	if (size < 0)
		return error_errno(e, "read the link %s", context_path_of(&w->path, file));
	file->link = arena_text(w->memory, target, (size_t)size);
	return file->link ? 0 : error_memory(e);
}

static int stat_one(struct walker *w, int dir, struct context_file *file, struct error *e)
{
	struct stat st;

	if (fstatat(dir, file->name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
		if (errno == ENOENT) {
			file->flags |= FILE_GONE;
			return 0;
		}
		return error_errno(e, "stat %s", context_path_of(&w->path, file));
	}
	/* A folder that became something else, or the other way round, is another file. */
	if (S_ISDIR(st.st_mode) != S_ISDIR(file->mode)) {
		file->flags |= FILE_GONE;
		return 0;
	}
	context_take(file, &st);
	return S_ISLNK(st.st_mode) ? read_link(w, dir, file, e) : 0;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

static int remember_name(struct walker *w, const char *name, unsigned char type, struct error *e)
{
	if (w->count == w->capacity) {
		size_t capacity = w->capacity ? 2 * w->capacity : 256;
		struct listed *grown = reallocarray(w->listed, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		w->listed = grown;
		w->capacity = capacity;
	}
	w->listed[w->count].type = type;
	w->listed[w->count].name = arena_text(w->memory, name, strlen(name));
	return w->listed[w->count++].name ? 0 : error_memory(e);
}

/* All names in the folder FD with their types, sorted. */
static int read_names(struct walker *w, int fd, const char *path, struct error *e)
{
	bool sorted = true;
	long size;

	w->count = 0;
	while ((size = syscall(SYS_getdents64, fd, w->names, NAMES_SIZE)) > 0) {
		struct kernel_dirent *d;

		for (long at = 0; at < size; at += d->size) {
			struct stat st;

			d = (struct kernel_dirent *)(w->names + at);
			if (strcmp(d->name, ".") == 0 || strcmp(d->name, "..") == 0)
				continue;
			if (d->type == DT_UNKNOWN &&
			    fstatat(fd, d->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
				d->type = IFTODT(st.st_mode);
			if (d->type == DT_SOCK || d->type == DT_UNKNOWN)
				continue;
			if (remember_name(w, d->name, d->type, e) < 0)
				return -1;
			if (w->count > 1 &&
			    by_name(&w->listed[w->count - 2], &w->listed[w->count - 1]) > 0)
				sorted = false;
		}
	}
	if (size < 0)
		return error_errno(e, "read the folder /%s", path);
	if (!sorted)
		qsort(w->listed, w->count, sizeof *w->listed, by_name);
	return 0;
}

/* Drop the names that are left out. What is left out but may have something to keep below it gets
 * the type DT_WHT, which no folder of Linux contains. */
static int apply_rules(struct walker *w, const char *dir, struct error *e)
{
	size_t room = strlen(dir) + 2, kept = 0;
	auto_free char *path = malloc(room + NAME_MAX + 1);
	char *name;

	if (!path)
		return error_memory(e);
	name = stpcpy(path, dir);
	if (name > path)
		*name++ = '/';
	for (size_t i = 0; i < w->count; i++) {
		struct listed one = w->listed[i];

		stpcpy(name, one.name);
		if (ignore_excludes(w->context->ignore, path)) {
			if (one.type != DT_DIR || !ignore_may_keep_below(w->context->ignore, path))
				continue;
			one.type = DT_WHT;
		}
		w->listed[kept++] = one;
	}
	w->count = kept;
	return 0;
}

/* Both are sorted: what the index knows of DIR's children finds its file in one pass. */
static void attach_known(struct context *c, struct context_file *dir)
{
	uint32_t count, at = 0;
	const struct index_entry *known;

	if (!dir->known || !dir->known->is_dir)
		return;
	known = index_children(c->index, dir->known, &count);
	for (uint32_t i = 0; i < dir->child_count; i++) {
		int order = 1;

		while (at < count &&
		       (order = strcmp(index_name(c->index, &known[at]), dir->child[i].name)) < 0)
			at++;
		if (at < count && order == 0)
			dir->child[i].known = &known[at++];
	}
	at = (uint32_t)atomic_fetch_add(&c->index_used, count);
	if (at / ENTRIES_TO_FORGET != (at + count) / ENTRIES_TO_FORGET)
		index_forget(c->index);
}

static int list_folder(struct walker *w, struct context_file *dir, int fd, const char *path,
                       struct error *e)
{
	if (read_names(w, fd, path, e) < 0)
		return -1;
	if (w->context->ignore && apply_rules(w, path, e) < 0)
		return -1;
	if (w->count > 0) {
		dir->child = arena_array(w->memory, w->count, sizeof *dir->child);
		if (!dir->child)
			return error_memory(e);
	}
	dir->child_count = (uint32_t)w->count;
	for (size_t i = 0; i < w->count; i++) {
		struct context_file *file = &dir->child[i];

		file->name = w->listed[i].name;
		file->parent = dir;
		file->mode = (uint16_t)DTTOIF(w->listed[i].type);
		if (w->listed[i].type == DT_WHT) {
			file->mode = S_IFDIR;
			file->flags = FILE_EXCLUDED;
		}
	}
	attach_known(w->context, dir);
	dir->flags |= FILE_LISTED;
	return 0;
}

static int walker_begin(struct walker *w, struct context *c, size_t number, struct error *e)
{
	*w = (struct walker){ .context = c };
	if (!c->memory[number])
		c->memory[number] = arena_new();
	w->memory = c->memory[number];
	w->names = malloc(NAMES_SIZE);
	return w->memory && w->names ? 0 : error_memory(e);
}

static void walker_end(struct walker *w)
{
	free(w->names);
	free(w->listed);
	free(w->path.text);
}

static int open_folder(struct walker *w, const struct context_file *dir, const char **path,
                       struct error *e)
{
	*path = context_path_of(&w->path, dir);
	if (!*path)
		return error_memory(e);
	return context_open_below(w->context, *path, O_RDONLY | O_DIRECTORY, e);
}

int context_list(struct context *c, struct context_file *dir, struct error *e)
{
	const char *path;
	struct walker w;
	int result = -1;

	if (dir->flags & FILE_LISTED)
		return 0;
	if (walker_begin(&w, c, 0, e) == 0) {
		auto_close int fd = open_folder(&w, dir, &path, e);

		if (fd >= 0)
			result = list_folder(&w, dir, fd, path, e);
	}
	walker_end(&w);
	return result;
}

int context_stat(struct context *c, struct context_file *file, struct error *e)
{
	const char *path;
	struct walker w;
	int result = -1;

	if (file->flags & (FILE_STATTED | FILE_GONE))
		return 0;
	if (walker_begin(&w, c, 0, e) == 0) {
		auto_close int fd = open_folder(&w, file->parent, &path, e);

		if (fd >= 0)
			result = stat_one(&w, fd, file, e);
	}
	walker_end(&w);
	return result;
}

static int read_folder(struct walker *w, struct context_file *dir, struct error *e)
{
	const char *path;
	auto_close int fd = open_folder(w, dir, &path, e);

	if (fd < 0)
		return -1;
	if (!(dir->flags & FILE_LISTED) && list_folder(w, dir, fd, path, e) < 0)
		return -1;
	for (uint32_t i = 0; i < dir->child_count; i++)
		if (!(dir->child[i].flags & (FILE_STATTED | FILE_GONE)) &&
		    stat_one(w, fd, &dir->child[i], e) < 0)
			return -1;
	return 0;
}

int context_read(struct context *c, struct context_file *dir, struct error *e)
{
	struct walker w;
	int result;

	if (dir->flags & FILE_LOADED)
		return 0;
	result = walker_begin(&w, c, 0, e);
	if (result == 0)
		result = read_folder(&w, dir, e);
	walker_end(&w);
	return result;
}

/* --- everything below a folder, by a crew ----------------------------------------------------- */

struct crew {
	struct context *context;
	pthread_mutex_t mutex;
	pthread_cond_t more;
	struct context_file **folder; /* still to be read */
	size_t count, capacity;
	size_t busy;                  /* threads that may still find folders */
	bool failed;
	struct error error;           /* the first one */
	pthread_t thread[CONTEXT_THREADS];
	size_t threads, threads_max;
};

/* Called with the mutex held. */
static int crew_push(struct crew *crew, struct context_file *dir, struct error *e)
{
	if (crew->count == crew->capacity) {
		size_t capacity = crew->capacity ? 2 * crew->capacity : 64;
		struct context_file **grown = reallocarray(crew->folder, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		crew->folder = grown;
		crew->capacity = capacity;
	}
	crew->folder[crew->count++] = dir;
	return 0;
}

/* Called with the mutex held; gives it away while reading. */
static void read_next(struct crew *crew, struct walker *w)
{
	struct context_file *dir = crew->folder[--crew->count];
	struct error e;
	int result;

	crew->busy++;
	pthread_mutex_unlock(&crew->mutex);
	result = dir->flags & FILE_LOADED ? 0 : read_folder(w, dir, &e);
	pthread_mutex_lock(&crew->mutex);
	/* From the last to the first, so that the first is read next. */
	for (uint32_t i = dir->child_count; result == 0 && i-- > 0;)
		if (S_ISDIR(dir->child[i].mode) &&
		    !(dir->child[i].flags & (FILE_GONE | FILE_LOADED)))
			result = crew_push(crew, &dir->child[i], &e);
	if (result < 0 && !crew->failed) {
		crew->failed = true;
		crew->error = e;
	}
	crew->busy--;
	if (crew->count > 0 || crew->busy == 0)
		pthread_cond_broadcast(&crew->more);
}

static void *crew_member(void *argument);

/* Called with the mutex held. One that cannot be started is not missed. */
static void crew_grow(struct crew *crew)
{
	if (crew->count >= FOLDERS_TO_SHARE * crew->threads && crew->threads < crew->threads_max &&
	    pthread_create(&crew->thread[crew->threads], NULL, crew_member, crew) == 0)
		crew->threads++;
}

static void crew_work(struct crew *crew, struct walker *w, bool leads)
{
	pthread_mutex_lock(&crew->mutex);
	while (!crew->failed && (crew->count > 0 || crew->busy > 0)) {
		if (crew->count == 0) {
			pthread_cond_wait(&crew->more, &crew->mutex);
			continue;
		}
		if (leads)
			crew_grow(crew);
		read_next(crew, w);
	}
	pthread_cond_broadcast(&crew->more);
	pthread_mutex_unlock(&crew->mutex);
}

static void *crew_member(void *argument)
{
	struct crew *crew = argument;
	struct walker w;
	struct error ignored;
	size_t number = 1;

	pthread_mutex_lock(&crew->mutex);
	while (number < crew->threads && !pthread_equal(crew->thread[number], pthread_self()))
		number++;
	pthread_mutex_unlock(&crew->mutex);
	/* Without memory the others do its work. */
	if (walker_begin(&w, crew->context, number, &ignored) == 0)
		crew_work(crew, &w, false);
	walker_end(&w);
	return NULL;
}

static void mark_loaded(struct context_file *dir)
{
	for (uint32_t i = 0; i < dir->child_count; i++)
		if (S_ISDIR(dir->child[i].mode) &&
		    !(dir->child[i].flags & (FILE_GONE | FILE_LOADED)))
			mark_loaded(&dir->child[i]);
	dir->flags |= FILE_LOADED;
}

int context_load(struct context *c, struct context_file *dir, struct error *e)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct crew crew = {
		.context = c,
		.mutex = PTHREAD_MUTEX_INITIALIZER,
		.more = PTHREAD_COND_INITIALIZER,
		.threads = 1,
		.threads_max = cpus < 1                 ? 1
		               : cpus > CONTEXT_THREADS ? CONTEXT_THREADS
		                                        : (size_t)cpus,
	};
	struct walker w;

	if (dir->flags & FILE_LOADED)
		return 0;
	if (walker_begin(&w, c, 0, e) < 0 || crew_push(&crew, dir, e) < 0) {
		walker_end(&w);
		return -1;
	}
	crew_work(&crew, &w, true);
	for (size_t i = 1; i < crew.threads; i++)
		pthread_join(crew.thread[i], NULL);
	walker_end(&w);
	free(crew.folder);
	if (crew.failed) {
		*e = crew.error;
		return -1;
	}
	mark_loaded(dir);
	return 0;
}
