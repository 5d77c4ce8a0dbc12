/* Commands on what this machine has: options first, then the store, then the work, then a flush.
 */
#pragma once
#include "builder/command/options.h"
#include "layers/store.h"

/* The work: 0, or -1 and E. */
typedef int store_work(struct store *s, const struct options *o, struct error *e);

/* Returns the exit status, or -1 and E, as a command does. --help is answered here. */
int store_command(const struct usage *u, int argc, char **argv, store_work *work,
                  struct error *e);

/* For store_on_damage: a line on the standard error. */
void store_command_warn(void *context, const char *text);

/* The same for work that removes trees, whose files may belong to others (rights.h). */
int store_command_with_rights(const struct usage *u, int argc, char **argv, store_work *work,
                              struct error *e);
