/* What the command of a RUN is shown: a root filesystem, mounts, an environment, a user.
 *
 * Made once for all attempts of a step; what an attempt changes is its own (struct attempt).
 */
#pragma once
#include "builder/build/environment.h"
#include "builder/build/rootfs.h"
#include "builder/build/step_run.h"
#include "builder/sandbox/sandbox.h"

struct scene {
	struct sandbox_run run;         /* all but upper, work, out and err; what follows is lent to it */
	struct rootfs root;
	char mount_points[TREE_PATH];
	struct passwd_user user;
	struct environment env;
	struct sandbox_mount *mount;
	const struct run_mount **asked; /* what each of them is for; NULL: the script */
	struct sandbox_limit *limit;
	char *hosts, *resolv_conf;
};

/* The host name that a RUN of this build sees. */
const char *scene_hostname(const struct building *b);

/* S needs scene_release in every case. RUNNING has the mounts, prepared, and keeps them. */
int scene_open(struct building *b, struct task *t, struct running *running, struct scene *s,
               struct error *e);
void scene_release(struct scene *s);

/* One try at a command: the upper directory it changes, and room for the overlay. */
struct attempt {
	struct store_temp upper_temp, work_temp;
	int upper, work;
	int remains;                    /* of its sandbox, lent; -1: nothing */
};

/* A needs attempt_release in every case, which removes what was not taken. */
int attempt_begin(struct building *b, const struct scene *s, struct attempt *a, struct error *e);
void attempt_release(struct building *b, struct attempt *a);
