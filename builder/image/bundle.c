#include "builder/image/bundle.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "layers/archive.h"
#include "layers/blob.h"
#include "layers/compress.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/sink.h"

/* An image has a few hundred layers at most; an archive of several, a few thousand files. */
#define MEMBERS_MAX 100000

/* docker save links a layer that it has under another name already. */
#define LINKS_MAX 8

/* A file of a tar, which is a blob now, or a link to one. */
struct member {
	char *name;
	char *link; /* clean, relative to the bundle; NULL: a file */
	struct digest digest;
	int64_t size;
};

struct bundle {
	struct store *store;
	char *name;
	int folder; /* -1: it was a tar */
	struct member *member;
	size_t count, capacity;
};

static struct bundle *bundle_new(struct store *s, const char *name, int folder, struct error *e)
{
	struct bundle *b = calloc(1, sizeof *b);

	if (!b || !(b->name = strdup(name))) {
		free(b);
		error_memory(e);
		return NULL;
	}
	b->store = s;
	b->folder = folder;
	return b;
}

void bundle_close(struct bundle *b)
{
	if (!b)
		return;
	if (b->folder >= 0)
		close(b->folder);
	for (size_t i = 0; i < b->count; i++) {
		free(b->member[i].name);
		free(b->member[i].link);
	}
	free(b->member);
	free(b->name);
	free(b);
}

const char *bundle_name(const struct bundle *b)
{
	return b->name;
}

/* All that PULL gives becomes a blob. */
static int keep(struct bundle *b,
                ssize_t (*pull)(void *context, void *buffer, size_t size, struct error *e),
                void *context, struct digest *digest, int64_t *size, struct error *e)
{
	struct sink *k = sink_begin(b->store, e);
	ssize_t n;

	if (!k)
		return -1;
	do {
		size_t room;
		void *space = sink_room(k, &room, e);

		n = space ? pull(context, space, room, e) : -1;
		if (n > 0)
			sink_advance(k, (size_t)n);
	} while (n > 0);
	if (n < 0) {
		sink_abandon(k);
		return -1;
	}
	*size = sink_finish(k, digest, e);
	return *size < 0 ? -1 : 0;
}

static ssize_t pull_file(void *context, void *buffer, size_t size, struct error *e)
{
	const int *fd = context;
	ssize_t n;

	do
		n = read(*fd, buffer, size);
	while (n < 0 && errno == EINTR);
	return n < 0 ? error_errno(e, "read") : n;
}

/* --- a tar ------------------------------------------------------------------------------------ */

/* PATH as names are compared: clean, without a leading slash. LINKER, if not NULL, is the member
 * whose folder PATH begins at. */
static char *clean_name(const char *linker, const char *path)
{
	const char *slash = linker && path[0] != '/' ? strrchr(linker, '/') : NULL;
	auto_free char *whole = NULL;
	auto_free char *clean = NULL;

	if (asprintf(&whole, "%.*s/%s", slash ? (int)(slash - linker) : 0, slash ? linker : "",
	             path) < 0)
		return NULL;
	clean = path_clean(whole);
	return clean ? strdup(clean + 1) : NULL;
}

static struct member *new_member(struct bundle *b, const char *name, struct error *e)
{
	struct member *m;

	if (b->count == MEMBERS_MAX) {
		error_set(e, ERROR_INPUT, "%s has more than %d files", b->name, MEMBERS_MAX);
		return NULL;
	}
	if (b->count == b->capacity) {
		size_t capacity = b->capacity ? 2 * b->capacity : 64;
		struct member *grown = reallocarray(b->member, capacity, sizeof *grown);

		if (!grown) {
			error_memory(e);
			return NULL;
		}
		b->member = grown;
		b->capacity = capacity;
	}
	m = &b->member[b->count];
	*m = (struct member){ .name = clean_name(NULL, name) };
	if (!m->name) {
		error_memory(e);
		return NULL;
	}
	b->count++;
	return m;
}

static ssize_t pull_entry(void *context, void *buffer, size_t size, struct error *e)
{
	return archive_read(context, buffer, size, e);
}

static int keep_member(struct bundle *b, struct archive *a, const struct entry *entry,
                       struct error *e)
{
	struct member *m;

	if (entry->type != ENTRY_FILE && entry->type != ENTRY_SYMLINK && entry->type != ENTRY_HARDLINK)
		return 0;
	m = new_member(b, entry->path, e);
	if (!m)
		return -1;
	if (entry->type == ENTRY_FILE)
		return keep(b, pull_entry, a, &m->digest, &m->size, e);
	m->link = clean_name(entry->type == ENTRY_SYMLINK ? m->name : NULL, entry->link);
	return m->link ? 0 : error_memory(e);
}

/* Where a tar comes from: a file or a pipe, whose first bytes were looked at. */
struct tap {
	struct inflater *inflater;
	int fd;
	unsigned char head[8];
	size_t head_size, head_given;
};

