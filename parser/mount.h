/* The value of RUN --mount: type=cache,target=/root/.cache,...
 *
 * One CSV record of key=value, or a key alone for booleans. Order counts: required and size must
 * come after the type= they belong to.
 * Source: Dockerfile reference, "RUN --mount".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include "parser/expand.h"
#include "parser/syntax_error.h"

enum mount_type { MOUNT_BIND, MOUNT_CACHE, MOUNT_TMPFS, MOUNT_SECRET, MOUNT_SSH };
enum mount_sharing { MOUNT_SHARED, MOUNT_PRIVATE, MOUNT_LOCKED };

/* As written, expanded. Defaults that need the step (working folder, number of the ssh mount, the
 * name of a secret) are the performer's.
 */
struct mount {
	enum mount_type type;
	char *from, *source, *target, *id, *env;        /* NULL: not given */
	enum mount_sharing sharing;
	bool read_only;                 /* its type's default unless said */
	bool required;
	int64_t size;                   /* tmpfs; 0: no limit */
	int64_t mode, uid, gid;         /* -1: not given */
};

/* Parse VALUE into MOUNT, each option's value but from='s expanded with HOW.
 *
 * With HOW NULL the variables are not known yet, and only what needs none is looked at: the CSV and
 * from=, which may have no variable; MOUNT then holds that alone. Returns 0, or -1 and E, whose
 * column is the byte of VALUE where the bad option or variable begins, with MOUNT released.
 */
int mount_parse(const char *value, const struct expansion *how, struct mount *mount,
                struct syntax_error *e);

void mount_release(struct mount *mount);

const char *mount_type_name(enum mount_type type);
