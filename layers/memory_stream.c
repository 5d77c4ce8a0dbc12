#include "layers/memory_stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct memory {
	char **text;
	size_t *size;
	size_t at, capacity;
	bool failed;
};

/* Room for SIZE bytes and a NUL. */
static bool has_room(struct memory *m, size_t size)
{
	size_t capacity = size < 64 ? 64 : 2 * size;
	char *grown;

	if (size < m->capacity)
		return true;
	grown = size < SIZE_MAX / 2 ? realloc(*m->text, capacity) : NULL;
	if (!grown)
		return false;
	memset(grown + m->capacity, 0, capacity - m->capacity);
	*m->text = grown;
	m->capacity = capacity;
	return true;
}

/* 0 is what tells the stream of a failure. */
static ssize_t add(void *cookie, const char *bytes, size_t size)
{
	struct memory *m = cookie;

	if (m->failed || size > SIZE_MAX - m->at - 1 || !has_room(m, m->at + size)) {
		m->failed = true;
		return 0;
	}
	memcpy(*m->text + m->at, bytes, size);
	m->at += size;
	if (*m->size < m->at)
		*m->size = m->at;
	(*m->text)[*m->size] = '\0';
	return (ssize_t)size;
}

static int move(void *cookie, off64_t *offset, int whence)
{
	struct memory *m = cookie;
	off64_t from = whence == SEEK_SET ? 0 : (off64_t)(whence == SEEK_CUR ? m->at : *m->size);

	if (*offset < -from || *offset > (off64_t)*m->size - from)
		return -1;
	*offset += from;
	m->at = (size_t)*offset;
	return 0;
}

static int finish(void *cookie)
{
	struct memory *m = cookie;
	bool failed = m->failed;

	free(m);
	return failed ? -1 : 0;
}

FILE *memory_stream_open(char **text, size_t *size)
{
	static const cookie_io_functions_t calls = { .write = add, .seek = move, .close = finish };
	struct memory *m = calloc(1, sizeof *m);
	char *first = NULL;
	FILE *f = NULL;

	if (m) {
		*m = (struct memory){ .text = &first, .size = size };
		*size = 0;
		if (has_room(m, 0))
			f = fopencookie(m, "w", calls);
	}
	if (!f) {
		free(first);
		free(m);
		return NULL;
	}
	*text = first;
	m->text = text;
	return f;
}
