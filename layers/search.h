/* Searching layers for bytes that must not be in them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/layer.h"

struct needle {
	const char *bytes;
	size_t size;            /* at least 1 */
};

struct search_hit {
	size_t needle;          /* which of them */
	char *path;             /* of the entry that has it; the caller frees it */
	bool in_name;           /* in its path or attributes, and not in its content */
};

/* Is one of COUNT needles in LAYER, which is whole: in the name or the content of an entry? What a
 * symbolic link says is neither. One pass over the tar. STOP is asked now and then. 1 and the first HIT; 0; -1 and E, ERROR_CANCELLED when
 * STOP said yes. */
int layer_search(struct store *s, const struct layer *layer, const struct needle *needle,
                 size_t count, bool (*stop)(void *context), void *context, struct search_hit *hit,
                 struct error *e);
