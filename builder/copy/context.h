/* A build context: a folder of files, seen through its .dockerignore.
 *
 * Nothing is walked before it is asked for: a COPY of one folder costs that folder. Names are read
 * with their types, sorted, the rules applied on the way; what is left out is neither opened nor
 * looked at, and neither are sockets, which no layer can hold. FIFOs and devices are never opened.
 *
 * Files are hashed once: an index in the store remembers (device, inode, size, mtime, ctime) ->
 * digest from build to build, in the manner of git's index. A file that was changed in the same
 * tick of the clock in which it was hashed does not get into it. A rebuild costs one stat per file.
 *
 * Files have no owner and no time of their own here: whose they are and when somebody checked them
 * out is no part of a build. Paths are as in tables: clean, no leading slash, "" is the root.
 *
 * Threads: a context may be used by several at once; look-ups wait for each other.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/digest.h"
#include "layers/error.h"
#include "layers/store.h"
#include "layers/table.h"
#include "parser/ignore.h"

struct context;
struct context_file; /* lent by its context until that is closed */

/* The folder PATH. IGNORE (may be NULL) is given away. S keeps the index; NULL: a folder that was
 * made for this build only has none. */
struct context *context_open(struct store *s, const char *path, struct ignore *ignore,
                             struct error *e);
/* No folder at all: every look-up says that the context is empty (a Dockerfile on stdin). */
struct context *context_empty(struct store *s, struct error *e);

/* Saves the index when it changed; E says why that failed, which harms nothing. C is gone in every
 * case. */
int context_close(struct context *c, struct error *e);

int context_root(const struct context *c);            /* descriptor, lent; -1: empty */
const char *context_path(const struct context *c);    /* for messages */
const struct ignore *context_ignore(const struct context *c);

/* 1 and *FILE, 0 when PATH is not there or left out, -1 and E. Links before the last component are
 * followed as if the context were "/", the last one too when FOLLOW. Links in a circle are
 * ERROR_INPUT. */
int context_find(struct context *c, const char *path, bool follow,
                 const struct context_file **file, struct error *e);

/* Visit what is below DIR (not DIR itself) in path_order, as stack_walk does: VISIT returns 0 to go
 * on, 1 to leave out what is below this folder, -1 and E to stop. With DEEP false only the names
 * directly in DIR. PATH begins at DIR; it is lent until VISIT returns. VISIT must not call the
 * context. */
typedef int context_visit(void *context, const struct context_file *file, const char *path,
                          struct error *e);
int context_walk(struct context *c, const struct context_file *dir, bool deep,
                 context_visit *visit, void *context, struct error *e);

/* What is known without reading: type, mode (0777 for links), size, link, device numbers; and the
 * digest when the file was hashed. Owner 0:0, no attributes, no time, no path. */
void context_entry(const struct context_file *file, struct entry *entry);

/* Which file it is: two names of one file (hard links) give equal numbers. False for what has one
 * name only. */
bool context_identity(const struct context_file *file, uint64_t number[static 2]);

/* The caller frees it; NULL: out of memory. */
char *context_file_path(const struct context_file *file);

/* FILE's own name, "" for the root, and the folder that it is in, NULL for the root. */
const char *context_file_name(const struct context_file *file);
const struct context_file *context_file_folder(const struct context_file *file);

/* When FILE was changed, in nanoseconds since 1970: what no layer depends on. */
int64_t context_time(const struct context_file *file);

/* Is FILE a regular file whose digest nobody knows yet? */
bool context_is_unhashed(const struct context_file *file);

/* Make sure that the digests of these regular files are known; those which the index does not have
 * are read, by several threads. A file that changes all the time is ERROR_INPUT. MOVED (may be
 * NULL) hears how many bytes of how many have been read. FILES is used up: its order changes. */
typedef void context_moved(void *context, int64_t done, int64_t total);
int context_hash(struct context *c, const struct context_file **files, size_t count,
                 context_moved *moved, void *context, struct error *e);

/* For reading many files one after the other: the folder of the last one stays open. All zero but
 * FD, which is -1, at first; context_reader_release at the end. */
struct context_reader {
	struct context *context;
	const struct context_file *dir;
	int fd;
};
void context_reader_release(struct context_reader *r);

/* FILE open for reading. ERROR_INPUT ("changed while it was read") when it is not the one that was
 * hashed any more. */
int context_reader_open(struct context_reader *r, const struct context_file *file,
                        struct error *e);
/* Ask again, after reading. */
int context_unchanged(const struct context_file *file, int fd, struct error *e);
