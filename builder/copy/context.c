#include "builder/copy/context.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "builder/copy/context_parts.h"
#include "layers/layer.h"
#include "layers/path.h"
#include "layers/scope.h"

#define LINKS_MAX 40 /* as the kernel */

static struct context *context_new(const char *path, struct error *e)
{
	struct context *c = calloc(1, sizeof *c);

	if (!c) {
		error_memory(e);
		return NULL;
	}
	c->root = -1;
	c->top.name = "";
	c->top.mode = S_IFDIR | 0755;
	pthread_mutex_init(&c->mutex, NULL);
	c->path = strdup(path);
	if (!c->path) {
		error_memory(e);
		context_close(c, e);
		return NULL;
	}
	return c;
}

/* ROOT is given away. */
static struct context *context_of_folder(int root, const char *name, struct error *e)
{
	auto_close int fd = root;
	struct context *c = context_new(name, e);
	struct stat st;

	if (!c)
		return NULL;
	if (fstat(fd, &st) < 0) {
		error_errno(e, "stat %s", name);
		context_close(c, &(struct error){ 0 });
		return NULL;
	}
	context_take(&c->top, &st);
	c->root = take_fd(&fd);
	return c;
}

struct context *context_open(struct store *s, const char *path, struct ignore *ignore,
                             struct error *e)
{
	auto_free char *absolute = realpath(path, NULL);
	int root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct digest name;
	struct context *c;

	if (root < 0) {
		error_errno(e, "the context %s", path);
		ignore_free(ignore);
		return NULL;
	}
	c = context_of_folder(root, path, e);
	if (!c) {
		ignore_free(ignore);
		return NULL;
	}
	c->ignore = ignore;
	c->store = s;
	/* A folder without a path (its parents cannot be read) has no index. */
	if (s && absolute) {
		digest_of(absolute, strlen(absolute), &name);
		digest_hex(&name, c->index_name);
		c->index = index_open(s, c->index_name);
		c->top.known = c->index ? index_root(c->index) : NULL;
	}
	return c;
}

struct context *context_empty(struct store *s, struct error *e)
{
	struct context *c = context_new("(empty)", e);

	(void)s;
	if (c)
		c->top.flags = FILE_STATTED | FILE_LISTED | FILE_LOADED;
	return c;
}

/* --- saving the index ------------------------------------------------------------------------- */

/* A folder whose children are still to be written: one that was read, or one that only the index
 * knows. */
struct unsaved {
	const struct context_file *file;
	const struct index_entry *known;
};

struct saver {
	struct context *context;
	struct index_writer *writer;
	struct unsaved *folder;
	size_t count, capacity;
};

/* What is to be written of FILE: 0 nothing, 1 ENTRY. */
static int file_state(const struct context_file *file, struct index_entry *entry)
{
	if (file->flags & FILE_GONE && !(file->flags & FILE_EXCLUDED))
		return 0;
	if (S_ISDIR(file->mode)) {
		*entry = (struct index_entry){ .is_dir = 1 };
		return file->flags & FILE_LISTED || (file->known && file->known->is_dir);
	}
	if (!(file->flags & FILE_STATTED) && file->known) {
		*entry = *file->known;
		return 1;
	}
	if (!(file->flags & FILE_HASHED) || file->flags & FILE_RACY)
		return 0;
	*entry = (struct index_entry){
		.dev = file->dev,
		.ino = file->ino,
		.size = file->size,
		.mtime_ns = file->mtime_ns,
		.ctime_ns = file->ctime_ns,
		.digest = file->digest,
	};
	return 1;
}

static uint32_t count_saved(const struct saver *s, const struct unsaved *u)
{
	struct index_entry entry;
	uint32_t count = 0;

	if (!u->file) {
		index_children(s->context->index, u->known, &count);
		return count;
	}
	for (uint32_t i = 0; i < u->file->child_count; i++)
		count += (uint32_t)file_state(&u->file->child[i], &entry);
	return count;
}

/* A folder that this build did not read is kept as the index has it. */
static int save_entry(struct saver *s, const char *name, struct index_entry *entry,
                      const struct context_file *file, const struct index_entry *known,
                      struct error *e)
{
	struct unsaved u = { .known = known };

