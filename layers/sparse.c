#include "layers/sparse.h"

#include <stdlib.h>
#include <string.h>

#include "layers/tar.h"

/* 16 MiB of map. A file with more holes than this was made to be a nuisance. */
#define PARTS_MAX (1 << 20)

int sparse_add(struct sparse *map, int64_t offset, int64_t size, struct error *e)
{
	if (map->count == map->capacity) {
		size_t capacity = map->capacity ? 2 * map->capacity : 16;
		struct sparse_part *grown;

		if (capacity > PARTS_MAX)
			return error_set(e, ERROR_CORRUPT, "a sparse file with too many parts");
		grown = reallocarray(map->part, capacity, sizeof *grown);
		if (!grown)
			return error_memory(e);
		map->part = grown;
		map->capacity = capacity;
	}
	map->part[map->count++] = (struct sparse_part){ offset, size };
	return 0;
}

int sparse_add_fields(struct sparse *map, const unsigned char *fields, size_t count,
                      struct error *e)
{
	const char *field = (const char *)fields;
	int64_t offset, size;

	for (size_t i = 0; i < count && *field; i++, field += 24) {
		if (!tar_number(field, 12, &offset) || !tar_number(field + 12, 12, &size))
			return error_set(e, ERROR_CORRUPT, "a malformed sparse map");
		if (sparse_add(map, offset, size, e) < 0)
			return -1;
	}
	return 0;
}

int sparse_check(const struct sparse *map, int64_t real_size, int64_t stored, struct error *e)
{
	int64_t end = 0, sum = 0;

	for (size_t i = 0; i < map->count; i++) {
		const struct sparse_part *p = &map->part[i];

		if (p->offset < end || p->size < 0 || p->offset > real_size ||
		    p->size > real_size - p->offset)
			return error_set(e, ERROR_CORRUPT, "a sparse file whose parts do not fit");
		end = p->offset + p->size;
		sum += p->size;
	}
	if (sum != stored)
		return error_set(e, ERROR_CORRUPT, "a sparse file whose parts are not its content");
	return 0;
}

void sparse_release(struct sparse *map)
{
	free(map->part);
	memset(map, 0, sizeof *map);
}
