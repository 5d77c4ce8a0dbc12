/* Control groups: what a RUN may use of memory, processors and processes.
 *
 * A group of its own for each run, beside that of cairn, or within what the user names. The unified
 * hierarchy (v2) wants the controllers to be there, which they are for root and for whoever was
 * given a part of it (systemd: Delegate=yes); the older hierarchies (v1) have a folder for each.
 *
 * Source: kernel Documentation/admin-guide/cgroup-v2.rst, cgroup-v1/.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/error.h"

/* 0 and NULL: no limit. */
struct cgroup_limits {
	int64_t memory;            /* bytes */
	int64_t memory_swap;       /* bytes of both together; -1: any; 0: twice the memory */
	int64_t cpu_quota, cpu_period; /* microseconds of CPU time in each period; 0: of 100 ms */
	int64_t cpu_shares;        /* 1024 is everybody's */
	int64_t pids;
	const char *cpuset_cpus, *cpuset_mems; /* "0-2,7" */
	const char *parent;        /* absolute, in the hierarchy */
};

enum { CGROUP_FOLDERS = 4 };

struct cgroup {
	char *folder[CGROUP_FOLDERS];
	int count;
};

bool cgroup_is_wanted(const struct cgroup_limits *limits);

/* A new group with these limits. G needs cgroup_remove in every case. -1 and E, which says what
 * this place does not allow. */
int cgroup_make(const struct cgroup_limits *limits, struct cgroup *g, struct error *e);

/* PID, and all it starts from now on, are in G. */
int cgroup_join(const struct cgroup *g, pid_t pid, struct error *e);

/* Has somebody in G been killed because there was no memory left? */
bool cgroup_was_too_small(const struct cgroup *g);

/* Everybody who was in G has ended. */
void cgroup_remove(struct cgroup *g);
