/* What is set on a file after it was made, while a layer is unpacked: owner, attributes, mode and
 * times, as ENTRY says. Errors name the entry.
 */
#pragma once
#include "layers/table.h"
#include "layers/tree.h"

int restore_metadata(const struct tree_rules *rules, int fd, const struct entry *entry,
                     struct error *e);

/* The same for what cannot be opened without consequences: the link, pipe or device NAME in DIR,
 * made a moment ago. */
int restore_metadata_at(const struct tree_rules *rules, int dir, const char *name,
                        const struct entry *entry, struct error *e);
