/* A build context: a folder of files, seen through its .dockerignore.
 *
 * Files are hashed once: an index in the store remembers (device, inode, size, mtime, ctime) ->
 * digest from build to build, in the manner of git's index; entries whose times are not older than
 * the index itself are read again. A rebuild costs one stat per file.
 *
 * Threads: walking and hashing may run from several threads at once.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/error.h"
#include "layers/store.h"
#include "parser/ignore.h"

struct context;

/* The folder PATH. IGNORE (may be NULL) is given away. S keeps the index. */
struct context *context_open(struct store *s, const char *path, struct ignore *ignore,
                             struct error *e);
/* No folder at all: every look-up says that the context is empty (a Dockerfile on stdin). */
struct context *context_empty(struct store *s, struct error *e);

/* Saves the index when it changed; E says why that failed, which harms nothing. */
int context_close(struct context *c, struct error *e);

int context_root(const struct context *c);            /* descriptor, lent */
const char *context_path(const struct context *c);    /* for messages */
const struct ignore *context_ignore(const struct context *c);
