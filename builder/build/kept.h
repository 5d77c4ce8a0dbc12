/* Failed RUNs that are kept, so that somebody can enter them: cairn build --on-fail, cairn debug.
 *
 *     failed/ID/tree      what the command had changed when it ended, as an overlay's upper folder
 *     failed/ID/record    what it was shown: "KEY VALUE" a line, in text
 *
 * A record has no secret in it: it names the secrets, and whoever enters gives them again. What
 * stood in tmpfs mounts and in /dev/shm is gone; caches are those that all builds share.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "builder/build/scene.h"
#include "builder/build/task.h"
#include "builder/sandbox/sandbox.h"
#include "layers/store.h"

struct kept_mount {
	struct sandbox_mount mount;      /* without source and data where one of these is set: */
	const char *secret, *ssh;        /* its id */
	const char *cache, *below;       /* the folder's name in mounts/, and a path in it */
	bool locked;                     /* a cache for one at a time */
};

/* A record that was read; all it points to is its own. */
struct kept {
	const char *step, *end;          /* "[2/3] RUN make", "exit code: 2" */
	const char *form, *shell;        /* see sandbox_form; "/bin/sh" */
	int64_t when;                    /* seconds since 1970 */
	struct sandbox_run run;          /* argv is the failed command; no store, upper, work, mount */
	const char **argv, **env, **lower;
	const char **secret_env;         /* "NAME=ID": variables that secrets are for */
	struct kept_mount *mount;
	size_t mount_count;
	struct sandbox_limit *limit;
	gid_t *groups;
	char *text;
};

/* T's command ended so (END), and A is how it left its files: those are taken. ID becomes the
 * name. */
int kept_save(struct building *b, const struct task *t, const struct scene *scene,
              struct attempt *a, const char *end, char id[static KEPT_ID], struct error *e);

/* K needs kept_release in every case. ERROR_NOT_FOUND for an ID that is not kept. */
int kept_read(struct store *s, const char *id, struct kept *k, struct error *e);
void kept_release(struct kept *k);

/* The record as text, for whoever looks for what it refers to; the caller frees it. */
char *kept_text(struct store *s, const char *id, struct error *e);

/* ERROR_NOT_FOUND when ID is not kept. */
int kept_remove(struct store *s, const char *id, struct error *e);

/* Those from before WHEN (INT64_MAX: all). */
int kept_remove_old(struct store *s, int64_t when, struct error *e);
