#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "parser/pattern.h"
#include "parser/suggest.h"

/* Names that are compared with one that is missing. */
#define SUGGESTIONS_MAX 1000

/* --- contexts and stages behind one face ------------------------------------------------------ */

static void place_of_file(struct place *p, struct context *context,
                          const struct context_file *file)
{
	*p = (struct place){ .file = file, .context = context };
	context_entry(file, &p->entry);
}

/* 1 and P, 0 when PATH is not there, -1 and E. */
static int origin_find(struct selection *c, const char *path, bool follow, struct place *p,
                       struct error *e)
{
	const struct context_file *file;
	auto_free char *resolved = NULL;
	struct found found;
	int there;

	if (!c->world->from) {
		there = context_find(c->world->context, path, follow, &file, e);
		if (there > 0)
			place_of_file(p, c->world->context, file);
		return there;
	}
	there = stack_resolve(c->world->from, path, follow, &resolved, &found, e);
	if (there < 0)
		return -1;
	if (there > 0) {
		*p = (struct place){ .entry = found.entry, .layer = found.layer };
	} else if (!*resolved) {
		/* An empty stage has a root all the same. */
		*p = (struct place){ .entry = { .type = ENTRY_DIR, .mode = 0755 } };
		there = 1;
	} else {
		return 0;
	}
	p->entry.path = arena_text(c->memory, resolved, strlen(resolved));
	return p->entry.path ? there : error_memory(e);
}

typedef int origin_visit(void *context, const struct place *p, const char *path, struct error *e);

struct origin_walk {
	struct context *origin;
	size_t skip; /* of a stage's path, so that it begins at the folder */
	origin_visit *visit;
	void *context;
};

static int visit_file(void *context, const struct context_file *file, const char *path,
                      struct error *e)
{
	struct origin_walk *w = context;
	struct place p;

	place_of_file(&p, w->origin, file);
	return w->visit(w->context, &p, path, e);
}

static int visit_found(void *context, const struct found *found, struct error *e)
{
	struct origin_walk *w = context;
	struct place p = { .entry = found->entry, .layer = found->layer };

	return w->visit(w->context, &p, found->entry.path + w->skip, e);
}

/* As stack_walk and context_walk. */
static int origin_walk(struct selection *c, const struct place *dir, bool deep, origin_visit *visit,
                       void *context, struct error *e)
{
	struct origin_walk w = { .origin = dir->context, .visit = visit, .context = context };

	if (dir->file)
		return context_walk(dir->context, dir->file, deep, visit_file, &w, e);
	w.skip = *dir->entry.path ? strlen(dir->entry.path) + 1 : 0;
	return stack_walk(c->world->from, dir->entry.path, deep, visit_found, &w, e);
}

/* --- what is not there ------------------------------------------------------------------------ */

struct names {
	struct selection *copy;
	const char *name[SUGGESTIONS_MAX];
	size_t count;
};

static int remember_name(void *context, const struct place *p, const char *path, struct error *e)
{
	struct names *n = context;

	(void)p;
	(void)e;
	if (n->count < SUGGESTIONS_MAX)
		n->name[n->count] = arena_text(n->copy->memory, path, strlen(path));
	n->count += n->count < SUGGESTIONS_MAX && n->name[n->count];
	return 0;
}

/* A name near to PATH's last one in the folder where that should be. */
static const char *near_name(struct selection *c, const char *path)
{
	const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
	auto_free char *parent = strndup(path, (size_t)(last - path));
	struct names *names = calloc(1, sizeof *names);
	const char *near = NULL;
	struct error ignored;
	struct place dir;

	if (parent && names && origin_find(c, parent, true, &dir, &ignored) > 0 &&
	    dir.entry.type == ENTRY_DIR) {
		names->copy = c;
		if (origin_walk(c, &dir, false, remember_name, names, &ignored) == 0)
			near = suggestion(last, names->name, names->count);
	}
	free(names);
	return near;
}

