#include "builder/image/collect.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/build/kept.h"
#include "layers/blob.h"
#include "layers/path.h"
#include "layers/scope.h"

/* Manifests and configs lead further; a larger blob is a layer. */
#define DOCUMENT_SIZE_MAX (8 << 20)

/* Digests that something refers to, each once; also a queue, as each may refer to others. */
struct marks {
	struct digest *item;
	size_t count, capacity;
	size_t *slot; /* a hash table of indices + 1 */
	size_t slots; /* a power of 2 */
};

struct collection {
	struct store *store;
	struct marks marks;
	char (*name)[128]; /* of the room under work; the longest are those of trees */
	size_t name_count, name_capacity;
	int64_t freed;
	bool out_of_memory;
};

/* What could not be read may refer to anything, so that nothing may be removed: unless there is
 * nothing, or nothing of use. */
static bool leads_nowhere(const struct error *e)
{
	return e->kind != ERROR_SYSTEM && e->kind != ERROR_DENIED;
}

/* --- marks ------------------------------------------------------------------------------------ */

static size_t *slot_of(const struct marks *m, const struct digest *d)
{
	size_t hash, at;

	memcpy(&hash, d->byte, sizeof hash);
	for (at = hash & (m->slots - 1); m->slot[at]; at = (at + 1) & (m->slots - 1))
		if (digest_equal(&m->item[m->slot[at] - 1], d))
			break;
	return &m->slot[at];
}

static bool is_marked(const struct marks *m, const struct digest *d)
{
	return m->slots > 0 && *slot_of(m, d);
}

static int grow_marks(struct marks *m)
{
	size_t slots = m->slots ? 2 * m->slots : 1024;
	struct digest *items = reallocarray(m->item, slots / 2, sizeof *items);
	size_t *slot = items ? calloc(slots, sizeof *slot) : NULL;

	if (items)
		m->item = items;
	if (!slot)
		return -1;
	free(m->slot);
	m->slot = slot;
	m->slots = slots;
	m->capacity = slots / 2;
	for (size_t i = 0; i < m->count; i++)
		*slot_of(m, &m->item[i]) = i + 1;
	return 0;
}

static void mark(struct collection *c, const struct digest *d)
{
	struct marks *m = &c->marks;

	if (is_marked(m, d))
		return;
	if (m->count == m->capacity && grow_marks(m) < 0) {
		c->out_of_memory = true;
		return;
	}
	m->item[m->count] = *d;
	*slot_of(m, d) = ++m->count;
}

/* Whatever in TEXT looks like a digest is one: rather keep too much. */
static void mark_text(struct collection *c, const char *text)
{
	static const char hex[] = "0123456789abcdef";

	for (const char *p = text; *p;) {
		size_t length = strspn(p, hex);

		if (length == DIGEST_HEX) {
			char full[DIGEST_TEXT] = "sha256:";
			struct digest d;
			struct error ignored;

			memcpy(full + 7, p, DIGEST_HEX);
			full[7 + DIGEST_HEX] = '\0';
			if (digest_parse(full, &d, &ignored) == 0)
				mark(c, &d);
		}
		p += length ? length : strcspn(p, hex);
	}
}

/* What a document leads to. Layers are not read. */
static int mark_document(struct collection *c, const struct digest *d, struct error *e)
{
	auto_close int fd = blob_open(c->store, d, -1, e);
	auto_free char *text = NULL;
	struct stat st;
	char first;
	ssize_t n;

	if (fd < 0)
		return leads_nowhere(e) ? 0 : -1;
	n = path_read_at(fd, &first, 1, 0);
	if (n < 0 || fstat(fd, &st) < 0)
		return error_errno(e, "read %s/blobs", store_path(c->store));
	if (n == 0 || first != '{' || st.st_size > DOCUMENT_SIZE_MAX)
		return 0;
	text = blob_read(c->store, d, DOCUMENT_SIZE_MAX, NULL, e);
	if (!text)
		return leads_nowhere(e) ? 0 : -1;
	mark_text(c, text);
	return 0;
}

/* --- rooms ------------------------------------------------------------------------------------ */

static int remember_name(const char *name, void *context)
{
	struct collection *c = context;

	if (c->name_count == c->name_capacity) {
		size_t capacity = c->name_capacity ? 2 * c->name_capacity : 256;
		void *grown = reallocarray(c->name, capacity, sizeof *c->name);

		if (!grown) {
			c->out_of_memory = true;
			return 1;
		}
		c->name = grown;
		c->name_capacity = capacity;
	}
	snprintf(c->name[c->name_count++], sizeof *c->name, "%s", name);
	return 0;
}

