#include "layers/chunks.h"

#include <stdlib.h>

#include "layers/direct.h"

unsigned char *chunks_at(struct chunks *c, unsigned number, struct error *e)
{
	unsigned char **memory = number == 0 ? &c->first : &c->ring;

	if (!*memory)
		*memory = direct_buffer(number == 0 ? CHUNK_SIZE : CHUNK_COUNT * CHUNK_SIZE);
	if (!*memory) {
		error_memory(e);
		return NULL;
	}
	return number == 0 ? *memory : *memory + number % CHUNK_COUNT * CHUNK_SIZE;
}

void chunks_release(struct chunks *c)
{
	free(c->first);
	free(c->ring);
}
