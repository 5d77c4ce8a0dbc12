/* The flags of "cairn build", those of docker buildx build, read into what planner and builder ask.
 *
 * Reading them touches nothing but the environment, the files that --secret names, and docker's
 * config.json for its proxies.
 */
#pragma once
#include <stdbool.h>

#include "builder/build/build.h"
#include "builder/command/options.h"
#include "builder/plan/plan.h"
#include "builder/progress/progress.h"

struct list {
	const char **item;
	size_t count, capacity;
};

struct build_flags {
	const char *context;          /* PATH | URL | - */
	const char *file;             /* -f; NULL: Dockerfile in the context */
	struct plan_options plan;     /* what flags say of it; callbacks are not set */
	struct build_options build;   /* likewise */
	struct list tags, outputs, annotations;
	struct list warnings;         /* of flags that do nothing here */
	bool push, load, pull, quiet, no_id;
	bool keep_git_dir;            /* of a repository that is the context */
	bool enter_failed;            /* --on-fail=shell */
	const char *call;             /* struct call's WHAT; NULL: build */
	bool call_json, call_ignores_status;
	const char *iidfile, *metadata_file;
	enum progress_mode progress;

	/* What the above points to. */
	struct options options;
	struct list args, labels, contexts, no_cache_filters, hosts;
	struct build_arg *arg;
	struct named_context *named;
	struct build_secret *secret;
	struct build_ssh *ssh;
	struct mask mask;             /* the secrets, for whatever is shown */
	struct build_ulimit *ulimit;
	struct list memory;           /* strings that were made on the way */
};

/* FLAGS needs build_flags_release in every case. Returns 1 when --help was asked for and printed. */
int build_flags_read(int argc, char **argv, struct build_flags *flags, struct error *e);
void build_flags_release(struct build_flags *flags);

/* Append ITEM, which is borrowed; and TEXT, which is given away and may be NULL (memory is out). */
int list_add(struct list *list, const char *item, struct error *e);
const char *build_flags_keep(struct build_flags *flags, char *text, struct error *e);
