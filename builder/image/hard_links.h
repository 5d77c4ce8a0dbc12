/* Which paths of an image are names of one file: for those who write its files out.
 *
 * A layer has the content of a file once, under one name; the others are entries of their own kind.
 * Only files that have such entries are kept in mind, and most images have few.
 */
#pragma once
#include "layers/stack.h"

struct hard_links;

/* NULL and E. */
struct hard_links *hard_links_find(struct stack *st, struct error *e);
void hard_links_free(struct hard_links *h);

/* To be asked for each file of the stack as it is written: *FIRST is the path that the same file
 * was written under before, lent; NULL: it is to be written, and others may become links of it. */
int hard_links_first(struct hard_links *h, const struct found *found, const char **first,
                     struct error *e);
