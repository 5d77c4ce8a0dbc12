#include "layers/early_tree.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/reserve.h"
#include "layers/restore.h"
#include "layers/unpack.h"

struct early_tree {
	struct store *store;
	struct tree_rules rules;
	struct store_temp temp;
	int root;
	bool gave_up;
	int file;                   /* under work, or -1 */
	const struct entry *entry;  /* its; lent */
	struct reserve reserve;
};

struct early_tree *early_tree_begin(struct store *s, const struct tree_rules *rules)
{
	struct early_tree *t = calloc(1, sizeof *t);
	struct error ignored;

	if (!t)
		return NULL;
	t->store = s;
	t->rules = *rules;
	t->file = -1;
	t->root = store_temp_dir(s, &t->temp, &ignored);
	if (t->root < 0) {
		free(t);
		return NULL;
	}
	return t;
}

void early_tree_give_up(struct early_tree *t)
{
	if (t->file >= 0)
		close(t->file);
	t->file = -1;
	t->gave_up = true;
}

/* There are directories and files in this tree and nothing else yet: paths may be walked as a
 * whole. */
void early_tree_dir(struct early_tree *t, const char *path)
{
	struct error ignored;

	if (t->gave_up || !*path)
		return;
	if (reserve_take(&t->reserve, t->root, RESERVE_FILE, &ignored) < 0 ||
	    mkdirat(t->root, path, 0700) < 0)
		early_tree_give_up(t);
}

void early_tree_file(struct early_tree *t, const struct entry *entry)
{
	struct error ignored;

	if (t->gave_up)
		return;
	t->entry = entry;
	t->file = openat(t->root, entry->path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                 0600);
	if (t->file < 0 || reserve_take(&t->reserve, t->file, RESERVE_FILE, &ignored) < 0)
		early_tree_give_up(t);
}

void early_tree_bytes(struct early_tree *t, const void *bytes, size_t size)
{
	struct error ignored;

	if (t->file >= 0 && reserve_write(&t->reserve, t->file, bytes, size, &ignored) < 0)
		early_tree_give_up(t);
}

void early_tree_file_end(struct early_tree *t)
{
	struct error ignored;
	int fd = t->file;

	if (fd < 0)
		return;
	if ((t->entry->size > 0 && reserve_end(&t->reserve, fd, &ignored) < 0) ||
	    restore_metadata(&t->rules, fd, t->entry, &ignored) < 0)
		t->gave_up = true;
	if (close(fd) < 0)
		t->gave_up = true;
	t->file = -1;
}

void early_tree_abandon(struct early_tree *t)
{
	if (!t)
		return;
	early_tree_give_up(t);
	close(t->root);
	store_discard(&t->temp);
	free(t);
}

void early_tree_finish(struct early_tree *t, const struct digest *diff_id)
{
	struct error ignored;
	struct table *table = t && !t->gave_up ? table_open(t->store, diff_id, &ignored) : NULL;
	bool done = table && !table_needs_below(table) &&
	            unpack_rest(table, &t->rules, t->root, &ignored) == 0;

	table_close(table);
	if (!done) {
		early_tree_abandon(t);
		return;
	}
	close(t->root);
	tree_adopt(t->store, &t->temp, diff_id, &t->rules, &ignored);
	free(t);
}