/* Why PATH may be missing, to be put behind the message; NULL: nobody knows. */
static char *reason(struct selection *c, const char *path)
{
	const struct ignore *ignore = c->world->from ? NULL : context_ignore(c->world->context);
	const struct ignore_rule *rule = ignore && *path ? ignore_match(ignore, path) : NULL;
	const char *slash = strrchr(path, '/'), *near;
	struct error ignored;
	struct place p;
	char *text = NULL;
	int size;

	if (!c->world->from && context_root(c->world->context) < 0) {
		size = asprintf(&text, ": the build has no context, only a Dockerfile");
	} else if (rule && !rule->exception) {
		size = asprintf(&text, ": excluded by line %d of %s (%s)", rule->line,
		                ignore_file(ignore), rule->text);
	} else if (origin_find(c, path, false, &p, &ignored) > 0 && p.entry.type == ENTRY_SYMLINK) {
		size = asprintf(&text, ": it is a link to %s, which is not there", p.entry.link);
	} else {
		near = near_name(c, path);
		size = near ? asprintf(&text, " (did you mean /%.*s%s?)",
		                       slash ? (int)(slash + 1 - path) : 0, path, near) : -1;
	}
	return size < 0 ? NULL : text;
}

int copy_missing(struct selection *c, const char *path, struct error *e)
{
	auto_free char *why = reason(c, path);

	return error_set(
		e, ERROR_NOT_FOUND, "failed to calculate checksum of ref %s: \"/%s\": not found%s",
		c->world->from ? "stage" : context_path(c->world->context), path, why ? why : "");
}

/* --- trees ------------------------------------------------------------------------------------ */

/* A folder that is taken only if something below it is. */
struct pending {
	char *path;
	struct place place;
};

/* A tree on its way into the selection. */
struct tree {
	struct selection *copy;
	const char *target;
	const char *prefix;            /* put before paths for the rules; "" */
	int64_t anchor;                /* of the folder of a context that is walked; -1: none */
	const struct ignore *includes; /* take only what these match; NULL: everything */
	struct pending *pending;       /* around the current path, outermost first */
	size_t count, capacity;
	bool taken;                    /* something was */
};

static void drop_pending(struct tree *t, size_t keep)
{
	while (t->count > keep)
		free(t->pending[--t->count].path);
}

