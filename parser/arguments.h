/* What the words of an instruction mean, one function for each kind of arguments. All return 0 with
 * the union in R->to filled in, or -1 and R->e. FLAGS are in the order of the instruction's table.
 */
#pragma once
#include "parser/flags.h"
#include "parser/instruction.h"

/* The order in which FLAGS come. */
enum { COPY_CHOWN, COPY_CHMOD, COPY_LINK, COPY_EXCLUDE, COPY_FROM, COPY_PARENTS };
enum { ADD_CHECKSUM = COPY_EXCLUDE + 1, ADD_KEEP_GIT_DIR, ADD_UNPACK };
enum { RUN_MOUNT, RUN_NETWORK, RUN_SECURITY, RUN_DEVICE };
enum { HEALTHCHECK_INTERVAL, HEALTHCHECK_RETRIES = 4 };

int arguments_command(struct reading *r, const struct flag_value *flags);
int arguments_copy(struct reading *r, const struct flag_value *flags);
int arguments_from(struct reading *r, const struct flag_value *flags);
int arguments_healthcheck(struct reading *r, const struct flag_value *flags);
int arguments_pairs(struct reading *r, const struct flag_value *flags);
int arguments_run(struct reading *r, const struct flag_value *flags);
int arguments_shell(struct reading *r, const struct flag_value *flags);
int arguments_text(struct reading *r, const struct flag_value *flags);
int arguments_trigger(struct reading *r, const struct flag_value *flags);
int arguments_volume(struct reading *r, const struct flag_value *flags);
int arguments_words(struct reading *r, const struct flag_value *flags);

/* Whether R is HEALTHCHECK NONE. */
bool arguments_are_none(const struct reading *r);