	if (file && file->flags & FILE_LISTED)
		u = (struct unsaved){ .file = file };
	if (entry->is_dir) {
		if (s->count == s->capacity) {
			size_t capacity = s->capacity ? 2 * s->capacity : 64;
			struct unsaved *grown = reallocarray(s->folder, capacity, sizeof *grown);

			if (!grown)
				return error_memory(e);
			s->folder = grown;
			s->capacity = capacity;
		}
		s->folder[s->count++] = u;
		entry->count = count_saved(s, &u);
	}
	return index_add(s->writer, name, entry, e);
}

static int save_folder(struct saver *s, struct unsaved u, struct error *e)
{
	const struct index_entry *children;
	struct index_entry entry;
	uint32_t count;

	if (u.file) {
		for (uint32_t i = 0; i < u.file->child_count; i++) {
			const struct context_file *file = &u.file->child[i];

			if (file_state(file, &entry) &&
			    save_entry(s, file->name, &entry, file,
			               entry.is_dir ? file->known : NULL, e) < 0)
				return -1;
		}
		return 0;
	}
	children = index_children(s->context->index, u.known, &count);
	for (uint32_t i = 0; i < count; i++) {
		entry = children[i];
		if (save_entry(s, index_name(s->context->index, &children[i]), &entry, NULL,
		               &children[i], e) < 0)
			return -1;
	}
	return 0;
}

static int save(struct context *c, struct error *e)
{
	struct saver s = { .context = c };
	struct index_entry top = { .is_dir = 1 };
	int result;

	s.writer = index_begin(c->store, e);
	if (!s.writer)
		return -1;
	result = save_entry(&s, "", &top, &c->top, c->top.known, e);
	for (size_t i = 0; result == 0 && i < s.count; i++)
		result = save_folder(&s, s.folder[i], e);
	free(s.folder);
	if (result == 0)
		return index_commit(s.writer, c->index_name, e);
	index_discard(s.writer);
	return -1;
}

int context_close(struct context *c, struct error *e)
{
	int result = 0;

	if (!c)
		return 0;
	if (c->changed && c->index_name[0] && c->top.flags & FILE_LISTED)
		result = save(c, e);
	index_close(c->index);
	if (c->root >= 0)
		close(c->root);
	for (size_t i = 0; i < CONTEXT_THREADS; i++)
		arena_free(c->memory[i]);
	ignore_free(c->ignore);
	pthread_mutex_destroy(&c->mutex);
	free(c->path);
	free(c);
	return result;
}

/* --- asking ----------------------------------------------------------------------------------- */

int context_root(const struct context *c)
{
	return c->root;
}

const char *context_path(const struct context *c)
{
	return c->path;
}

const struct ignore *context_ignore(const struct context *c)
{
	return c->ignore;
}

char *context_file_path(const struct context_file *file)
{
	struct context_path p = { 0 };

	return context_path_of(&p, file) ? p.text : NULL;
}

const char *context_file_name(const struct context_file *file)
{
	return file->name;
}

const struct context_file *context_file_folder(const struct context_file *file)
{
	return file->parent;
}

int64_t context_time(const struct context_file *file)
{
	return file->mtime_ns;
}

bool context_is_unhashed(const struct context_file *file)
{
	return S_ISREG(file->mode) && !(file->flags & FILE_HASHED);
}

/* Is FILE part of the context: a folder that is left out is when something below it is not. */
static int is_visible(struct context *c, struct context_file *file, struct error *e)
{
	int visible = 0;

	if (!(file->flags & FILE_EXCLUDED))
		return !(file->flags & FILE_GONE);
	if (file->flags & (FILE_GONE | FILE_KEEPS))
		return file->flags & FILE_KEEPS ? 1 : 0;
	if (context_list(c, file, e) < 0)
		return -1;
	for (uint32_t i = 0; visible == 0 && i < file->child_count; i++)
		visible = is_visible(c, &file->child[i], e);
	if (visible >= 0)
		file->flags |= visible ? FILE_KEEPS : FILE_GONE;
	return visible;
}

/* 1 and *CHILD when DIR has NAME. */
static int find_child(struct context *c, struct context_file *dir, const char *name,
                      struct context_file **child, struct error *e)
{
	uint32_t low = 0, high;

	if (context_list(c, dir, e) < 0)
		return -1;
	high = dir->child_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int order = strcmp(dir->child[middle].name, name);

