/* The rights that a command needs: those of root, if only in a user namespace. */
#pragma once
#include "builder/sandbox/sandbox.h"

/* For commands that make or remove trees, whose files may belong to others: to be called before
 * anything is opened and any thread is started. The store stays where it is for the user who
 * started cairn. Otherwise as sandbox_become_root. */
int rights_take(enum sandbox_way way, const char **because, struct error *e);
