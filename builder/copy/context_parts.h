/* How a context is kept in memory; for context*.c only.
 *
 * A fixed struct per file, the children of a folder side by side and sorted by name, names in an
 * arena: 96 bytes for each file, and its name.
 */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "builder/copy/context.h"
#include "builder/copy/context_index.h"
#include "parser/arena.h"

/* Walking and hashing gain little from more: the kernel's own locks and the disk are next. */
#define CONTEXT_THREADS 4

enum {
	FILE_STATTED = 1 << 0,  /* all numbers below are known, and a link's text */
	FILE_LISTED = 1 << 1,   /* a folder: its children are known */
	FILE_LOADED = 1 << 2,   /* a folder: so is everything below it */
	FILE_HASHED = 1 << 3,
	FILE_RACY = 1 << 4,     /* hashed in the tick in which it was changed: not for the index */
	FILE_EXCLUDED = 1 << 5, /* a folder that is left out, but something below may not be */
	FILE_KEEPS = 1 << 6,    /* ... and is not */
	FILE_GONE = 1 << 7,     /* ... or it is, or the file vanished after its name was read */
	FILE_SHARED = 1 << 8,   /* more than one name */
	FILE_QUEUED = 1 << 9,   /* about to be hashed */
};

struct context_file {
	const char *name;
	struct context_file *parent; /* NULL: the root */
	union {
		struct context_file *child; /* a folder: CHILD_COUNT of them */
		const char *link;           /* a symlink's text */
		dev_t device;
	};
	union {
		struct digest digest;            /* FILE_HASHED */
		const struct index_entry *known; /* else what the index has of it, not disproved */
	};
	uint16_t mode;                   /* st_mode: type and permission bits */
	uint16_t flags;
	uint32_t dev;                    /* all that Linux has of st_dev */
	uint64_t ino;
	union {
		int64_t size;            /* not of folders */
		uint32_t child_count;
	};
	int64_t mtime_ns, ctime_ns;
};

struct context {
	struct store *store;
	char *path;
	int root;
	struct ignore *ignore;
	struct context_index *index;          /* NULL: none */
	atomic_size_t index_used;             /* entries that were looked at */
	char index_name[DIGEST_HEX + 1];      /* "": nothing is kept */

	pthread_mutex_t mutex;                /* guards all below, and every file */
	struct arena *memory[CONTEXT_THREADS];/* one for each thread of a walk */
	struct context_file top;
	bool changed;                         /* the index does not say what we know */
};

/* A path of a file, built again and again in the same memory. */
struct context_path {
	char *text;
	size_t capacity;
};
/* FILE's path, or NULL: out of memory. */
const char *context_path_of(struct context_path *p, const struct context_file *file);

/* PATH below the context's root, however long, with O_NOFOLLOW for its last component. */
int context_open_below(const struct context *c, const char *path, int flags, struct error *e);

/* All with the mutex held. Names and types of DIR's children; numbers of FILE; both, of DIR's
 * children; of all below DIR, by several threads. */
int context_list(struct context *c, struct context_file *dir, struct error *e);
int context_stat(struct context *c, struct context_file *file, struct error *e);
int context_read(struct context *c, struct context_file *dir, struct error *e);
int context_load(struct context *c, struct context_file *dir, struct error *e);

/* Take the numbers of ST; the digest from the index when they are those it knows. */
void context_take(struct context_file *file, const struct stat *st);
bool context_matches(const struct context_file *file, const struct stat *st);

static inline int64_t context_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}
