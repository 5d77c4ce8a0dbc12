/* A tar on its way to a file or to standard output.
 *
 * A file appears whole under its name: written aside, synced, renamed. What is no regular file (a
 * pipe, /dev/null) is written to directly.
 */
#pragma once
#include "layers/error.h"
#include "layers/layer.h"
#include "layers/table.h"

struct tarball;

/* DEST is a path of the user's, or "-". */
struct tarball *tarball_begin(const char *dest, struct error *e);

/* Add one entry; CONTENT counts for files only. Entries come in any order. */
int tarball_add(struct tarball *t, const struct entry *entry, const struct content *content,
                struct error *e);

/* Both consume T. */
int tarball_finish(struct tarball *t, struct error *e);
void tarball_abandon(struct tarball *t);
