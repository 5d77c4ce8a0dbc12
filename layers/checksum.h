/* Checksums: CRC-32, of the store's own small files, by which one that is cut or changed is known.
 *
 * Ten times as fast as a digest, against disks and accidents. What anybody else may have written is
 * known by its digest. Source: RFC 1952, section 8.
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"

/* SUM continued over SIZE more bytes; it begins as 0. */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t size);

/* The same over all that FD has from OFFSET on. */
int checksum_add_file(uint32_t *sum, int fd, int64_t offset, struct error *e);
