/* Directories that a layer only implies: it has d/f, but no d. */
#pragma once
#include "layers/stack.h"
#include "layers/table.h"

/* What PATH is like, which the layer of TABLE only implies: as it is in UNDER, the layers below (or
 * NULL; what ENTRY points to is lent by it), unless TABLE hides that; else 0755 root's. */
int implied_dir(const struct table *table, struct stack *under, const char *path,
                struct entry *entry, struct error *e);
