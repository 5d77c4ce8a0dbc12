/* Archives: tar from a stream, entry by entry, strictly.
 *
 * Read are POSIX ustar and pax, GNU tar (long names, sparse files) and the old v7 form. Refused
 * (ERROR_CORRUPT) is what readers are known to disagree about: a wrong checksum, unknown types, a
 * NUL in a name, a malformed pax record, a size of what is no file, device numbers and sizes that
 * Linux has not, a sparse map that overlaps, anything but zeros after the end (H077 to H083, H096,
 * H100 to H103). Global pax headers and unknown pax keys are skipped.
 *
 * Names are given as the archive has them, ".." and all: whoever puts them somewhere looks at them.
 * Whiteouts are files here.
 *
 * Source: POSIX.1-2017, pax; GNU tar manual, "Basic Tar Format" and "Storing Sparse Files".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "layers/table.h"

struct archive;

/* PULL gives the next bytes, up to SIZE; 0 at the end, -1 and E. It is never asked for more than
 * the entry under work needs. */
struct archive *archive_begin(ssize_t (*pull)(void *context, void *buffer, size_t size,
                                              struct error *e),
                              void *context, struct error *e);

/* The file FD from its beginning, plain or compressed as its first bytes say. 1 and *A; 0 when it
 * is no archive: its first block, inflated, is no tar header. FD must stay open. */
int archive_open(int fd, struct archive **a, struct error *e);
void archive_end(struct archive *a);

/* The next entry, lent until the call after; what was not read of the last one is skipped. 1; 0 at
 * the end, after having seen that nothing follows; -1 and E. entry->digest is not known.
 * entry->offset is below 0 for sparse files, -1 - offset being where their headers begin. */
int archive_next(struct archive *a, struct entry *entry, struct error *e);

/* The next bytes of the entry's content, 0 at its end. */
ssize_t archive_read(struct archive *a, void *buffer, size_t size, struct error *e);

/* Is it sure that nothing is missing? An archive ends with a mark; a plain one without may have been
 * cut between two entries (H078), which in a compressed one would have been noticed. */
bool archive_was_ended(const struct archive *a);
