/* What sandbox.c, which chooses a way, and ways.c, which goes it, share. */
#pragma once
#include <pthread.h>

#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/watch.h"

struct sandbox {
	pthread_mutex_t first;     /* held while the first run finds out what is needed */
	bool ready;
	int program, null;
	uint32_t flags;            /* REQUEST_... that hold for all runs */
	uint64_t capabilities;     /* our own */
	bool cgroup2;
	_Atomic long oom_kills;    /* seen so far */
	struct sandbox_options options;
	_Atomic enum sandbox_way way;
	_Atomic bool outer_proc;   /* was told, */
	_Atomic bool no_cgroup;    /* this, too */
};

/* A line for the user. */
void sandbox_notice(const struct sandbox *s, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Each runs R once. -1 and E, and *REFUSAL tells when another way may be open. */
typedef int way_run(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                    enum refusal *refusal, struct error *e);

way_run run_in_overlay, run_in_copy, run_in_chroot;
