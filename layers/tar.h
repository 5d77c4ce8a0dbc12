/* The tar format, one header at a time: entries to header blocks, and header blocks to numbers.
 *
 * Written is POSIX ustar, with pax records only where a number or a name does not fit; the bytes
 * depend on the entry alone, whatever the locale. Names are bytes: those that are no UTF-8 are
 * written as they are, as GNU tar does.
 *
 * This is our own and not libarchive's because a layer is trusted by its bytes: libarchive answers
 * a malformed pax record and a name outside the locale with the same warning, cuts names at a NUL,
 * takes unknown types for files and stops reading at the end marker.
 *
 * Source: POSIX.1-2017, pax, "ustar Interchange Format" and "pax Header Block"; GNU tar manual,
 * "Basic Tar Format".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/table.h"

#define TAR_BLOCK 512

struct tar_header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], checksum[8];
	char type;
	char link[100], magic[8], user[32], group[32], major[8], minor[8], prefix[155];
	char padding[12];
};

/* Fill HEADER for ENTRY under NAME (a directory's ends with '/'). True when all of it fits; else
 * tar_records has to go first. */
bool tar_header(const struct entry *entry, const char *name, struct tar_header *header);

/* The pax header with the records that ENTRY needs, blocks padded; the caller frees it. NULL when
 * memory is out. */
char *tar_records(const struct entry *entry, const char *name, size_t *size);

/* Does the checksum hold, as unsigned or (old writers) signed bytes? */
bool tar_checksum_holds(const struct tar_header *header);

/* A number of SIZE bytes: octal with blanks or NUL around, or base 256. False when malformed or
 * too large; an empty field is 0. */
bool tar_number(const char *field, size_t size, int64_t *number);

/* Bytes that follow SIZE to the next block. */
size_t tar_padding(int64_t size);
