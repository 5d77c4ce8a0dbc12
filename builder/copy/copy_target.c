#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "builder/sandbox/passwd.h"
#include "layers/path.h"
#include "layers/scope.h"

/* The largest passwd file that anybody has; a longer one is an attack (H021). */
#define PASSWD_SIZE_MAX (4 << 20)

const char *copy_join(struct selection *c, const char *dir, const char *name)
{
	size_t length = strlen(dir), size = strlen(name);
	char *path;

	if (length == 0)
		return arena_text(c->memory, name, size);
	path = arena_array(c->memory, length + size + 2, 1);
	if (path) {
		memcpy(path, dir, length);
		path[length] = '/';
		memcpy(path + length + 1, name, size);
	}
	return path;
}

/* --- the destination -------------------------------------------------------------------------- */

/* "/x/", "/x/." and "/x/.." are folders whatever is there. */
static bool is_written_as_folder(const char *path)
{
	const char *slash = strrchr(path, '/');

	return !slash || !slash[1] || strcmp(slash, "/.") == 0 || strcmp(slash, "/..") == 0;
}

static int find_destination(struct selection *c, struct error *e)
{
	auto_free char *clean = path_clean(c->step->destination);
	struct found found;
	int there;

	if (!clean)
		return error_memory(e);
	c->is_folder = is_written_as_folder(c->step->destination);
	if (!c->onto || strcmp(clean, "/") == 0) {
		c->destination = strdup(clean + 1);
		c->is_there = !clean[1];
		c->there = ENTRY_DIR;
		return c->destination ? 0 : error_memory(e);
	}
	there = stack_resolve(c->onto, clean, true, &c->destination, &found, e);
	if (there < 0)
		return -1;
	c->is_there = there || !*c->destination;
	c->there = there ? found.entry.type : ENTRY_DIR;
	if (c->is_there && c->there != ENTRY_DIR && c->is_folder)
		return error_set(e, ERROR_INPUT, "/%s is not a directory", c->destination);
	if (c->is_there && c->there == ENTRY_DIR)
		c->is_folder = true;
	return 0;
}

static bool is_number(const char *text, size_t size)
{
	return size > 0 && strspn(text, "0123456789") >= size;
}

/* Does --chown=SPEC need the image's own names? */
static bool has_name(const char *spec)
{
	size_t user = strcspn(spec, ":");

	return (user > 0 && !is_number(spec, user)) ||
	       (spec[user] && spec[user + 1] &&
	        !is_number(spec + user + 1, strlen(spec + user + 1)));
}

static int read_names(struct selection *c, const char *path, char **text, struct error *e)
{
	*text = stack_read(c->onto, path, PASSWD_SIZE_MAX, NULL, e);
	return *text || e->kind == ERROR_NOT_FOUND ? 0 : -1;
}

static int find_owner(struct selection *c, struct error *e)
{
	auto_free char *passwd = NULL, *group = NULL;
	const char *spec = c->step->chown;
	uid_t uid;
	gid_t gid;

	if (!spec || !*spec)
		return 0;
	if (has_name(spec)) {
		if (!c->onto)
			return error_set(
				e, ERROR_INPUT,
				"--chown=%s: with --link the image below is not looked at, "
				"so user and group must be numbers",
				spec);
		if (read_names(c, "etc/passwd", &passwd, e) < 0 ||
		    read_names(c, "etc/group", &group, e) < 0)
			return error_context(e, "--chown=%s", spec);
	}
	if (passwd_owner(passwd, group, spec, &uid, &gid, e) < 0)
		return error_context(e, "--chown=%s", spec);
	c->has_owner = true;
	c->uid = uid;
	c->gid = gid;
	return 0;
}

int copy_find_target(struct selection *c, struct error *e)
{
	return find_destination(c, e) < 0 || find_owner(c, e) < 0 ? -1 : 0;
}

/* --- items ------------------------------------------------------------------------------------ */

int copy_next_match(struct selection *c, struct context *context, struct stack *stack,
                    struct error *e)
{
	if (c->match_count == c->match_capacity) {
		size_t capacity = c->match_capacity ? 2 * c->match_capacity : 8;
		struct copy_match *grown = reallocarray(c->match, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		c->match = grown;
		c->match_capacity = capacity;
	}
	c->match_now = (uint32_t)c->match_count;
	c->match[c->match_count++] = (struct copy_match){ context, stack, false };
	return 0;
}

int64_t copy_add_anchor(struct selection *c, const char *path, const struct context_file *folder,
                        struct error *e)
{
	if (c->anchor_count == c->anchor_capacity) {
		size_t capacity = c->anchor_capacity ? 2 * c->anchor_capacity : 64;
		struct copy_anchor *grown = reallocarray(c->anchor, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		c->anchor = grown;
		c->anchor_capacity = capacity;
	}
	c->anchor[c->anchor_count] = (struct copy_anchor){ path, folder, c->match_now };
	return (int64_t)c->anchor_count++;
}

/* An item whose path has PATH_SIZE bytes. */
static struct copy_item *add_item(struct selection *c, uint32_t anchor, size_t path_size,
                                  enum item_kind kind, enum entry_type type, struct error *e)
{
	struct copy_item *item;

