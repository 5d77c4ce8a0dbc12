/* A build: performs a plan. Every step starts as soon as its inputs are there.
 *
 *     step -> key -> found in the cache? its result : perform it -> layer -> record
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/copy/context.h"
#include "builder/mask.h"
#include "builder/plan/plan.h"
#include "builder/progress/progress.h"
#include "builder/sandbox/sandbox.h"
#include "layers/image.h"
#include "layers/store.h"
#include "layers/tree.h"

struct build_secret {
	const char *id;
	char *value;             /* its bytes, read before the build starts */
	size_t size;
};

struct build_ssh {
	const char *id;          /* "default" */
	const char *socket;      /* path of the agent's socket */
};

struct build_ulimit {
	int resource;            /* RLIMIT_* */
	uint64_t soft, hard;
};

struct build_context {
	const char *name;        /* NULL: the main one */
	struct context *context;
};

enum confirm {
	CONFIRM_SOON,   /* a step was in the cache: the end may be near, where all has to be known */
	CONFIRM_SO_FAR, /* a step begins: as far as is known */
	CONFIRM_ALL,    /* wait until it is known */
};

struct build_options {
	struct store *store;
	struct progress *progress;
	const struct plan *plan;
	const struct build_context *context;
	size_t context_count;
	const struct build_secret *secret;
	size_t secret_count;
	const struct build_ssh *ssh;
	size_t ssh_count;
	const struct build_ulimit *ulimit;
	size_t ulimit_count;
	struct cgroup_limits cgroup;   /* of each RUN */
	const char *const *add_host;   /* "name:ip" or "name=ip" */
	size_t add_host_count;
	const char *hostname;          /* NULL: buildkitsandbox */
	enum sandbox_network network;  /* of a RUN that asks for none or the default */
	int64_t shm_size;              /* 0: 64 MiB */
	enum sandbox_way isolation;
	const char *because;           /* of sandbox_become_root; NULL: nothing is missing */
	unsigned run_retries;          /* more tries at a RUN that failed */
	int64_t run_timeout_ms;        /* for each of them; 0: none */
	int64_t run_idle_timeout_ms;   /* without a word; 0: none */
	bool keep_failed;              /* a RUN that failed can be entered: builder/build/kept.h */
	bool allow_secret_leak;        /* do not search the image for secrets */
	const struct mask *mask;       /* the secrets, hidden in what is shown */
	unsigned jobs;                 /* 0: as many as the machine deserves */
	const char *cache_mount_namespace;
	const char *identity;          /* of the Dockerfile, so that a miss can be explained */
	/* Bring a base's layer into the store: the resolver's. With TREES a RUN will want it unpacked
	 * that way; NULL: none will. */
	int (*fetch)(const struct base *base, size_t layer, const struct tree_rules *trees,
	             struct error *e);
	/* Is the plan still good? Asked before a step is performed and, whatever came of it, at the end;
	 * who learns meanwhile that it is not calls build_cancel. ERROR_STALE ends the build; plan again
	 * then. NULL: it is. */
	int (*confirm)(void *context, enum confirm how, struct error *e);
	void *confirm_context;
	/* Told of a LAYER of the image when it is there and other steps are not yet done, from any
	 * thread. NULL: nobody wants to know. */
	void (*layer_done)(void *context, const struct layer *layer);
	void *layer_context;
};

/* Room for the name of a failed step that is kept. */
#define KEPT_ID 13

/* Where a failed build failed. */
struct build_failure {
	const struct step *step;       /* NULL: not in a step */
	struct vertex *vertex;
	struct error error;
	char kept[KEPT_ID];            /* with keep_failed: how its RUN is entered; else "" */
};

/* Run the plan's target; IMAGE receives config and layers, written to the store but not flushed.
 * A failure or build_cancel ends all running steps first. */
int build_perform(const struct build_options *options, struct image *image,
                  struct build_failure *failure);

/* From any thread or a signal handler: end all steps. Async-signal-safe; nothing without a build. */
void build_cancel(void);
