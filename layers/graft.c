#include "layers/graft.h"

#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"

/* An entry of the table and where it lies. */
struct twig {
	char *path;
	char *link; /* of a hard link */
	size_t index;
	bool moved;
};

struct graft {
	struct stack *under;
	const struct table *table;
	char *from, *to; /* the directory mapped last, and where it is */
	struct twig *twig;
	size_t count;
	bool moved;
};

static char *join(const char *dir, const char *name, size_t length)
{
	char *path;

	return asprintf(&path, "%s%s%.*s", dir, *dir ? "/" : "", (int)length, name) < 0 ? NULL : path;
}

/* Does the layer itself make a directory of PATH? */
static bool is_own_dir(const struct graft *g, const char *path)
{
	struct entry entry = { .type = ENTRY_FILE };
	ssize_t at = table_find(g->table, path);

	if (at >= 0)
		table_get(g->table, (size_t)at, &entry);
	return entry.type == ENTRY_DIR || entry.type == ENTRY_OPAQUE;
}

/* One step: NAME of LENGTH bytes in *AT. PREFIX is how the layer calls that directory. */
static int step(struct graft *g, char **at, const char *name, size_t length, const char *prefix,
                struct error *e)
{
	auto_free char *next = join(*at, name, length), *resolved = NULL;
	struct found found;
	int there = table_hides(g->table, prefix);

	if (!next || there < 0)
		return error_memory(e);
	/* What the layer names itself, or hides, is no link of a layer below. */
	if (there == 0 && table_find(g->table, prefix) < 0) {
		there = stack_lookup(g->under, next, &found, e);
		if (there > 0 && found.entry.type == ENTRY_SYMLINK)
			there = stack_resolve(g->under, next, true, &resolved, &found, e);
		if (there < 0)
			return -1;
		if (there > 0 && resolved && found.entry.type != ENTRY_DIR && !is_own_dir(g, resolved))
			return error_set(e, ERROR_CORRUPT, "an entry below /%s, which leads to the file /%s",
			                 prefix, resolved);
	}
	free(*at);
	*at = resolved ? take_pointer(&resolved) : take_pointer(&next);
	return 0;
}

/* Where the directory FROM, the layer's name for it, is; lent. */
static const char *map_directory(struct graft *g, const char *from, struct error *e)
{
	auto_free char *prefix = strdup(from), *at = strdup("");

	if (g->from && strcmp(g->from, from) == 0)
		return g->to;
	if (!prefix || !at) {
		error_memory(e);
		return NULL;
	}
	for (char *p = prefix; *p;) {
		size_t length = strcspn(p, "/");
		bool more = p[length];

		p[length] = '\0';
		if (step(g, &at, p, length, prefix, e) < 0)
			return NULL;
		if (more)
			p[length] = '/';
		p += length + more;
	}
	free(g->from);
	free(g->to);
	g->from = take_pointer(&prefix);
	g->to = take_pointer(&at);
	return g->to;
}

/* Where PATH is; the caller frees it. */
static char *map_path(struct graft *g, const char *path, struct error *e)
{
	const char *slash = strrchr(path, '/'), *to;
	auto_free char *from = strndup(path, slash ? (size_t)(slash - path) : 0);
	char *mapped;

	if (!from) {
		error_memory(e);
		return NULL;
	}
	if (!slash)
		return strdup(path);
	to = map_directory(g, from, e);
	mapped = to ? join(to, slash + 1, strlen(slash + 1)) : NULL;
	if (to && !mapped)
		error_memory(e);
	return mapped;
}

static int map_all(struct graft *g, struct error *e)
{
	struct entry entry;

	g->twig = calloc(table_count(g->table) + 1, sizeof *g->twig);
	if (!g->twig)
		return error_memory(e);
	for (size_t i = 0; i < table_count(g->table); i++) {
		struct twig *twig = &g->twig[g->count++];

		table_get(g->table, i, &entry);
		twig->index = i;
		twig->path = map_path(g, entry.path, e);
		if (!twig->path)
			return -1;
		if (entry.type == ENTRY_HARDLINK && entry.link && !(twig->link = map_path(g, entry.link, e)))
			return -1;
		twig->moved = strcmp(twig->path, entry.path) != 0;
		g->moved |= twig->moved;
	}
	return 0;
}

/* What the layer names itself comes before what came there by a link. */
static int by_path(const void *a, const void *b)
{
	const struct twig *x = a, *y = b;
	int order = path_order(x->path, y->path);

	return order ? order : (int)x->moved - (int)y->moved;
}

