/* A tar on its way to a file or to standard output.
 *
 * A file appears whole under its name: written aside, synced, renamed. What is no regular file (a
 * pipe, /dev/null) is written to directly.
 */
#pragma once
#include "layers/error.h"
#include "layers/layer.h"
#include "layers/table.h"

struct tar_file;

/* DEST is a path of the user's, or "-". */
struct tar_file *tar_file_begin(const char *dest, struct error *e);

/* Add one entry; CONTENT counts for files only. Entries come in any order. */
int tar_file_add(struct tar_file *t, const struct entry *entry, const struct content *content,
                struct error *e);

/* Both consume T. */
int tar_file_finish(struct tar_file *t, struct error *e);
void tar_file_abandon(struct tar_file *t);
