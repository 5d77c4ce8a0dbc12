#include "layers/archive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layers/compress.h"
#include "layers/path.h"
#include "layers/pax.h"
#include "layers/scope.h"
#include "layers/tar.h"

/* Extended headers above this were made to be a nuisance: a name has 4096 bytes, an attribute at
 * most 64 KiB. Go's reader has the same limit. */
#define EXTENDED_MAX (1 << 20)

/* The largest file of ext4. */
#define FILE_SIZE_MAX (1LL << 44)

/* More than the largest images and contexts have; each takes a hundred bytes of memory. */
#define ENTRIES_MAX (1 << 22)

/* Holes of sparse files cost nothing in an archive, but somebody has to hash them: 64 GiB in all, as
 * an empty disk of a virtual machine may have. */
#define HOLES_MAX (1LL << 36)

/* Linux: 12 and 20 bits. */
#define MAJOR_MAX 4095
#define MINOR_MAX 1048575

#define BUFFER_SIZE (64 << 10)

struct archive {
	ssize_t (*pull)(void *context, void *buffer, size_t size, struct error *e);
	void *context;
	int fd;                    /* of archive_open */
	struct inflater *inflater; /* of archive_open */
	bool has_block;            /* archive_open has read the first one */
	bool is_compressed;
	union {
		struct tar_header header;
		unsigned char bytes[TAR_BLOCK];
	} block;
	int64_t position;          /* in the tar */
	int64_t left;              /* stored bytes of the entry that were not read yet */
	size_t padding;            /* after them */
	bool ended, marked;
	unsigned entries;
	int64_t holes;

	struct pax pax;
	char *long_name, *long_link;
	char name[sizeof(((struct tar_header *)0)->prefix) + 102];
	char link[101];
	void *xattrs;

	bool is_sparse;
	size_t part;               /* of pax.sparse, that is read now */
	int64_t at, real_size;     /* in the sparse file */
};

struct archive *archive_begin(ssize_t (*pull)(void *, void *, size_t, struct error *), void *context,
                              struct error *e)
{
	struct archive *a = calloc(1, sizeof *a);

	if (!a) {
		error_memory(e);
		return NULL;
	}
	a->pull = pull;
	a->context = context;
	return a;
}

static void forget_entry(struct archive *a)
{
	pax_release(&a->pax);
	free(a->long_name);
	free(a->long_link);
	free(a->xattrs);
	a->long_name = a->long_link = NULL;
	a->xattrs = NULL;
	a->is_sparse = false;
	a->part = 0;
	a->at = 0;
}

void archive_end(struct archive *a)
{
	if (!a)
		return;
	forget_entry(a);
	inflate_end(a->inflater);
	free(a);
}

bool archive_was_ended(const struct archive *a)
{
	return a->marked || a->is_compressed;
}

/* --- the stream --------------------------------------------------------------------------------- */

static int cut_short(struct error *e)
{
	return error_set(e, ERROR_CORRUPT, "the archive is cut short");
}

/* SIZE bytes, or fewer at the end. */
static ssize_t read_some(struct archive *a, void *buffer, size_t size, struct error *e)
{
	size_t have = 0;

	while (have < size) {
		ssize_t n = a->pull(a->context, (char *)buffer + have, size - have, e);

		if (n < 0)
			return -1;
		if (n == 0)
			break;
		have += (size_t)n;
	}
	a->position += (int64_t)have;
	return (ssize_t)have;
}

/* The next block: 1, 0 at the end of the stream. */
static int read_block(struct archive *a, struct error *e)
{
	ssize_t n;

	if (a->has_block) {
		a->has_block = false;
		a->position += TAR_BLOCK;
		return 1;
	}
	n = read_some(a, &a->block, TAR_BLOCK, e);
	if (n < 0)
		return -1;
	if (n > 0 && n < TAR_BLOCK)
		return cut_short(e);
	return n > 0;
}

static int skip(struct archive *a, int64_t size, struct error *e)
{
	char skipped[BUFFER_SIZE];

	while (size > 0) {
		size_t some = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;
		ssize_t n = read_some(a, skipped, some, e);

		if (n < 0)
			return -1;
		if (n < (ssize_t)some)
			return cut_short(e);
		size -= n;
	}
	return 0;
}

