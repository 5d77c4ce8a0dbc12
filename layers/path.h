/* Files beneath a root that may be hostile.
 *
 * Every path from an image, a context or a Dockerfile travels as (root descriptor, path) and is
 * resolved here as if the root were "/": ".." stops at it, absolute and relative links stay
 * inside, links of /proc are not followed. PATH may begin with "/" or not; "" and "." are the
 * root itself. All descriptors are close-on-exec.
 *
 * Source: openat2(2), RESOLVE_IN_ROOT.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/error.h"

/* Open PATH beneath ROOT. FLAGS as for open(2); MODE counts with O_CREAT only. E names PATH. */
int path_open(int root, const char *path, int flags, mode_t mode, struct error *e);

/* Open the directory that holds PATH's last component, links in it resolved; *NAME is that
 * component, a pointer into PATH. ERROR_INPUT when PATH has none ("/", "..", "a/."). */
int path_parent(int root, const char *path, const char **name, struct error *e);

/* Make PATH and its missing parents, with MODE exactly (no umask), owned by the caller. Existing
 * directories keep what they have. Returns a descriptor of PATH. */
int path_make_dirs(int root, const char *path, mode_t mode, struct error *e);

/* The same for a path of the user's own, as the kernel resolves it. */
int path_make_user_dirs(const char *path, mode_t mode, struct error *e);

/* Remove NAME in DIR and all below. Follows no link, enters no other mount, mends directories
 * without permission bits. What is not there is no error. */
int path_remove(int dir, const char *name, struct error *e);

/* Remove what path_remove has moved up into DIR and died over. Nobody else removes there meanwhile. */
void path_remove_rest(int dir);

/* Is there a NAME in DIR? A link is there, whatever it leads to. */
bool path_is_there(int dir, const char *name);

/* The lexical path of PATH within "/", for comparing: leading "/", no ".", no "..", no double or
 * trailing slash. The caller frees it; NULL when memory is out. */
char *path_clean(const char *path);

/* A whole regular file beneath ROOT, NUL added after *SIZE bytes; the caller frees it. More than
 * LIMIT bytes, or no regular file, is ERROR_INPUT (a FIFO is not waited for). */
char *path_read(int root, const char *path, size_t limit, size_t *size, struct error *e);

/* NAME in DIR gets these bytes and MODE, all or nothing: written aside, synced, renamed. */
int path_write(int dir, const char *name, const void *data, size_t size, mode_t mode,
               struct error *e);

/* pread(2) until all of SIZE is read, or the file ends: how many bytes, or -1 and errno. */
ssize_t path_read_at(int fd, void *data, size_t size, int64_t offset);

/* write(2) until all is written; a pipe that somebody made non-blocking is waited for. E has no name
 * in it: the caller knows it. */
int path_write_all(int fd, const void *data, size_t size, struct error *e);
