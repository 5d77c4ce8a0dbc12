#include "layers/tree.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "layers/implied.h"
#include "layers/scope.h"
#include "layers/stack_parts.h"
#include "layers/unpack.h"

/* DIFF_ID, or DIFF_ID.CONTEXT for a layer whose tree depends on those below; then the form. */
#define TREE_NAME (DIGEST_HEX + 1 + 16 + 1 + TREE_FORM)

/* The layers under the one to unpack, when it needs them. */
static int stack_under(struct store *s, struct stack *stack, size_t below, struct stack **under,
                       struct error *e)
{
	auto_free struct layer *layers = calloc(below + 1, sizeof *layers);

	*under = NULL;
	if (!layers)
		return error_memory(e);
	if (!stack)
		return 0;
	for (size_t i = 0; i < below; i++)
		layers[i] = *stack_layer(stack, i);
	*under = stack_new(s, layers, below, NULL, NULL, e);
	return *under ? 0 : -1;
}

static void add_entry(struct sha256 *hash, const struct entry *entry)
{
	int64_t numbers[] = { entry->mode, entry->uid, entry->gid, entry->mtime, entry->xattrs_size };

	sha256_add(hash, entry->path, strlen(entry->path) + 1);
	sha256_add(hash, numbers, sizeof numbers);
	sha256_add(hash, entry->xattrs, entry->xattrs_size);
}

/* Each directory that PATH needs and TABLE has not, given that those LAST needed are done. */
static int add_implied(struct sha256 *hash, const struct table *table, struct stack *under,
                       char *path, const char *last, struct error *e)
{
	for (char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		size_t size = (size_t)(slash - path);
		struct entry implied;
		int result = 0;

		if (strncmp(path, last, size) == 0 && last[size] == '/')
			continue;
		*slash = '\0';
		if (table_find(table, path) < 0) {
			result = implied_dir(table, under, path, &implied, e);
			if (result == 0)
				add_entry(hash, &implied);
		}
		*slash = '/';
		if (result < 0)
			return -1;
	}
	return 0;
}

/* A digest of everything that the tree takes from the layers below. */
static int context_of(const struct table *table, struct stack *under, struct digest *context,
                      struct error *e)
{
	auto_free char *last = strdup("");
	struct sha256 hash;

	sha256_begin(&hash);
	for (size_t i = 0; last && i < table_count(table); i++) {
		struct entry entry;
		struct found found;
		char *path;

		table_get(table, i, &entry);
		path = strdup(entry.path);
		if (!path)
			return error_memory(e);
		if (add_implied(&hash, table, under, path, last, e) < 0) {
			free(path);
			return -1;
		}
		free(last);
		last = path;
		if (!under || (entry.type != ENTRY_WHITEOUT &&
		               (entry.type != ENTRY_HARDLINK || table_find(table, entry.link) >= 0)))
			continue;
		int result = stack_lookup(under, entry.link ? entry.link : entry.path, &found, e);

		if (result < 0)
			return -1;
		sha256_add(&hash, &result, sizeof result);
		if (result > 0 && entry.type == ENTRY_HARDLINK) {
			add_entry(&hash, &found.entry);
			sha256_add(&hash, &found.entry.digest, sizeof found.entry.digest);
		}
	}
	sha256_end(&hash, context);
	return last ? 0 : error_memory(e);
}

/* CONTEXT may be NULL. */
static void name_tree(const struct digest *diff_id, const struct digest *context,
                      const struct tree_rules *rules, char name[static TREE_NAME])
{
	char id[DIGEST_HEX + 1], hex[DIGEST_HEX + 1] = "";

	if (context)
		digest_hex(context, hex);
	snprintf(name, TREE_NAME, "%s%s%.16s%s%s", digest_hex(diff_id, id), context ? "." : "", hex,
	         *rules->form ? "." : "", rules->form);
}

static int unpack_as(struct store *s, const struct layer *layer, const struct table *table,
                     struct stack *under, const struct tree_rules *rules, const char *name,
                     struct error *e)
{
	struct store_temp temp;
	auto_close int dir = store_temp_dir(s, &temp, e);

	if (dir < 0)
		return -1;
	if (unpack(s, layer, table, under, rules, dir, e) < 0) {
		store_discard(&temp);
		return error_context(e, "%s/tmp", store_path(s));
	}
	return store_keep(s, &temp, STORE_TREES, name, e);
}

static int make_named(struct store *s, const struct layer *layer, struct stack *stack, size_t below,
                      const struct tree_rules *rules, char name[static TREE_NAME], struct error *e)
{
	const struct digest *id = &layer->diff_id;
	struct stack *under = NULL;
	struct digest context;
	struct table *table;
	int result = 0;

	if (stack && stack_make_ready(stack, e) < 0)
		return -1;
	if (stack)
		id = stack_table_name(stack, below);
	table = table_open(s, id, e);
	if (!table)
		return -1;
	if (table_needs_below(table)) {
		result = stack_under(s, stack, below, &under, e);
		if (result == 0)
			result = context_of(table, under, &context, e);
		if (result == 0)
			name_tree(id, &context, rules, name);
	}
	if (result == 0 && !store_has(s, STORE_TREES, name))
		result = unpack_as(s, layer, table, under, rules, name, e);
	stack_free(under);
	table_close(table);
	return result;
}

bool tree_find(struct store *s, const struct digest *diff_id, const struct tree_rules *rules,
               char path[static TREE_PATH])
{
	char name[TREE_NAME];

	name_tree(diff_id, NULL, rules, name);
	snprintf(path, TREE_PATH, "trees/%s", name);
	return store_has(s, STORE_TREES, name);
}

int tree_make(struct store *s, const struct layer *layer, struct stack *stack, size_t below,
              const struct tree_rules *rules, char path[static TREE_PATH], struct error *e)
{
	char name[TREE_NAME], text[DIGEST_TEXT];

	/* A tree without a context needs no look at the table. */
	if (tree_find(s, &layer->diff_id, rules, path))
		return 0;
	name_tree(&layer->diff_id, NULL, rules, name);
	if (make_named(s, layer, stack, below, rules, name, e) < 0) {
		layer_blame(s, layer, e);
		return error_context(e, "layer %s", digest_format(&layer->diff_id, text));
	}
	snprintf(path, TREE_PATH, "trees/%s", name);
	return 0;
}

int tree_adopt(struct store *s, struct store_temp *t, const struct digest *diff_id,
               const struct tree_rules *rules, struct error *e)
{
	char name[TREE_NAME];

	name_tree(diff_id, NULL, rules, name);
	return store_keep(s, t, STORE_TREES, name, e);
}
