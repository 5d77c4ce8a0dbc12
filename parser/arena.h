/* Memory that lives as long as its dockerfile: taken piece by piece, given back at once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

struct arena;

/* Returns an empty arena, or NULL. */
struct arena *arena_new(void);

/* From here on memory runs out when A has more than SIZE bytes; arena_full tells that it did. */
void arena_limit(struct arena *a, size_t size);
bool arena_full(const struct arena *a);

void arena_free(struct arena *a);

/* COUNT zeroed items, at least one, of SIZE bytes. Returns NULL when memory ran out, which
 * arena_exhausted remembers.
 */
void *arena_array(struct arena *a, size_t count, size_t size);

/* Room for one more in an array of COUNT items of SIZE bytes, which grew by this only: the array,
 * perhaps elsewhere, or NULL when memory ran out.
 */
void *arena_room(struct arena *a, void *items, size_t count, size_t size);

/* A copy of SIZE bytes with a NUL behind them. */
char *arena_text(struct arena *a, const char *text, size_t size);

/* Whether any request has failed, so that callers may give up quietly and one looks at the end. */
bool arena_exhausted(const struct arena *a);
