/* A selection becomes a layer. */
#include "builder/copy/copy_selection.h"
#include "layers/scope.h"

struct writing {
	struct selection *copy;
	struct layer_writer *layer;
	struct item_reader items;
	struct context_reader reader;
	int64_t done, total;
};

static int write_file(struct writing *w, const struct copy_item *item, const struct entry *entry,
                      struct error *e)
{
	auto_close int fd = -1;

	if (w->reader.context != copy_match_of(w->copy, item)->context) {
		context_reader_release(&w->reader);
		w->reader.context = copy_match_of(w->copy, item)->context;
	}
	fd = context_reader_open(&w->reader, item->file, e);
	if (fd < 0 || layer_add(w->layer, entry, &(struct content){ .fd = fd }, e) < 0)
		return -1;
	/* The digest in the key is of these bytes only if nobody touched them meanwhile. */
	return context_unchanged(item->file, fd, e);
}

static int write_arrived(struct writing *w, const struct copy_item *item,
                         const struct entry *entry, struct error *e)
{
	const struct arrived *a = item->arrived;
	struct found found = { .entry = a->entry, .layer = a->layer };
	struct content content = { .fd = a->fd, .offset = a->entry.offset };

	if (a->fd < 0 && stack_content(copy_match_of(w->copy, item)->stack, &found, &content, e) < 0)
		return -1;
	return layer_add(w->layer, entry, &content, e);
}

/* The bytes of the content that item I brings. */
static int64_t size_of(const struct selection *c, size_t i)
{
	const struct copy_item *item = &c->item[i];
	struct entry entry;

	if (item->type != ENTRY_FILE || (c->hard_link && c->hard_link[i]))
		return 0;
	if (item->kind == ITEM_ARRIVED)
		return item->arrived->entry.size;
	if (item->kind == ITEM_BYTES)
		return (int64_t)item->source->document_size;
	context_entry(item->file, &entry);
	return entry.size;
}

static int write_item(struct writing *w, const struct copy_item *item, struct error *e)
{
	struct entry entry;

	copy_entry(&w->items, item, &entry);
	if (entry.type != ENTRY_FILE)
		return layer_add(w->layer, &entry, NULL, e);
	if (item->kind == ITEM_CONTEXT)
		return write_file(w, item, &entry, e);
	if (item->kind == ITEM_ARRIVED)
		return write_arrived(w, item, &entry, e);
	return layer_add(w->layer, &entry,
	                 &(struct content){ .fd = -1, .memory = item->source->document }, e);
}

static int write_items(struct writing *w, struct error *e)
{
	const struct selection *c = w->copy;
	const struct copy_world *world = c->world;

	for (size_t i = 0; i < c->count; i++)
		w->total += size_of(c, i);
	layer_expect(w->layer, w->total);
	for (size_t i = 0; i < c->count; i++) {
		int64_t before = w->done;

		if (write_item(w, &c->item[i], e) < 0)
			return -1;
		if (!world->moved)
			continue;
		/* Whole megabytes are enough for people. */
		w->done += size_of(c, i);
		if (before >> 20 != w->done >> 20 || (w->done == w->total && before != w->done))
			world->moved(world->moved_context, "copying", w->done, w->total);
	}
	return 0;
}

int copy_write(struct selection *c, struct layer *layer, struct error *e)
{
	struct writing w = { .copy = c, .reader.fd = -1 };
	int result;

	if ((c->archive_count > 0 && copy_unpack(c, e) < 0) ||
	    (c->repository_count > 0 && copy_fetch_repositories(c, e) < 0) ||
	    (c->archive_count + c->repository_count > 0 && copy_arrange(c, e) < 0) ||
	    item_reader_begin(&w.items, c, e) < 0)
		return -1;
	w.layer = layer_begin(c->world->store, e);
	result = w.layer ? write_items(&w, e) : -1;
	context_reader_release(&w.reader);
	item_reader_release(&w.items);
	if (result == 0)
		return layer_finish(w.layer, layer, e);
	layer_abandon(w.layer);
	return -1;
}
