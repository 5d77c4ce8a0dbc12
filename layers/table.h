/* The table of a layer: the list of its entries, kept beside its tar.
 *
 * It answers what is in a layer (path, type, mode, owner, size, link, extended attributes, digest
 * of the content, place in the tar) without unpacking anything. Entries are sorted by path_order,
 * so that a directory is followed by all that is below it; a path occurs once. Whiteouts are
 * entries of their own type, under the name they remove.
 *
 * The file is read through mmap: records one after the other, then an array of their offsets.
 * A writer keeps eight bytes per entry in memory.
 *
 * Threads: an open table is read only and may be shared.
 * Source: OCI image-spec 1.1, layer.md.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/digest.h"
#include "layers/store.h"

enum entry_type {
	ENTRY_FILE,
	ENTRY_DIR,
	ENTRY_SYMLINK,
	ENTRY_HARDLINK, /* LINK is the path of the entry whose content it shares */
	ENTRY_CHAR,
	ENTRY_BLOCK,
	ENTRY_FIFO,
	ENTRY_WHITEOUT, /* what lower layers have under PATH is gone */
	ENTRY_OPAQUE,   /* PATH is a directory, and nothing of lower layers shows in it */
};

/* One entry. A layer that has both "d" and "d/.wh..wh..opq" has one ENTRY_OPAQUE "d". */
struct entry {
	const char *path;   /* "etc/passwd": clean, without a leading slash; "" is the root */
	const char *link;   /* a symlink's text, a hard link's first name; else NULL */
	const void *xattrs; /* NAME NUL, value size (4 bytes, native), value; again; sorted by name */
	uint32_t xattrs_size;
	enum entry_type type;
	uint32_t mode;      /* permission bits, at most 07777 */
	uint32_t uid, gid;
	uint32_t major, minor;
	int64_t size;       /* of a file's content, bytes */
	int64_t mtime;      /* seconds since 1970 */
	int64_t offset;     /* of a file's content in the uncompressed tar; below 0 when it is not in
	                     * one piece there (see layer_expand) */
	struct digest digest; /* of a file's content */
};

/* The order of a walk that visits a directory's names sorted: as strcmp, but '/' before all. */
int path_order(const char *a, const char *b);

/* True for PATH below DIR ("a/b" below "a"); everything is below "". */
bool path_is_below(const char *path, const char *dir);

struct table;
struct table_writer;

struct table_writer *table_begin(struct store *s, struct error *e);

/* Entries come in path_order, each path once; else ERROR_INPUT. Copies what it needs. */
int table_add(struct table_writer *w, const struct entry *entry, struct error *e);

/* The layer has a hard link to a file of a lower layer. */
void table_set_needs_below(struct table_writer *w);

/* The table becomes that of the layer DIFF_ID, whose tar has TAR_SIZE bytes. Consumes W. */
int table_commit(struct table_writer *w, const struct digest *diff_id, int64_t tar_size,
                 struct error *e);
void table_discard(struct table_writer *w);

/* ERROR_NOT_FOUND when there is none, ERROR_DAMAGED when it was not whole. Opening reads the file once
 * for its checksum (0.2 ms for 10,000 entries) and maps it. */
struct table *table_open(struct store *s, const struct digest *diff_id, struct error *e);
void table_close(struct table *t);
bool table_exists(struct store *s, const struct digest *diff_id);

/* What was read of T is not needed in memory any more: it is read again when it is. */
void table_forget(struct table *t);

size_t table_count(const struct table *t);
int64_t table_tar_size(const struct table *t);

/* Does the tree of this layer depend on the layers below it: because there is an entry whose
 * directory has none, a whiteout, or a hard link to a file that is not here
 * (table_set_needs_below)? */
bool table_needs_below(const struct table *t);

/* Entries whose directory has none, at least one for each such directory. */
size_t table_orphan_count(const struct table *t);
size_t table_orphan(const struct table *t, size_t i);

/* Entry I; its pointers are lent for as long as the table is open. A record that is damaged reads
 * as an empty directory "". */
void table_get(const struct table *t, size_t i, struct entry *entry);

/* The index of PATH's entry, or -1. */
ssize_t table_find(const struct table *t, const char *path);

/* Does the layer hide what lower layers have at PATH: by anything but a directory there or above, or
 * by an opaque one above? 1, 0, or -1 when memory is out. */
int table_hides(const struct table *t, const char *path);

/* The index of the first entry that is not before PATH; table_count when all are. */
size_t table_lower_bound(const struct table *t, const char *path);
