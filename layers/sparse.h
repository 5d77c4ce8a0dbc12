/* The map of a sparse file in an archive: which parts of it are there, in order.
 *
 * Source: GNU tar manual, "Storing Sparse Files".
 */
#pragma once
#include <stddef.h>
#include <stdint.h>

#include "layers/error.h"

struct sparse_part {
	int64_t offset, size;
};

/* All zero at first. */
struct sparse {
	struct sparse_part *part;
	size_t count, capacity;
};

int sparse_add(struct sparse *map, int64_t offset, int64_t size, struct error *e);

/* COUNT pairs of tar numbers, 12 bytes each, as the old form of GNU tar has them; an empty one ends
 * them. */
int sparse_add_fields(struct sparse *map, const unsigned char *fields, size_t count,
                      struct error *e);

/* Parts in order, none over another, within REAL_SIZE, STORED bytes together. */
int sparse_check(const struct sparse *map, int64_t real_size, int64_t stored, struct error *e);
void sparse_release(struct sparse *map);