		if (order == 0) {
			*child = &dir->child[middle];
			if (context_stat(c, *child, e) < 0)
				return -1;
			return is_visible(c, *child, e);
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return 0;
}

static int follow_path(struct context *c, const char *path, bool follow,
                       const struct context_file **file, struct error *e)
{
	struct context_file *at = &c->top, *next;
	auto_free char *todo = strdup(path);
	char *p = todo;
	int links = 0;

	for (; p; p += strspn(p, "/")) {
		size_t length = strcspn(p, "/");
		char *rest = p + length;
		int found;

		if (length == 0) {
			*file = at;
			return 1;
		}
		if (!S_ISDIR(at->mode))
			return 0;
		if (*rest)
			*rest++ = '\0';
		if (strcmp(p, ".") == 0 || strcmp(p, "..") == 0) {
			at = p[1] && at->parent ? at->parent : at;
			p = rest;
			continue;
		}
		found = find_child(c, at, p, &next, e);
		if (found <= 0)
			return found;
		if (S_ISLNK(next->mode) && (rest[strspn(rest, "/")] || follow)) {
			char *onward;

			if (++links > LINKS_MAX)
				return error_set(e, ERROR_INPUT,
				                 "/%s: too many levels of symbolic links", path);
			if (asprintf(&onward, "%s/%s", next->link, rest) < 0)
				return error_memory(e);
			if (next->link[0] == '/')
				at = &c->top;
			free(todo);
			p = todo = onward;
			continue;
		}
		at = next;
		p = rest;
	}
	return error_memory(e);
}

int context_find(struct context *c, const char *path, bool follow,
                 const struct context_file **file, struct error *e)
{
	int result;

	pthread_mutex_lock(&c->mutex);
	result = follow_path(c, path, follow, file, e);
	pthread_mutex_unlock(&c->mutex);
	return result;
}

/* A walk: the path so far, in one buffer. */
struct stroll {
	struct context *context;
	bool deep;
	context_visit *visit;
	void *argument;
	char *path;
	size_t capacity;
};

static int stroll(struct stroll *s, struct context_file *dir, size_t length, struct error *e)
{
	for (uint32_t i = 0; i < dir->child_count; i++) {
		struct context_file *file = &dir->child[i];
		size_t size = strlen(file->name);
		int result = is_visible(s->context, file, e);

		if (result <= 0) {
			if (result < 0)
				return -1;
			continue;
		}
		if (length + size + 2 > s->capacity) {
			size_t capacity = 2 * (length + size + 2);
			char *grown = realloc(s->path, capacity);

			if (!grown)
				return error_memory(e);
			s->path = grown;
			s->capacity = capacity;
		}
		memcpy(s->path + length, file->name, size + 1);
		result = s->visit(s->argument, file, s->path, e);
		if (result < 0)
			return -1;
		if (result == 0 && s->deep && S_ISDIR(file->mode)) {
			s->path[length + size] = '/';
			if (stroll(s, file, length + size + 1, e) < 0)
				return -1;
		}
	}
	return 0;
}

int context_walk(struct context *c, const struct context_file *dir, bool deep,
                 context_visit *visit, void *context, struct error *e)
{
	struct stroll s = { .context = c, .deep = deep, .visit = visit, .argument = context };
	struct context_file *from = (struct context_file *)dir; /* ours, lent as const */
	int result;

	pthread_mutex_lock(&c->mutex);
	result = deep ? context_load(c, from, e) : context_read(c, from, e);
	if (result == 0)
		result = stroll(&s, from, 0, e);
	pthread_mutex_unlock(&c->mutex);
	free(s.path);
	return result;
}

void context_entry(const struct context_file *file, struct entry *entry)
{
	*entry = (struct entry){ .mode = file->mode & 07777, .mtime = LAYER_TIME };
	switch (file->mode & S_IFMT) {
	case S_IFDIR:
		entry->type = ENTRY_DIR;
		break;
	case S_IFLNK:
		entry->type = ENTRY_SYMLINK;
		entry->mode = 0777;
		entry->link = file->link;
		break;
	case S_IFCHR:
	case S_IFBLK:
		entry->type = S_ISCHR(file->mode) ? ENTRY_CHAR : ENTRY_BLOCK;
		entry->major = major(file->device);
		entry->minor = minor(file->device);
		break;
	case S_IFIFO:
		entry->type = ENTRY_FIFO;
		break;
	default:
		entry->type = ENTRY_FILE;
		entry->size = file->size;
		if (file->flags & FILE_HASHED)
			entry->digest = file->digest;
	}
}

bool context_identity(const struct context_file *file, uint64_t number[static 2])
{
	number[0] = file->dev;
	number[1] = file->ino;
	return file->flags & FILE_SHARED;
}
