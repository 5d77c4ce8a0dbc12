/* Git repositories as sources of files: for ADD and for contexts.
 *
 * Done by the git program of this machine, which nobody's configuration reaches: no hooks, no
 * filters, no credential helpers, no protocols but https, http, ssh and git (H029, H030). What it
 * is given never looks like an option.
 *
 * Source: Dockerfile reference, "ADD", private and remote repositories; BuildKit, util/gitutil.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/error.h"
#include "layers/store.h"

/* "https://host/x.git#ref:subdir", "git@host:x?tag=v1&subdir=doc"... taken apart. */
struct git_place {
	char *remote;
	char *ref;       /* NULL: the remote's HEAD; "refs/tags/v1", "main", a commit */
	char *subdir;    /* NULL: all of it */
	char *checksum;  /* how the commit's name must begin; NULL: anything */
	int keep_dir;    /* .git stays: 1, 0, or -1: not said */
	bool no_submodules;
	bool by_commit;  /* CHECKSUM is the commit, whatever REF is now */
};

#define GIT_COMMIT 65 /* hexadecimal digits of SHA-256, NUL */

/* How to prove who we are; every member may be NULL. */
struct git_access {
	const char *(*secret)(void *context, const char *id); /* GIT_AUTH_TOKEN, GIT_AUTH_HEADER */
	void *context;
};

bool git_is_place(const char *text);

/* P needs git_place_release in every case. */
int git_place_parse(const char *text, struct git_place *p, struct error *e);
void git_place_release(struct git_place *p);

/* The commit that P means now: one question to the remote, none when the ref is a commit. */
int git_resolve(const struct git_place *p, const struct git_access *access,
                char commit[static GIT_COMMIT], struct error *e);

/* The files of COMMIT in a new folder of the store, which the caller discards; its path, or that of
 * the subdirectory, which the caller frees. Modes are 0644 and 0755. COMMITTED (may be NULL) is the
 * commit's time in seconds. NULL and E: nothing is left.
 */
char *git_checkout(struct store *s, const struct git_place *p, const struct git_access *access,
                   const char *commit, struct store_temp *folder, int64_t *committed,
                   struct error *e);
