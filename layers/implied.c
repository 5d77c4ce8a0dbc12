#include "layers/implied.h"

int implied_dir(const struct table *table, struct stack *under, const char *path,
                struct entry *entry, struct error *e)
{
	int hidden = under ? table_hides(table, path) : 1;
	int result = hidden < 0 ? error_memory(e) : 0;
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
