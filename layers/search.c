#include "layers/search.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "layers/tarball.h"

/* A piece that stays in a core's own cache while it is searched once for each needle. */
#define PIECE_SIZE (256 << 10)

struct search {
	const struct needle *needle;
	size_t count, longest;
	struct table *table;
	struct search_hit *hit;
};

static int found(struct search *s, size_t needle, const char *path, bool in_name, struct error *e)
{
	*s->hit = (struct search_hit){ .needle = needle, .path = strdup(path), .in_name = in_name };
	return s->hit->path ? 1 : error_memory(e);
}

static bool has(const void *bytes, size_t size, const struct needle *needle)
{
	return bytes && memmem(bytes, size, needle->bytes, needle->size);
}

/* In headers a long name may be in two places or in records, so it is looked for in the table. */
static int search_names(struct search *s, struct error *e)
{
	for (size_t i = 0; i < table_count(s->table); i++) {
		struct entry entry;

		table_get(s->table, i, &entry);
		for (size_t k = 0; k < s->count; k++)
			if (has(entry.path, strlen(entry.path), &s->needle[k]) ||
			    has(entry.xattrs, entry.xattrs_size, &s->needle[k]))
				return found(s, k, entry.path, true, e);
	}
	return 0;
}

/* Which file has the byte at OFFSET of the tar? 0: it is in a header, or between two. */
static int locate(struct search *s, size_t needle, int64_t offset, struct error *e)
{
	for (size_t i = 0; i < table_count(s->table); i++) {
		struct entry entry;

		table_get(s->table, i, &entry);
		if (entry.type == ENTRY_FILE && entry.offset >= 0 && offset >= entry.offset &&
		    offset - entry.offset < entry.size)
			return found(s, needle, entry.path, false, e);
	}
	return 0;
}

/* SIZE bytes of the tar from OFFSET on. */
static int search_piece(struct search *s, const char *bytes, size_t size, int64_t offset,
                        struct error *e)
{
	for (size_t k = 0; k < s->count; k++) {
		const struct needle *needle = &s->needle[k];
		const char *at = bytes;

		while ((at = memmem(at, size - (size_t)(at - bytes), needle->bytes, needle->size))) {
			int result = locate(s, k, offset + (at - bytes), e);

			if (result)
				return result;
			at++;
		}
	}
	return 0;
}

/* Every piece begins with the end of the one before it, where a needle may have begun. */
static int search_contents(struct search *s, struct tarball *tar, bool (*stop)(void *context),
                           void *context, struct error *e)
{
	auto_free char *buffer = malloc(PIECE_SIZE + s->longest);
	size_t kept = 0;
	int64_t offset = 0;
	int result = 0;
	ssize_t n;

	if (!buffer)
		return error_memory(e);
	while (result == 0 && (n = tarball_read(tar, buffer + kept, PIECE_SIZE, e)) != 0) {
		size_t size = kept + (size_t)n;

		if (n < 0)
			return -1;
		if (stop(context))
			return error_set(e, ERROR_CANCELLED, "cancelled");
		result = search_piece(s, buffer, size, offset, e);
		kept = size < s->longest - 1 ? size : s->longest - 1;
		offset += (int64_t)(size - kept);
		memmove(buffer, buffer + size - kept, kept);
	}
	return result;
}

int layer_search(struct store *store, const struct layer *layer, const struct needle *needle,
                 size_t count, bool (*stop)(void *context), void *context, struct search_hit *hit,
                 struct error *e)
{
	struct search s = { .needle = needle, .count = count, .hit = hit };
	struct tarball *tar = NULL;
	int result = -1;

	for (size_t i = 0; i < count; i++)
		if (needle[i].size > s.longest)
			s.longest = needle[i].size;
	if (s.longest == 0)
		return 0;
	s.table = table_open(store, &layer->diff_id, e);
	if (s.table)
		tar = tarball_open(store, layer, e);
	if (tar)
		result = search_names(&s, e);
	if (result == 0)
		result = search_contents(&s, tar, stop, context, e);
	tarball_close(tar);
	table_close(s.table);
	return result;
}