	if (c->count == c->capacity) {
		size_t capacity = c->capacity ? c->capacity + c->capacity / 2 : 64;
		struct copy_item *grown = reallocarray(c->item, capacity, sizeof *grown);

		if (!grown) {
			error_memory(e);
			return NULL;
		}
		c->item = grown;
		c->capacity = capacity;
	}
	if (path_size > c->path_max)
		c->path_max = path_size;
	item = &c->item[c->count++];
	*item = (struct copy_item){
		.anchor = anchor,
		.kind = (uint8_t)kind,
		.type = (uint8_t)type,
	};
	return item;
}

struct copy_item *copy_add_item(struct selection *c, const char *path, enum item_kind kind,
                                enum entry_type type, struct error *e)
{
	int64_t anchor = copy_add_anchor(c, path, NULL, e);

	return anchor < 0 ? NULL : add_item(c, (uint32_t)anchor, strlen(path), kind, type, e);
}

static int add_parent(struct selection *c, const char *path, struct error *e)
{
	struct copy_item *item = copy_add_item(c, path, ITEM_PARENT, ENTRY_DIR, e);

	if (!item)
		return -1;
	/* A mode in letters has nothing to change here: there is no file that it starts from. The bits
	 * above the permissions are for what is copied. */
	item->mode = (uint16_t)(c->chmod.octal ? c->chmod.bits & 0777 : 0755);
	return 0;
}

int copy_add_parents(struct selection *c, const char *path, bool inclusive, struct error *e)
{
	bool missing = !c->onto;
	struct found found;

	for (const char *end = path + strcspn(path, "/");; end += 1 + strcspn(end + 1, "/")) {
		const char *dir;
		int there = 0;

		if (!*path || (!*end && !inclusive))
			return 0;
		dir = arena_text(c->memory, path, (size_t)(end - path));
		if (!dir)
			return error_memory(e);
		if (!missing)
			there = stack_lookup(c->onto, dir, &found, e);
		if (there < 0)
			return -1;
		if (there && found.entry.type != ENTRY_DIR)
			return error_set(e, ERROR_INPUT, "cannot copy to non-directory: /%s", dir);
		missing = !there;
		if (missing && add_parent(c, dir, e) < 0)
			return -1;
		if (!*end)
			return 0;
	}
}

static uint16_t mode_of(const struct selection *c, const struct entry *entry)
{
	return (uint16_t)(entry->type == ENTRY_SYMLINK
	                          ? entry->mode
	                          : copy_mode_apply(&c->chmod, entry->mode,
	                                            entry->type == ENTRY_DIR));
}

int copy_add_below(struct selection *c, const struct place *p, uint32_t anchor, size_t path_size,
                   struct error *e)
{
	struct copy_item *item = add_item(c, anchor, path_size, ITEM_CONTEXT, p->entry.type, e);

	if (!item)
		return -1;
	item->mode = mode_of(c, &p->entry);
	item->file = p->file;
	return 0;
}

int copy_add_place(struct selection *c, const struct place *p, const char *path, struct error *e)
{
	struct copy_item *item;
	struct arrived *arrived;

	item = copy_add_item(c, path, p->file ? ITEM_CONTEXT : ITEM_ARRIVED, p->entry.type, e);
	if (!item)
		return -1;
	item->mode = mode_of(c, &p->entry);
	if (p->file) {
		item->file = p->file;
		return 0;
	}
	arrived = arena_array(c->memory, 1, sizeof *arrived);
	if (!arrived)
		return error_memory(e);
	*arrived = (struct arrived){ .entry = p->entry, .layer = p->layer, .fd = -1 };
	item->arrived = arrived;
	return 0;
}

int copy_add_document(struct selection *c, const struct copy_source *source, struct error *e)
{
	const char *path = copy_file_target(c, source->text, e);
	struct copy_item *item = path ? copy_add_item(c, path, ITEM_BYTES, ENTRY_FILE, e) : NULL;

	if (!item)
		return -1;
	item->source = source;
	item->mode = (uint16_t)copy_mode_apply(&c->chmod, 0644, false);
	return 0;
}

const char *copy_file_target(struct selection *c, const char *name, struct error *e)
{
	const char *path = c->destination;

	if (c->is_folder) {
		path = copy_join(c, c->destination, name);
		if (!path) {
			error_memory(e);
			return NULL;
		}
	}
	return copy_add_parents(c, path, false, e) < 0 ? NULL : path;
}

const char *copy_folder_target(struct selection *c, struct error *e)
{
	if (c->is_there && c->there != ENTRY_DIR) {
		error_set(e, ERROR_INPUT, "cannot copy to non-directory: /%s", c->destination);
		return NULL;
	}
	/* Files that come later on the line go into it. */
	c->is_folder = true;
	return copy_add_parents(c, c->destination, true, e) < 0 ? NULL : c->destination;
}
