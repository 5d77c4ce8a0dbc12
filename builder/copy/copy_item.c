/* Items of a selection as entries of a layer. */
#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"

int item_path_begin(struct item_path *p, const struct selection *c, struct error *e)
{
	*p = (struct item_path){ .text = malloc(c->path_max + 1), .anchor = UINT32_MAX };
	return p->text ? 0 : error_memory(e);
}

void item_path_release(struct item_path *p)
{
	free(p->text);
	p->text = NULL;
}

/* NAME behind the first SIZE bytes of TEXT; returns how many there are then. */
static size_t append(char *text, size_t size, const char *name)
{
	size_t length = strlen(name);

	if (size > 0)
		text[size++] = '/';
	memcpy(text + size, name, length + 1);
	return size + length;
}

static size_t append_folder(char *text, size_t size, const struct context_file *folder,
                            const struct context_file *from)
{
	if (folder != from)
		size = append_folder(text, size, context_file_folder(folder), from);
	return folder == from ? size : append(text, size, context_file_name(folder));
}

const char *item_path(struct item_path *p, const struct selection *c, const struct copy_item *item)
{
	const struct copy_anchor *anchor = &c->anchor[item->anchor];
	const struct context_file *folder;

	if (!anchor->folder)
		return anchor->path;
	/* What stands side by side in the context mostly does so here. */
	folder = context_file_folder(item->file);
	if (p->anchor != item->anchor || p->folder != folder) {
		p->anchor = item->anchor;
		p->folder = folder;
		p->size = append_folder(p->text, append(p->text, 0, anchor->path), folder,
		                        anchor->folder);
	}
	append(p->text, p->size, context_file_name(item->file));
	return p->text;
}

int item_reader_begin(struct item_reader *r, const struct selection *c, struct error *e)
{
	*r = (struct item_reader){ .copy = c };
	if (item_path_begin(&r->path, c, e) == 0 && item_path_begin(&r->link, c, e) == 0)
		return 0;
	item_reader_release(r);
	return -1;
}

void item_reader_release(struct item_reader *r)
{
	item_path_release(&r->path);
	item_path_release(&r->link);
}

/* The image's times never lie behind SOURCE_DATE_EPOCH; what comes from a context has no time of
 * its own. */
static int64_t item_time(const struct selection *c, const struct copy_item *item)
{
	int64_t epoch = c->world->epoch;

	if (item->kind != ITEM_ARRIVED)
		return epoch >= 0 ? epoch : LAYER_TIME;
	return epoch >= 0 && item->arrived->entry.mtime > epoch ? epoch
	                                                        : item->arrived->entry.mtime;
}

void copy_entry(struct item_reader *r, const struct copy_item *item, struct entry *entry)
{
	const struct selection *c = r->copy;
	uint32_t first = c->hard_link ? c->hard_link[item - c->item] : 0;

	switch ((enum item_kind)item->kind) {
	case ITEM_PARENT:
		*entry = (struct entry){ 0 };
		break;
	case ITEM_CONTEXT:
		context_entry(item->file, entry);
		break;
	case ITEM_ARRIVED:
		*entry = item->arrived->entry;
		break;
	case ITEM_BYTES:
		*entry = (struct entry){ .size = (int64_t)item->source->document_size };
		digest_of(item->source->document, item->source->document_size, &entry->digest);
		break;
	}
	entry->path = item_path(&r->path, c, item);
	entry->type = (enum entry_type)item->type;
	entry->mode = item->mode;
	if (c->has_owner) {
		entry->uid = c->uid;
		entry->gid = c->gid;
	}
	entry->mtime = item_time(c, item);
	if (first) {
		entry->type = ENTRY_HARDLINK;
		entry->link = item_path(&r->link, c, &c->item[first - 1]);
		entry->size = 0;
	}
}

int64_t *copy_times(const struct selection *c, size_t *count, struct error *e)
{
	const struct copy_world *w = c->world;
	int64_t *time = malloc((c->count + 1) * sizeof *time);

	if (!time)
		error_memory(e);
	for (size_t i = 0; time && i < c->count; i++) {
		const struct copy_item *item = &c->item[i];
		const struct arrived *a = item->kind == ITEM_ARRIVED ? item->arrived : NULL;

		time[i] = TREE_NO_TIME;
		if (item->kind == ITEM_CONTEXT)
			time[i] = context_time(item->file);
		else if (a && a->fd < 0 && a->entry.mtime == LAYER_TIME && w->time_of)
			time[i] = w->time_of(w->time_context, a->layer, a->entry.path);
	}
	*count = c->count;
	return time;
}
