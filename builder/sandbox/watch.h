/* A run that is under way, as the thread sees it that waits for its end: what the program inside
 * answers, what it wants of agents meanwhile, and whether it takes too long.
 */
#pragma once
#include <stdbool.h>

#include "builder/sandbox/agent.h"
#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/spawn.h"

struct watch {
	struct spawned process;
	const struct sandbox_run *run;
	struct agents agents;
	int64_t started_ms;
	enum sandbox_overtime overtime;
	bool refused;              /* the overlay was, by the kernel */
};

/* Hear how the run goes, to its end. */
int watch_follow(struct watch *w, struct sandbox_result *result, struct error *e);
