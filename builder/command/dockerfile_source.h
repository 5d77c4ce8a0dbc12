/* Where the Dockerfile comes from, and the .dockerignore that goes with it.
 *
 * A Dockerfile of the context is opened beneath the context, so that a link in a hostile one cannot
 * show us another file of this machine; one that -f names elsewhere, beneath its own folder. It is
 * read once, whatever happens to it while the build runs.
 *
 * A context that was fetched (an archive, a repository) is all that was sent: -f is a path in it,
 * and no .dockerignore counts, as BuildKit has it.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/error.h"
#include "layers/store.h"
#include "parser/ignore.h"

struct dockerfile_source {
	char *name;             /* "Dockerfile", for messages */
	char *identity;         /* the same from build to build: where it stands */
	char *text;
	size_t size;
	struct ignore *ignore;  /* NULL: none; whoever takes it sets this to NULL */
};

/* FOLDER is the context's, NULL when it has none; FETCHED says that it was. FILE is -f: a path, "-"
 * for standard input, a URL; NULL: FOLDER's Dockerfile. S keeps what is downloaded. SOURCE needs
 * dockerfile_source_release in every case. */
int dockerfile_source_read(const char *folder, bool fetched, const char *file, struct store *s,
                           struct dockerfile_source *source, struct error *e);
/* The same of TEXT that came as a stream, with no context; it is taken away from its owner. */
int dockerfile_source_take(struct dockerfile_source *source, char **text, size_t size,
                           struct error *e);
void dockerfile_source_release(struct dockerfile_source *source);

/* The rules of FOLDER's own .dockerignore; *RULES is NULL when it has none. */
int dockerignore_read(const char *folder, struct ignore **rules, struct error *e);

/* All of standard input, at most LIMIT bytes, NUL added; the caller frees it. */
char *stdin_read(size_t limit, size_t *size, struct error *e);
