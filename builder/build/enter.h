/* A failed RUN that was kept, entered: a shell, or another command, in its place. */
#pragma once
#include "builder/build/build.h"
#include "builder/build/kept.h"

struct enter_options {
	struct store *store;
	const char *id;
	const char *const *argv;       /* NULL: the step's shell */
	const struct build_secret *secret;
	size_t secret_count;
	const struct build_ssh *ssh;
	size_t ssh_count;
	enum sandbox_way isolation;    /* and what sandbox_become_root said of it */
	const char *because;
	bool interactive;              /* with the user's terminal (builder/sandbox/terminal.h) */
};

/* What the command changes is forgotten afterwards, so that everybody who enters finds the same;
 * but caches are everybody's. What is worth a word on the way goes to standard error. Returns the
 * command's exit status, or -1 and E. */
int enter(const struct enter_options *options, struct error *e);

/* From a signal handler: end the command. Async-signal-safe. */
void enter_cancel(void);