static void name_graft(const struct graft *g, const struct digest *diff_id, struct digest *as)
{
	struct sha256 hash;

	sha256_begin(&hash);
	sha256_add(&hash, "graft", 5);
	sha256_add(&hash, diff_id->byte, DIGEST_SIZE);
	for (size_t i = 0; i < g->count; i++)
		sha256_add(&hash, g->twig[i].path, strlen(g->twig[i].path) + 1);
	sha256_end(&hash, as);
}

/* The twigs FROM to TO lie at one path: what is left of them. A whiteout is about lower layers. */
static const struct twig *merge(const struct graft *g, size_t from, size_t to, struct entry *entry)
{
	const struct twig *left = NULL;
	bool whiteout = false;

	for (size_t i = from; i < to; i++) {
		struct entry here;

		table_get(g->table, g->twig[i].index, &here);
		whiteout |= here.type == ENTRY_WHITEOUT;
		if (!left || (entry->type == ENTRY_WHITEOUT && here.type != ENTRY_WHITEOUT)) {
			left = &g->twig[i];
			*entry = here;
		}
	}
	if (whiteout && entry->type == ENTRY_DIR)
		entry->type = ENTRY_OPAQUE;
	entry->path = left->path;
	if (left->link)
		entry->link = left->link;
	return left;
}

static int add_all(const struct graft *g, struct table_writer *w, struct error *e)
{
	const char *file = NULL;

	for (size_t from = 0, to; from < g->count; from = to) {
		const struct twig *twig;
		struct entry entry;

		for (to = from + 1; to < g->count && strcmp(g->twig[from].path, g->twig[to].path) == 0;)
			to++;
		twig = merge(g, from, to, &entry);
		if (file && path_is_below(twig->path, file))
			return error_set(e, ERROR_CORRUPT, "/%s lies below /%s, which is no directory",
			                 twig->path, file);
		if (entry.type != ENTRY_DIR && entry.type != ENTRY_OPAQUE)
			file = twig->path;
		if (table_add(w, &entry, e) < 0)
			return -1;
	}
	table_set_needs_below(w);
	return 0;
}

static int write_graft(struct store *s, const struct graft *g, const struct digest *as,
                       struct error *e)
{
	struct table_writer *w = table_begin(s, e);

	if (!w)
		return -1;
	if (add_all(g, w, e) < 0) {
		table_discard(w);
		return -1;
	}
	return table_commit(w, as, table_tar_size(g->table), e);
}

/* Does a layer below have a link where the directory of FROM is, or above? */
static bool meets_link(struct table *const *tables, size_t i, char *from)
{
	struct entry entry = { .type = ENTRY_DIR };

	for (char *slash = strchr(from, '/'); slash; slash = strchr(slash + 1, '/')) {
		ssize_t at = -1;

		*slash = '\0';
		if (table_find(tables[i], from) < 0)
			for (size_t below = i; at < 0 && below-- > 0;)
				if ((at = table_find(tables[below], from)) >= 0)
					table_get(tables[below], (size_t)at, &entry);
		*slash = '/';
		if (at >= 0 && entry.type == ENTRY_SYMLINK)
			return true;
	}
	return false;
}

/* Is there anything to do? 1, 0, or -1 when memory is out. */
static int may_lie_elsewhere(struct table *const *tables, size_t i)
{
	for (size_t orphan = 0; i > 0 && orphan < table_orphan_count(tables[i]); orphan++) {
		auto_free char *path = NULL;
		struct entry entry;

		table_get(tables[i], table_orphan(tables[i], orphan), &entry);
		path = strdup(entry.path);
		if (!path)
			return -1;
		if (meets_link(tables, i, path))
			return 1;
	}
	return 0;
}

int graft_table(struct store *s, const struct layer *layers, struct table *const *tables, size_t i,
                struct digest *as, struct error *e)
{
	struct graft g = { .table = tables[i] };
	int result = may_lie_elsewhere(tables, i);
	char text[DIGEST_TEXT];

	if (result <= 0)
		return result < 0 ? error_memory(e) : 0;
	g.under = stack_new(s, layers, i, NULL, NULL, e);
	result = g.under ? map_all(&g, e) : -1;
	if (result == 0 && g.moved) {
		name_graft(&g, &layers[i].diff_id, as);
		qsort(g.twig, g.count, sizeof *g.twig, by_path);
		result = table_exists(s, as) ? 0 : write_graft(s, &g, as, e);
	}
	for (size_t n = 0; n < g.count; n++) {
		free(g.twig[n].path);
		free(g.twig[n].link);
	}
	free(g.twig);
	free(g.from);
	free(g.to);
	stack_free(g.under);
	if (result < 0)
		return error_context(e, "layer %s", digest_format(&layers[i].diff_id, text));
	return g.moved;
}
