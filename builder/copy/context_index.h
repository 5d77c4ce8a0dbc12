/* The index of a context: what the digests of its files were, and of which state of them.
 *
 * One file for each context in the store, named by the digest of the context's absolute path, read
 * through mmap: an array of entries in which the children of a folder stand together, sorted by
 * name, and the names behind it. Looking a tree up costs one comparison of names per file, side by
 * side with the sorted folders of the disk.
 *
 * It is a cache: one that is damaged or of another make is as good as none.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/error.h"
#include "layers/store.h"

/* A regular file in the state that DIGEST is of, or a folder. */
struct index_entry {
	uint64_t dev, ino;
	int64_t size, mtime_ns, ctime_ns;
	struct digest digest;
	uint32_t name;         /* where it begins among the names */
	uint32_t first, count; /* a folder's children: indices of entries; a file: 0, 0 */
	uint32_t is_dir;
};

struct context_index;

/* NULL when there is none to be trusted. */
struct context_index *index_open(struct store *s, const char *name);
void index_close(struct context_index *x);

/* What was read of X is not needed in memory any more: it is read again when it is. */
void index_forget(struct context_index *x);

const struct index_entry *index_root(const struct context_index *x);
const char *index_name(const struct context_index *x, const struct index_entry *entry);

/* The children of DIR; *COUNT of them. */
const struct index_entry *index_children(const struct context_index *x,
                                         const struct index_entry *dir, uint32_t *count);

/* Write an index. Entries come folder by folder, breadth first: the root alone, then its children,
 * then those of its first child that is a folder... COUNT of each folder is how many will come. */
struct index_writer;
struct index_writer *index_begin(struct store *s, struct error *e);
int index_add(struct index_writer *w, const char *name, struct index_entry *entry,
              struct error *e);
int index_commit(struct index_writer *w, const char *name, struct error *e);
void index_discard(struct index_writer *w);
