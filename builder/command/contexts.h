/* The contexts of a build: the main one, and those of --build-context that are files.
 *
 * Folders are opened at once, so that a misspelled one is told before any work; what has an address
 * is fetched when the plan turns out to read it. Images, OCI layouts and other stages that go by
 * such a name are the planner's and the resolver's business.
 */
#pragma once
#include "builder/build/build.h"
#include "builder/command/context_source.h"

struct contexts {
	struct build_context *item;     /* the main one first */
	size_t count;

	struct store *store;
	const struct named_context *named;
	const struct context_source *main;
	struct context_source *fetched; /* of each name; without a folder until it is needed */
	size_t named_count;
};

/* MAIN is borrowed, and so are the names that OPTIONS has; IGNORE, MAIN's, is given away. C needs
 * contexts_close in every case. */
int contexts_open(struct contexts *c, struct store *s, const struct plan_options *options,
                  const struct context_source *main, struct ignore *ignore, struct error *e);

/* Those that PLAN reads and that are not here yet. */
int contexts_fetch(struct contexts *c, const struct plan *plan, struct error *e);

/* When SOURCE was changed, for struct plan_options' TIME_OF. */
int contexts_time(struct contexts *c, const struct time_source *source, int64_t *seconds,
                  struct error *e);

void contexts_close(struct contexts *c);
