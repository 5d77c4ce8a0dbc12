#include "layers/implied.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"

/* Is a directory above PATH opaque in the layer itself? 1, 0, or -1 and E. */
static int is_hidden(const struct table *table, const char *path, struct error *e)
{
	auto_free char *above = strdup(path);
	struct entry entry;

	if (!above)
		return error_memory(e);
	for (char *slash; (slash = strrchr(above, '/'));) {
		ssize_t i;

		*slash = '\0';
		i = table_find(table, above);
		if (i < 0)
			continue;
		table_get(table, (size_t)i, &entry);
		if (entry.type == ENTRY_OPAQUE)
			return 1;
	}
	return 0;
}

int implied_dir(const struct table *table, struct stack *under, const char *path,
                struct entry *entry, struct error *e)
{
	int hidden = under ? is_hidden(table, path, e) : 1, result = hidden < 0 ? -1 : 0;
	struct found found;

	if (hidden == 0)
		result = stack_lookup(under, path, &found, e);
	*entry = (struct entry){ .path = path, .type = ENTRY_DIR, .mode = 0755 };
	if (result > 0 && found.entry.type == ENTRY_DIR) {
		*entry = found.entry;
		entry->path = path;
	}
	return result < 0 ? -1 : 0;
}
