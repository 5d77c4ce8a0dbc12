/* Names of users and groups, as the image's own /etc/passwd and /etc/group give them.
 *
 * Pure: works on the texts of the two files, opens nothing. Either text may be NULL for a file
 * that is not there. Lines that are comments, too short or hold no number are skipped; of several
 * entries for one name the first counts. A number is decimal digits and at most 4294967294.
 *
 * Source: moby/sys/user as BuildKit uses it; Dockerfile reference, "USER" and "COPY --chown".
 */
#pragma once
#include <stddef.h>
#include <sys/types.h>

#include "layers/error.h"

struct passwd_user {
	uid_t uid;
	gid_t gid;
	gid_t *groups;  /* supplementary, GID first, no number twice */
	size_t group_count;
	char *home;     /* "/" when nobody knows */
};

/* Resolve USER's "user", "uid", "user:group"... into *USER, which the caller releases.
 *
 * A name brings its primary group and its supplementary groups; an explicit group replaces them.
 * A number that is listed does as its name does, one that is not has group 0. An empty SPEC is
 * user 0. An unknown name is ERROR_INPUT in BuildKit's words. */
int passwd_resolve(const char *passwd, const char *group, const char *spec,
                   struct passwd_user *user, struct error *e);
void passwd_release(struct passwd_user *user);

/* Resolve the value of COPY --chown: a name alone brings its primary group, a number alone is the
 * group's number too. An empty SPEC is 0:0. A name (or a number that is none) that nobody has is
 * ERROR_NOT_FOUND, as the manual says; BuildKit takes root then, and nobody notices. */
int passwd_owner(const char *passwd, const char *group, const char *spec, uid_t *uid, gid_t *gid,
                 struct error *e);
