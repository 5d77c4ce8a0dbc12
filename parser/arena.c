#include "parser/arena.h"

#include <stdalign.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* The first chunk is for a trigger of one line; they grow to where malloc is rare. */
#define CHUNK_SIZE_MIN ((size_t)1 << 10)
#define CHUNK_SIZE_MAX ((size_t)32 << 10)
/* A power of two. */
#define ROOM_AT_FIRST 8

struct chunk {
	struct chunk *next;
	alignas(max_align_t) char bytes[];
};

struct arena {
	struct chunk *chunks;
	char *free;
	size_t left;
	size_t size, limit;             /* of all chunks; 0: no limit */
	bool exhausted, full;
};

struct arena *arena_new(void)
{
	return calloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct chunk *c = a->chunks, *next; c; c = next) {
		next = c->next;
		free(c);
	}
	free(a);
}

void arena_limit(struct arena *a, size_t size)
{
	a->limit = size;
}

bool arena_full(const struct arena *a)
{
	return a->full;
}

/* A new chunk with ROOM, or NULL. */
static struct chunk *new_chunk(struct arena *a, size_t room)
{
	struct chunk *c;

	a->full |= a->limit && (room > a->limit || a->size > a->limit - room);
	c = room < SIZE_MAX - sizeof *c && !a->full ? malloc(sizeof *c + room) : NULL;
	if (!c) {
		a->exhausted = true;
		return NULL;
	}
	c->next = a->chunks;
	a->chunks = c;
	a->size += room;
	return c;
}

static char *take(struct arena *a, size_t size)
{
	size_t room = a->size < CHUNK_SIZE_MIN ? CHUNK_SIZE_MIN :
	              a->size < CHUNK_SIZE_MAX ? a->size : CHUNK_SIZE_MAX;
	struct chunk *c;
	char *p;

	if (size > a->left) {
		/* What does not fit well gets a chunk of its own, and the current one is kept. */
		bool own = size > room / 4;

		c = new_chunk(a, own ? size : room);
		if (!c || own)
			return c ? c->bytes : NULL;
		a->free = c->bytes;
		a->left = room;
	}
	p = a->free;
	a->free += size;
	a->left -= size;
	return p;
}

void *arena_array(struct arena *a, size_t count, size_t size)
{
	size_t padding = -(uintptr_t)a->free % alignof(max_align_t);
	size_t bytes;
	char *p;

	if (__builtin_mul_overflow(count, size, &bytes)) {
		a->exhausted = true;
		return NULL;
	}
	if (padding > a->left)
		a->left = padding = 0;
	if (padding) {
		a->free += padding;
		a->left -= padding;
	}
	p = take(a, bytes);
	return p ? memset(p, 0, bytes) : NULL;
}

void *arena_room(struct arena *a, void *items, size_t count, size_t size)
{
	bool full = count == 0 || (count >= ROOM_AT_FIRST && (count & (count - 1)) == 0);
	void *more;

	if (!full)
		return items;
	more = arena_array(a, count ? 2 * count : ROOM_AT_FIRST, size);
	if (more && count)
		memcpy(more, items, count * size);
	return more;
}

char *arena_text(struct arena *a, const char *text, size_t size)
{
	char *p = take(a, size + 1);

	if (p) {
		memcpy(p, text, size);
		p[size] = '\0';
	}
	return p;
}

bool arena_exhausted(const struct arena *a)
{
	return a->exhausted;
}