static int push_pending(struct tree *t, const struct place *p, const char *path, struct error *e)
{
	if (t->count == t->capacity) {
		size_t capacity = t->capacity ? 2 * t->capacity : 16;
		struct pending *grown = reallocarray(t->pending, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		t->pending = grown;
		t->capacity = capacity;
	}
	t->pending[t->count] = (struct pending){ strdup(path), *p };
	return t->pending[t->count++].path ? 0 : error_memory(e);
}

/* P under a path of its own. */
static int take_alone(struct tree *t, const struct place *p, const char *path, struct error *e)
{
	const char *target = copy_join(t->copy, t->target, path);

	if (!target)
		return error_memory(e);
	t->taken = true;
	return copy_add_place(t->copy, p, target, e);
}

/* P, met on the walk. */
static int take(struct tree *t, const struct place *p, const char *path, struct error *e)
{
	if (t->anchor < 0)
		return take_alone(t, p, path, e);
	t->taken = true;
	return copy_add_below(t->copy, p, (uint32_t)t->anchor, strlen(t->target) + 1 + strlen(path),
	                      e);
}

/* The folders around what is about to be taken. */
static int take_pending(struct tree *t, struct error *e)
{
	for (size_t i = 0; i < t->count; i++)
		if (take_alone(t, &t->pending[i].place, t->pending[i].path, e) < 0)
			return -1;
	drop_pending(t, 0);
	return 0;
}

enum verdict { TAKE, LEAVE, LOOK_BELOW };

static enum verdict judge(const struct tree *t, const char *path, bool is_dir)
{
	if (t->copy->excludes && ignore_excludes(t->copy->excludes, path))
		return is_dir && ignore_may_keep_below(t->copy->excludes, path) ? LOOK_BELOW
		                                                                : LEAVE;
	if (t->includes && !ignore_excludes(t->includes, path))
		return is_dir ? LOOK_BELOW : LEAVE;
	return TAKE;
}

static int visit_tree(void *context, const struct place *p, const char *path, struct error *e)
{
	struct tree *t = context;
	auto_free char *whole = NULL;

	if (*t->prefix) {
		if (asprintf(&whole, "%s/%s", t->prefix, path) < 0)
			return error_memory(e);
		path = whole;
	}
	for (size_t i = 0; i < t->count; i++)
		if (!path_is_below(path, t->pending[i].path))
			drop_pending(t, i);
	switch (judge(t, path, p->entry.type == ENTRY_DIR)) {
	case LEAVE:
		return 1;
	case LOOK_BELOW:
		return push_pending(t, p, path, e);
	default:
		return take_pending(t, e) < 0 || take(t, p, path, e) < 0 ? -1 : 0;
	}
}

static void tree_release(struct tree *t)
{
	drop_pending(t, 0);
	free(t->pending);
}

/* What is below DIR, which goes to PATH below the target. */
static int walk_tree(struct tree *t, const struct place *dir, const char *path, struct error *e)
{
	const char *at = *path ? copy_join(t->copy, t->target, path) : t->target;
	int result;

	if (!at)
		return error_memory(e);
	if (dir->file) {
		t->anchor = copy_add_anchor(t->copy, at, dir->file, e);
		if (t->anchor < 0)
			return -1;
	}
	t->prefix = path;
	result = origin_walk(t->copy, dir, true, visit_tree, t, e);
	t->prefix = "";
	t->anchor = -1;
	return result;
}

int copy_take_folder(struct selection *c, const struct place *dir, const char *target,
                     struct error *e)
{
	struct tree t = { .copy = c, .target = target, .prefix = "", .anchor = -1 };
	int result = walk_tree(&t, dir, "", e);

	tree_release(&t);
	return result;
}

/* --- one source without --parents ------------------------------------------------------------- */

/* PATH, which is there as P. */
static int take_match(struct selection *c, const char *path, const struct place *p, struct error *e)
{
	const char *slash = strrchr(path, '/');
	const char *target;

	if (copy_next_match(c, c->world->context, c->world->from, e) < 0)
		return -1;
	if (p->entry.type == ENTRY_DIR) {
		target = copy_folder_target(c, e);
		return target ? copy_take_folder(c, p, target, e) : -1;
	}
	if (c->step->add && c->step->unpack != CHOICE_NO) {
		int taken = copy_take_archive(c, p, path, e);

		if (taken != 0)
			return taken < 0 ? -1 : 0;
	}
	target = copy_file_target(c, slash ? slash + 1 : path, e);
	return target ? copy_add_place(c, p, target, e) : -1;
}

static int take_literal(struct selection *c, void *context, const char *path, struct error *e)
{
	struct place p;
	int there = origin_find(c, path, true, &p, e);

	(void)context;
	if (there < 0)
		return error_context(e, "/%s", path);
	return there ? take_match(c, path, &p, e) : copy_missing(c, path, e);
}

/* Names directly in a folder that match one part of a pattern. */
struct part {
	struct selection *copy;
	const char *pattern;
	size_t size;
	bool folders_only;
	const char **name;
	size_t count, capacity;
};

static int match_name(void *context, const struct place *p, const char *path, struct error *e)
{
	struct part *part = context;

	if ((part->folders_only && p->entry.type != ENTRY_DIR) ||
	    !pattern_match_slice(part->pattern, part->size, path, strlen(path)))
		return 0;
	if (part->count == part->capacity) {
		size_t capacity = part->capacity ? 2 * part->capacity : 16;
		const char **grown = reallocarray(part->name, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		part->name = grown;
		part->capacity = capacity;
	}
	part->name[part->count] = arena_text(part->copy->memory, path, strlen(path));
	return part->name[part->count++] ? 0 : error_memory(e);
}

/* What becomes of a path that a pattern matches. */
struct taker {
	int (*take)(struct selection *c, void *context, const char *path, struct error *e);
	void *context;
};

/* All that PATTERN matches below DIR, whose path is DONE. */
static int take_wild(struct selection *c, const struct taker *taker, const struct place *dir,
                     const char *done, const char *pattern, struct error *e)
{
	size_t size = strcspn(pattern, "/");
	struct part part = { c, pattern, size, pattern[size] == '/', NULL, 0, 0 };
	int result = origin_walk(c, dir, false, match_name, &part, e);

	for (size_t i = 0; result == 0 && i < part.count; i++) {
		const char *path = copy_join(c, done, part.name[i]);
		struct place p;

		if (!path)
			result = error_memory(e);
		else if (!part.folders_only)
			result = taker->take(c, taker->context, path, e);
		else if ((result = origin_find(c, path, false, &p, e)) > 0)
			result = take_wild(c, taker, &p, path, pattern + size + 1, e);
	}
	free(part.name);
	return result;
}

static bool has_wildcard(const char *pattern)
{
	for (; *pattern; pattern++) {
		if (strchr("*?[", *pattern))
			return true;
		if (*pattern == '\\' && pattern[1])
			pattern++;
	}
	return false;
}

/* PATTERN without its escapes. */
static char *unescape(char *pattern)
{
	char *out = pattern;

	for (const char *p = pattern; *p; p++) {
		if (*p == '\\' && p[1])
			p++;
		*out++ = *p;
	}
	*out = '\0';
	return pattern;
}

/* Where the first part with a wildcard begins. */
static size_t literal_size(const char *pattern)
{
	size_t at = 0;

	for (size_t i = 0; pattern[i] && !strchr("*?[", pattern[i]); i++) {
		if (pattern[i] == '/')
			at = i + 1;
		if (pattern[i] == '\\' && pattern[i + 1])
			i++;
	}
	return at;
}

/* The part of PATTERN before its first wildcard is a folder, which must be there. */
static int take_pattern(struct selection *c, const struct taker *taker, const char *pattern,
                        struct error *e)
{
	size_t size = literal_size(pattern);
	auto_free char *folder = strndup(pattern, size ? size - 1 : 0);
	struct place dir;
	int there;

	if (!folder)
		return error_memory(e);
	unescape(folder);
	there = origin_find(c, folder, true, &dir, e);
	if (there < 0)
		return -1;
	if (!there)
		return copy_missing(c, folder, e);
	if (dir.entry.type != ENTRY_DIR)
		return 0;
	return take_wild(c, taker, &dir, folder, pattern + size, e);
}

/* --- --parents -------------------------------------------------------------------------------- */

/* The folders that lead from BASE to PATH, PATH not included: taken with what is below them. */
static int lead_to(struct selection *c, struct tree *t, const char *base, const char *path,
                   struct error *e)
{
	for (const char *end = path; (end = strchr(end, '/')); end++) {
		auto_free char *part = strndup(path, (size_t)(end - path));
		const char *whole = part ? copy_join(c, base, part) : NULL;
		struct place p;
		int there;

		if (!whole)
			return error_memory(e);
		there = origin_find(c, whole, true, &p, e);
		if (there < 0 || (there && push_pending(t, &p, part, e) < 0))
			return -1;
	}
	return 0;
}

/* PATH below BASE and all below it, as far as the rules let it through. A folder called "" is the
 * base itself, which is not recreated. */
static int take_with_parents(struct selection *c, struct tree *t, const char *base,
                             const char *path, struct error *e)
{
	const char *whole = *path ? copy_join(c, base, path) : base;
	struct place p;
	int there, result = 0;

	if (!whole)
		return error_memory(e);
	there = origin_find(c, whole, true, &p, e);
	if (there <= 0)
		return there < 0 || t->includes ? there : copy_missing(c, whole, e);
	if (lead_to(c, t, base, path, e) < 0)
		return -1;
	if (*path)
		result = visit_tree(t, &p, path, e);
	if (result != 0 || p.entry.type != ENTRY_DIR)
		return result < 0 ? -1 : 0;
	return walk_tree(t, &p, path, e);
}

/* What is below a base. */
struct below_base {
	const char *pattern;           /* the path or pattern of what is taken there */
	const struct ignore *includes; /* it as rules; NULL: it is a path, which must be there */
};

/* A folder BASE: what is recreated begins below it. */
static int take_below_base(struct selection *c, void *context, const char *base, struct error *e)
{
	const struct below_base *below = context;
	size_t size = below->includes ? literal_size(below->pattern) : strlen(below->pattern) + 1;
	struct tree t = { .copy = c, .target = c->destination, .prefix = "", .anchor = -1,
		          .includes = below->includes };
	auto_free char *folder = strndup(below->pattern, size ? size - 1 : 0);
	int result;

	if (!folder)
		return error_memory(e);
	if (copy_next_match(c, c->world->context, c->world->from, e) < 0)
		return -1;
	result = take_with_parents(c, &t, base, unescape(folder), e);
	if (result == 0 && t.taken)
		result = copy_folder_target(c, e) ? 0 : -1;
	tree_release(&t);
	return result;
}

/* One of the folders that a pattern before the pivot matches. */
static int take_below_match(struct selection *c, void *context, const char *base, struct error *e)
{
	struct place p;
	int there = origin_find(c, base, true, &p, e);

	if (there <= 0 || p.entry.type != ENTRY_DIR)
		return there < 0 ? -1 : 0;
	return take_below_base(c, context, base, e);
}

/* "a/b/./c/d": the folders from the pivot on are recreated. Only a source that has no wildcard,
 * before it or behind it, must be there. */
static int take_parents(struct selection *c, const char *text, struct error *e)
{
	const char *pivot = strstr(text, "/./");
	auto_free char *before = strndup(text, pivot ? (size_t)(pivot - text) : 0);
	auto_free char *base = before ? path_clean(before) : NULL;
	auto_free char *rest = path_clean(pivot ? pivot + 3 : text);
	struct below_base below = { .pattern = rest ? rest + 1 : NULL };
	struct taker taker = { take_below_match, &below };
	struct ignore *includes = NULL;
	struct syntax_error wrong;
	int result;

	if (!base || !rest)
		return error_memory(e);
	if (has_wildcard(base) || has_wildcard(rest)) {
		includes = ignore_from_patterns(&below.pattern, 1, &wrong);
		if (!includes)
			return error_set(e, ERROR_INPUT, "%s: %s", below.pattern, wrong.text);
		below.includes = includes;
	}
	result = has_wildcard(base) ? take_pattern(c, &taker, base + 1, e)
	                            : take_below_base(c, &below, unescape(base) + 1, e);
	ignore_free(includes);
	return result;
}

/* --- all of it -------------------------------------------------------------------------------- */

int copy_take_path(struct selection *c, const struct copy_source *source, struct error *e)
{
	auto_free char *clean = path_clean(source->text);
	struct syntax_error wrong;

	if (!clean)
		return error_memory(e);
	if (!c->world->from && !c->world->context)
		return error_set(e, ERROR_NOT_FOUND, "there is no build context %s",
		                 c->step->from.context ? c->step->from.context : "");
	if (pattern_check(clean, &wrong) < 0)
		return error_set(e, ERROR_INPUT, "%s: %s", source->text, wrong.text);
	if (c->step->parents)
		return take_parents(c, source->text, e);
	if (has_wildcard(clean))
		return take_pattern(c, &(struct taker){ take_literal, NULL }, clean + 1, e);
	return take_literal(c, NULL, unescape(clean) + 1, e);
}
