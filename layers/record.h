/* One entry as bytes: what a table's file is made of, and what an index sorts.
 *
 * A record is a fixed part in native order, then path, link and extended attributes, padded to
 * eight bytes. It is of this machine only: tables are never read elsewhere.
 */
#pragma once
#include <stdbool.h>
#include <stdio.h>

#include "layers/table.h"

/* Append ENTRY to FILE. Returns the bytes written, a multiple of 8, or -1 and errno. */
ssize_t record_write(FILE *file, const struct entry *entry);

/* The record at BYTES, of which LIMIT may be read, as an entry that points into it. False when
 * it is not whole: ENTRY is an empty directory then. */
bool record_read(const unsigned char *bytes, size_t limit, struct entry *entry);
