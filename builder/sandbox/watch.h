/* A run that is under way, as the thread sees it that waits for its end: what the program inside
 * answers, what it wants of agents meanwhile, and whether it takes too long.
 */
#pragma once

#include "builder/sandbox/agent.h"
#include "builder/sandbox/sandbox.h"
#include "builder/sandbox/spawn.h"

/* What the kernel refuses at this place, so that another way may still be open. */
enum refusal { REFUSED_NOTHING, REFUSED_OVERLAY, REFUSED_NAMESPACES };

struct watch {
	struct spawned process;
	const struct sandbox_run *run;
	struct agents agents;
	int64_t started_ms;
	enum sandbox_overtime overtime;
	enum refusal refusal;
	bool outer_proc;           /* the command sees the processes beside it */
	bool nothing_meanwhile;    /* the caller has done all it had to do */
};

/* Hear how the run goes, to its end. */
int watch_follow(struct watch *w, struct sandbox_result *result, struct error *e);