static int list_room(struct collection *c, enum store_room room, struct error *e)
{
	c->name_count = 0;
	if (store_list(c->store, room, remember_name, c, e) < 0)
		return -1;
	return c->out_of_memory ? error_memory(e) : 0;
}

static int mark_room(struct collection *c, enum store_room room, struct error *e)
{
	if (list_room(c, room, e) < 0)
		return -1;
	for (size_t i = 0; i < c->name_count; i++) {
		auto_free char *text = store_read(c->store, room, c->name[i], NULL, e);

		if (text)
			mark_text(c, text);
		else if (!leads_nowhere(e))
			return -1;
	}
	return c->out_of_memory ? error_memory(e) : 0;
}

/* A failed step that was kept stands on trees. */
static int mark_failed(struct collection *c, struct error *e)
{
	if (list_room(c, STORE_FAILED, e) < 0)
		return -1;
	for (size_t i = 0; i < c->name_count; i++) {
		auto_free char *text = kept_text(c->store, c->name[i], e);

		if (text)
			mark_text(c, text);
		else if (!leads_nowhere(e))
			return -1;
	}
	return c->out_of_memory ? error_memory(e) : 0;
}

/* A packed form stays as long as its layer does, and its blob with it. */
static int sweep_packed(struct collection *c, struct error *e)
{
	if (list_room(c, STORE_PACKED, e) < 0)
		return -1;
	for (size_t i = 0; i < c->name_count; i++) {
		struct error gone;
		auto_free char *text = store_read(c->store, STORE_PACKED, c->name[i], NULL, &gone);
		char diff_id[DIGEST_TEXT];
		struct digest d;

		if (text && sscanf(text, "%71s", diff_id) == 1 && digest_parse(diff_id, &d, &gone) == 0 &&
		    is_marked(&c->marks, &d))
			mark_text(c, text);
		else if (store_remove(c->store, STORE_PACKED, c->name[i], e) < 0)
			return -1;
	}
	return c->out_of_memory ? error_memory(e) : 0;
}

/* The digest that NAME begins with: a tree's has more behind a point. */
static bool parse_name(const char *name, struct digest *d)
{
	char text[DIGEST_TEXT];
	struct error strange;

	snprintf(text, sizeof text, "sha256:%.*s", (int)strcspn(name, "."), name);
	return digest_parse(text, d, &strange) == 0;
}

static int sweep_room(struct collection *c, enum store_room room, struct error *e)
{
	if (list_room(c, room, e) < 0)
		return -1;
	for (size_t i = 0; i < c->name_count; i++) {
		struct digest d;
		struct stat st;
		bool whole;

		if (!parse_name(c->name[i], &d))
			continue;
		/* A tree that is not whole is nobody's. */
		whole = store_look(c->store, room, c->name[i], &st);
		if (is_marked(&c->marks, &d) && (whole || room != STORE_TREES))
			continue;
		if (whole && S_ISREG(st.st_mode))
			c->freed += st.st_size;
		if (store_remove(c->store, room, c->name[i], e) < 0)
			return -1;
	}
	return 0;
}

static int run(struct collection *c, struct error *e)
{
	static const enum store_room roots[] = { STORE_IMAGES, STORE_STEPS, STORE_BASES };
	static const enum store_room swept[] = { STORE_TREES, STORE_SEARCHED, STORE_TABLES,
		                                 STORE_BLOBS };

	for (size_t i = 0; i < sizeof roots / sizeof *roots; i++)
		if (mark_room(c, roots[i], e) < 0)
			return -1;
	if (mark_failed(c, e) < 0)
		return -1;
	for (size_t i = 0; i < c->marks.count; i++) {
		struct digest d = c->marks.item[i];

		if (mark_document(c, &d, e) < 0)
			return -1;
	}
	if (c->out_of_memory)
		return error_memory(e);
	if (sweep_packed(c, e) < 0)
		return -1;
	for (size_t i = 0; i < sizeof swept / sizeof *swept; i++)
		if (sweep_room(c, swept[i], e) < 0)
			return -1;
	return 0;
}

int collect(struct store *s, int64_t *freed, struct error *e)
{
	struct collection c = { .store = s };
	int result;

	*freed = 0;
	if (!store_is_alone(s))
		return 1;
	result = run(&c, e);
	*freed = c.freed;
	free(c.marks.item);
	free(c.marks.slot);
	free(c.name);
	return result;
}