static ssize_t pull_head(void *context, void *buffer, size_t size, struct error *e)
{
	struct tap *tap = context;
	size_t left = tap->head_size - tap->head_given;

	if (left == 0)
		return pull_file(&tap->fd, buffer, size, e);
	if (size > left)
		size = left;
	memcpy(buffer, tap->head + tap->head_given, size);
	tap->head_given += size;
	return (ssize_t)size;
}

static ssize_t pull_tar(void *context, void *buffer, size_t size, struct error *e)
{
	struct tap *tap = context;

	return inflate_read(tap->inflater, buffer, size, e);
}

static int open_tap(struct tap *tap, int fd, struct error *e)
{
	tap->fd = fd;
	while (tap->head_size < sizeof tap->head) {
		ssize_t n = pull_file(&fd, tap->head + tap->head_size,
		                      sizeof tap->head - tap->head_size, e);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		tap->head_size += (size_t)n;
	}
	tap->inflater = inflate_begin(compression_sniff(tap->head, tap->head_size), pull_head, tap, e);
	return tap->inflater ? 0 : -1;
}

static int read_members(struct bundle *b, int fd, struct error *e)
{
	struct tap tap = { .inflater = NULL };
	struct archive *a;
	struct entry entry;
	int result = -1;

	if (open_tap(&tap, fd, e) < 0)
		return -1;
	a = archive_begin(pull_tar, &tap, e);
	while (a && (result = archive_next(a, &entry, e)) > 0)
		if (keep_member(b, a, &entry, e) < 0) {
			result = -1;
			break;
		}
	if (a)
		archive_end(a);
	inflate_end(tap.inflater);
	return result;
}

struct bundle *bundle_read(struct store *s, int fd, const char *what, struct error *e)
{
	struct bundle *b = bundle_new(s, what, -1, e);

	if (b && read_members(b, fd, e) < 0) {
		error_context(e, "%s", what);
		bundle_close(b);
		return NULL;
	}
	return b;
}

/* The last member of that name counts, as when the tar is unpacked. */
static const struct member *find_member(const struct bundle *b, const char *name)
{
	for (int links = 0; links < LINKS_MAX; links++) {
		const struct member *m = NULL;

		for (size_t i = b->count; !m && i-- > 0;)
			if (strcmp(b->member[i].name, name) == 0)
				m = &b->member[i];
		if (!m || !m->link)
			return m;
		name = m->link;
	}
	return NULL;
}

/* --- a folder --------------------------------------------------------------------------------- */

struct bundle *bundle_open(struct store *s, const char *path, struct error *e)
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct bundle *b;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_errno(e, "open %s", path);
		return NULL;
	}
	if (!S_ISDIR(st.st_mode))
		return bundle_read(s, fd, path, e);
	b = bundle_new(s, path, fd, e);
	if (b)
		take_fd(&fd);
	return b;
}

static int open_file(const struct bundle *b, const char *name, struct error *e)
{
	auto_close int fd = path_open(b->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0,
	                              e);
	struct stat st;

	if (fd < 0)
		return error_context(e, "%s", b->name);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return error_set(e, ERROR_INPUT, "%s/%s is not a regular file", b->name, name);
	return take_fd(&fd);
}

static int keep_file(struct bundle *b, const char *name, struct digest *digest, int64_t *size,
                     struct error *e)
{
	auto_close int fd = open_file(b, name, e);

	if (fd < 0)
		return -1;
	return keep(b, pull_file, &fd, digest, size, e) < 0 ? error_context(e, "%s/%s", b->name, name)
	                                                    : 0;
}

/* --- both ------------------------------------------------------------------------------------- */

bool bundle_has(struct bundle *b, const char *name)
{
	struct error ignored;
	auto_close int fd = b->folder >= 0 ? open_file(b, name, &ignored) : -1;

	return fd >= 0 || (b->folder < 0 && find_member(b, name));
}

int bundle_blob(struct bundle *b, const char *name, struct digest *digest, int64_t *size,
                struct error *e)
{
	const struct member *m;

	if (b->folder >= 0)
		return keep_file(b, name, digest, size, e);
	m = find_member(b, name);
	if (!m)
		return error_set(e, ERROR_NOT_FOUND, "%s has no file %s", b->name, name);
	*digest = m->digest;
	*size = m->size;
	return 0;
}

char *bundle_text(struct bundle *b, const char *name, size_t limit, size_t *size,
                  struct error *e)
{
	struct digest digest;
	int64_t bytes;
	char *text;

	if (bundle_blob(b, name, &digest, &bytes, e) < 0)
		return NULL;
	text = blob_read(b->store, &digest, limit, size, e);
	if (!text)
		error_context(e, "%s/%s", b->name, name);
	return text;
}