static bool is_zero(const unsigned char *bytes, size_t size)
{
	return bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

/* The end mark was seen: nothing but zeros may follow, and all of them are looked at. */
static int read_end(struct archive *a, struct error *e)
{
	unsigned char rest[BUFFER_SIZE];
	ssize_t n;

	a->ended = a->marked = true;
	while ((n = read_some(a, rest, sizeof rest, e)) > 0)
		if (!is_zero(rest, (size_t)n))
			return error_set(e, ERROR_CORRUPT, "other bytes follow the end of the archive");
	return n < 0 ? -1 : 0;
}

/* --- extended headers --------------------------------------------------------------------------- */

static int header_size(const struct archive *a, int64_t *size, struct error *e)
{
	const struct tar_header *h = &a->block.header;

	if (!tar_number(h->size, sizeof h->size, size) || *size < 0 || *size > FILE_SIZE_MAX)
		return error_set(e, ERROR_CORRUPT, "%.100s: a size that is none", h->name);
	return 0;
}

/* The body of an extended header, a NUL added; the caller frees it. */
static char *read_body(struct archive *a, size_t *size, struct error *e)
{
	auto_free char *body = NULL;
	int64_t wanted;
	ssize_t n;

	if (header_size(a, &wanted, e) < 0)
		return NULL;
	if (wanted > EXTENDED_MAX) {
		error_set(e, ERROR_CORRUPT, "an extended header of %lld bytes", (long long)wanted);
		return NULL;
	}
	body = malloc((size_t)wanted + 1);
	if (!body) {
		error_memory(e);
		return NULL;
	}
	n = read_some(a, body, (size_t)wanted, e);
	if (n < 0 || skip(a, (int64_t)tar_padding(wanted), e) < 0)
		return NULL;
	if (n < wanted) {
		cut_short(e);
		return NULL;
	}
	body[wanted] = '\0';
	*size = (size_t)wanted;
	return take_pointer(&body);
}

static int read_pax(struct archive *a, struct error *e)
{
	size_t size;
	char *body;

	if (a->pax.text)
		return error_set(e, ERROR_CORRUPT, "two pax headers for one entry");
	body = read_body(a, &size, e);
	return body ? pax_parse(&a->pax, body, size, e) : -1;
}

/* GNU's long names end with one NUL. */
static int read_long(struct archive *a, char **name, struct error *e)
{
	size_t size;
	char *body;

	if (*name)
		return error_set(e, ERROR_CORRUPT, "two long names for one entry");
	body = read_body(a, &size, e);
	if (!body)
		return -1;
	*name = body;
	if (size < 2 || strlen(body) != size - 1)
		return error_set(e, ERROR_CORRUPT, "a malformed long name \"%.40s\"", body);
	return 0;
}

static int skip_global(struct archive *a, struct error *e)
{
	int64_t size;

	if (header_size(a, &size, e) < 0)
		return -1;
	return skip(a, size + (int64_t)tar_padding(size), e);
}

/* --- sparse files ------------------------------------------------------------------------------- */

/* The old form: four parts in the header's padding, 21 in each block after it. */
static int read_old_map(struct archive *a, struct error *e)
{
	const unsigned char *bytes = a->block.bytes;
	bool more = bytes[482];
	int got;

	if (!tar_number((const char *)bytes + 483, 12, &a->real_size))
		return error_set(e, ERROR_CORRUPT, "a sparse file without a size");
	if (sparse_add_fields(&a->pax.sparse, bytes + 386, 4, e) < 0)
		return -1;
	while (more) {
		got = read_block(a, e);
		if (got <= 0)
			return got < 0 ? -1 : cut_short(e);
		if (sparse_add_fields(&a->pax.sparse, bytes, 21, e) < 0)
			return -1;
		more = bytes[504];
	}
	return 0;
}

/* Form 1.0: decimal numbers, a line each, in blocks of their own before the content. */
static int read_map_number(struct archive *a, size_t *used, int64_t *number, struct error *e)
{
	char text[24];
	size_t size = 0;

	for (;;) {
		if (*used == TAR_BLOCK) {
			int got = a->left < TAR_BLOCK ? 0 : read_block(a, e);

			if (got <= 0)
				return got < 0 ? -1 : error_set(e, ERROR_CORRUPT, "a malformed sparse map");
			a->left -= TAR_BLOCK;
			*used = 0;
		}
		text[size] = (char)a->block.bytes[(*used)++];
		if (text[size] == '\n')
			break;
		if (++size == sizeof text)
			return error_set(e, ERROR_CORRUPT, "a malformed sparse map");
	}
	text[size] = '\0';
	if (!pax_number(text, number))
		return error_set(e, ERROR_CORRUPT, "a malformed sparse map");
	return 0;
}

static int read_map(struct archive *a, struct error *e)
{
	int64_t count, offset, size;
	size_t used = TAR_BLOCK;

	if (read_map_number(a, &used, &count, e) < 0)
		return -1;
	while (count-- > 0)
		if (read_map_number(a, &used, &offset, e) < 0 || read_map_number(a, &used, &size, e) < 0 ||
		    sparse_add(&a->pax.sparse, offset, size, e) < 0)
			return -1;
	return 0;
}

static int begin_sparse(struct archive *a, bool old, struct error *e)
{
	int result = 0;

	a->is_sparse = true;
	if (old) {
		result = read_old_map(a, e);
	} else {
		a->real_size = a->pax.real_size;
		if (a->pax.map_in_data)
			result = read_map(a, e);
	}
	if (result < 0)
		return -1;
	if (a->real_size < 0 || a->real_size > FILE_SIZE_MAX)
		return error_set(e, ERROR_CORRUPT, "a sparse file of a size that is none");
	if (sparse_check(&a->pax.sparse, a->real_size, a->left, e) < 0)
		return -1;
	a->holes += a->real_size - a->left;
	if (a->holes > HOLES_MAX)
		return error_set(e, ERROR_CORRUPT, "sparse files of more than %lld GiB that are not there",
		                 HOLES_MAX >> 30);
	return 0;
}

/* --- entries ------------------------------------------------------------------------------------ */

/* The header's own name, which may be in two parts. */
static const char *header_name(struct archive *a)
{
	const struct tar_header *h = &a->block.header;
	const char *prefix = memcmp(h->magic, "ustar\0", 6) == 0 ? h->prefix : "";
	int prefix_size = (int)strnlen(prefix, *prefix ? sizeof h->prefix : 0);

	snprintf(a->name, sizeof a->name, "%.*s%s%.100s", prefix_size, prefix, prefix_size ? "/" : "",
	         h->name);
	return a->name;
}

static int take_type(const struct tar_header *h, const char *path, enum entry_type *type,
                     struct error *e)
{
	static const char chars[] = "01273456S";
	static const enum entry_type types[] = {
		ENTRY_FILE, ENTRY_HARDLINK, ENTRY_SYMLINK, ENTRY_FILE, ENTRY_CHAR, ENTRY_BLOCK, ENTRY_DIR,
		ENTRY_FIFO, ENTRY_FILE,
	};
	const char *found = h->type ? strchr(chars, h->type) : chars;

	if (!found || (h->type == 'S' && memcmp(h->magic, "ustar ", 6) != 0))
		return error_set(e, ERROR_CORRUPT, "%s: an entry of the unknown type %#x", path,
		                 (unsigned char)h->type);
	*type = types[found - chars];
	/* Before POSIX a directory was told by its name only. */
	if (*type == ENTRY_FILE && h->type != 'S' && *path && path[strlen(path) - 1] == '/')
		*type = ENTRY_DIR;
	return 0;
}

static int take_numbers(struct archive *a, struct entry *entry, struct error *e)
{
	const struct tar_header *h = &a->block.header;
	int64_t mode, uid, gid, major = 0, minor = 0;
	bool device = entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK;

	if (!tar_number(h->mode, sizeof h->mode, &mode) || !tar_number(h->uid, sizeof h->uid, &uid) ||
	    !tar_number(h->gid, sizeof h->gid, &gid) ||
	    !tar_number(h->mtime, sizeof h->mtime, &entry->mtime))
		return error_set(e, ERROR_CORRUPT, "%s: a malformed number in its header", entry->path);
	if (device && (!tar_number(h->major, sizeof h->major, &major) ||
	               !tar_number(h->minor, sizeof h->minor, &minor) || major < 0 ||
	               major > MAJOR_MAX || minor < 0 || minor > MINOR_MAX))
		return error_set(e, ERROR_CORRUPT, "%s: a device number that is none", entry->path);
	if (a->pax.has_uid)
		uid = a->pax.uid;
	if (a->pax.has_gid)
		gid = a->pax.gid;
	if (a->pax.has_mtime)
		entry->mtime = a->pax.mtime;
	/* The largest number is "no change" to chown(2). */
	if (uid < 0 || uid >= UINT32_MAX || gid < 0 || gid >= UINT32_MAX)
		return error_set(e, ERROR_CORRUPT, "%s: an owner that is none", entry->path);
	entry->mode = (uint32_t)mode & 07777;
	entry->uid = (uint32_t)uid;
	entry->gid = (uint32_t)gid;
	entry->major = (uint32_t)major;
	entry->minor = (uint32_t)minor;
	return 0;
}

static int take_size(struct archive *a, struct entry *entry, struct error *e)
{
	bool old_sparse = a->block.header.type == 'S';

	if (header_size(a, &a->left, e) < 0)
		return -1;
	if (a->pax.has_size)
		a->left = a->pax.size;
	if (a->left > FILE_SIZE_MAX)
		return error_set(e, ERROR_CORRUPT, "%s: a size that is none", entry->path);
	/* Some readers take these bytes for content and some for the next header. */
	if (entry->type != ENTRY_FILE && (a->left > 0 || a->pax.is_sparse))
		return error_set(e, ERROR_CORRUPT, "%s: an entry that is no file has a size", entry->path);
	a->padding = tar_padding(a->left);
	if ((old_sparse || a->pax.is_sparse) && begin_sparse(a, old_sparse, e) < 0)
		return error_context(e, "%s", entry->path);
	entry->size = a->is_sparse ? a->real_size : a->left;
	return 0;
}

static int take_entry(struct archive *a, int64_t start, struct entry *entry, struct error *e)
{
	const struct tar_header *h = &a->block.header;

	if (++a->entries > ENTRIES_MAX)
		return error_set(e, ERROR_CORRUPT, "more than %d entries", ENTRIES_MAX);
	*entry = (struct entry){ .path = a->pax.path };
	if (a->pax.is_sparse && a->pax.real_name)
		entry->path = a->pax.real_name;
	if (!entry->path)
		entry->path = a->long_name ? a->long_name : header_name(a);
	if (!*entry->path)
		return error_set(e, ERROR_CORRUPT, "an entry without a name");
	if (take_type(h, entry->path, &entry->type, e) < 0 || take_numbers(a, entry, e) < 0)
		return -1;
	if (entry->type == ENTRY_SYMLINK || entry->type == ENTRY_HARDLINK) {
		snprintf(a->link, sizeof a->link, "%.100s", h->link);
		entry->link = a->pax.link ? a->pax.link : a->long_link ? a->long_link : a->link;
		if (!*entry->link)
			return error_set(e, ERROR_CORRUPT, "%s: a link to nothing", entry->path);
	}
	if (xattr_pack(a->pax.xattrs, a->pax.xattr_count, &a->xattrs, &entry->xattrs_size, e) < 0 ||
	    take_size(a, entry, e) < 0)
		return -1;
	entry->xattrs = a->xattrs;
	entry->offset = a->is_sparse ? -1 - start : a->position;
	return 1;
}

int archive_next(struct archive *a, struct entry *entry, struct error *e)
{
	int64_t start;

	if (a->ended)
		return 0;
	if (skip(a, a->left + (int64_t)a->padding, e) < 0)
		return -1;
	a->left = 0;
	a->padding = 0;
	forget_entry(a);
	start = a->position;
	for (;;) {
		bool first = a->position == start;
		int result = read_block(a, e);

		if (result < 0)
			return -1;
		if (result == 0 || is_zero(a->block.bytes, TAR_BLOCK)) {
			if (!first && (a->pax.text || a->long_name || a->long_link))
				return cut_short(e);
			a->ended = true;
			return result == 0 ? 0 : read_end(a, e);
		}
		if (!tar_checksum_holds(&a->block.header))
			return error_set(e, ERROR_CORRUPT, "a damaged header at byte %lld of the archive",
			                 (long long)(a->position - TAR_BLOCK));
		switch (a->block.header.type) {
		case 'g':
			result = skip_global(a, e);
			break;
		case 'x':
			result = read_pax(a, e);
			break;
		case 'L':
			result = read_long(a, &a->long_name, e);
			break;
		case 'K':
			result = read_long(a, &a->long_link, e);
			break;
		default:
			return take_entry(a, start, entry, e);
		}
		if (result < 0)
			return -1;
	}
}

/* --- contents ----------------------------------------------------------------------------------- */

static ssize_t read_stored(struct archive *a, void *buffer, size_t size, struct error *e)
{
	ssize_t n;

	if ((int64_t)size > a->left)
		size = (size_t)a->left;
	if (size == 0)
		return 0;
	n = a->pull(a->context, buffer, size, e);
	if (n == 0)
		return cut_short(e);
	if (n > 0) {
		a->left -= n;
		a->position += n;
	}
	return n;
}

ssize_t archive_read(struct archive *a, void *buffer, size_t size, struct error *e)
{
	const struct sparse *map = &a->pax.sparse;
	int64_t stop;
	ssize_t n;

	if (!a->is_sparse)
		return read_stored(a, buffer, size, e);
	while (a->part < map->count && a->at == map->part[a->part].offset + map->part[a->part].size)
		a->part++;
	stop = a->part < map->count ? map->part[a->part].offset : a->real_size;
	if (a->at < stop) {
		n = (int64_t)size < stop - a->at ? (ssize_t)size : (ssize_t)(stop - a->at);
		memset(buffer, 0, (size_t)n);
	} else {
		if (a->part == map->count)
			return 0;
		stop += map->part[a->part].size;
		n = read_stored(a, buffer, (int64_t)size < stop - a->at ? size : (size_t)(stop - a->at), e);
	}
	if (n > 0)
		a->at += n;
	return n;
}

/* --- from a file -------------------------------------------------------------------------------- */

static ssize_t pull_file(void *context, void *buffer, size_t size, struct error *e)
{
	struct archive *a = context;

	for (;;) {
		ssize_t n = read(a->fd, buffer, size);

		if (n >= 0)
			return n;
		if (errno != EINTR)
			return error_errno(e, "read the archive");
	}
}

static ssize_t pull_inflated(void *context, void *buffer, size_t size, struct error *e)
{
	struct archive *a = context;

	return inflate_read(a->inflater, buffer, size, e);
}

int archive_open(int fd, struct archive **opened, struct error *e)
{
	unsigned char magic[8];
	ssize_t have = path_read_at(fd, magic, sizeof magic, 0);
	enum compression kind = compression_sniff(magic, have < 0 ? 0 : (size_t)have);
	struct archive *a;
	ssize_t n;

	if (have < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return error_errno(e, "read the archive");
	a = archive_begin(pull_inflated, NULL, e);
	if (!a)
		return -1;
	a->context = a;
	a->fd = fd;
	a->is_compressed = kind != COMPRESSION_NONE;
	a->inflater = inflate_begin(kind, pull_file, a, e);
	if (!a->inflater) {
		archive_end(a);
		return -1;
	}
	/* What does not even inflate is a file that looks like an archive. */
	n = read_some(a, &a->block, TAR_BLOCK, e);
	if (n != TAR_BLOCK || is_zero(a->block.bytes, TAR_BLOCK) ||
	    !tar_checksum_holds(&a->block.header)) {
		int result = n < 0 && e->kind != ERROR_CORRUPT ? -1 : 0;

		archive_end(a);
		return result;
	}
	a->has_block = true;
	a->position = 0;
	*opened = a;
	return 1;
}
