/* The context argument: a folder, "-" for standard input, a URL.
 *
 * What comes as a stream is either an archive, which becomes a folder of the store that goes away
 * with the build, or a Dockerfile, built with an empty context.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"
#include "layers/store.h"

struct context_source {
	char *folder;           /* NULL: the context is empty */
	char *dockerfile;       /* what came instead of an archive; NULL: nothing */
	size_t dockerfile_size;
	int64_t modified;       /* the commit's time, a Last-Modified, or that of the newest file of
	                         * an archive, in seconds; -1: there is none, as of a folder */
	bool temporary;         /* FOLDER is TEMP */
	struct store_temp temp;
};

/* TEXT is the argument; FILE is -f, which may need standard input for itself; with KEEP_GIT_DIR a
 * repository has its .git. PLACE needs context_source_release in every case. */
int context_source_open(const char *text, const char *file, bool keep_git_dir, struct store *s,
                        struct context_source *place, struct error *e);
/* A --build-context that has an address: the files of a repository, or of any other URL a folder
 * with one file, "context", whatever that is, as BuildKit has it. The rest as above. */
int context_source_fetch(const char *address, struct store *s, struct context_source *place,
                         struct error *e);
void context_source_release(struct context_source *place);

/* When what URL gives was changed, as above; it must have CHECKSUM unless that is NULL. */
int web_time(const char *url, const char *checksum, struct store *s, int64_t *seconds,
             struct error *e);

/* "http://..." or "https://...". */
bool is_web_address(const char *text);
