#include "builder/memory.h"

#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

/* What a small build uses. */
enum { PAGE = 4 << 10, HEAP = 512 << 10, STACK = 128 << 10 };

/* What is larger is mapped on its own, and given back. */
enum { LARGE = 1 << 20 };

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

static void have(char *from, const char *to)
{
	from += -(uintptr_t)from % PAGE;
	if (from < to)
		madvise(from, (size_t)(to - from), MADV_POPULATE_WRITE);
}

static __attribute__((noinline)) void have_stack(void)
{
	char room[STACK];

	/* The stack reaches down to what has been touched. */
	*(volatile char *)room = 0;
	have(room, room + sizeof room);
}

static void have_heap(void)
{
	char *all = malloc(HEAP);

	if (all)
		have(all, all + HEAP);
	free(all);
}

void memory_prepare(void)
{
	/* Threads allocate little; each with a heap of its own would let that grow by mprotect(2), at
	 * which the kernel stops the other processors. */
	mallopt(M_ARENA_MAX, 1);
	mallopt(M_TOP_PAD, HEAP);
	mallopt(M_TRIM_THRESHOLD, 2 * LARGE);
	mallopt(M_MMAP_THRESHOLD, LARGE);
	have_heap();
	have_stack();
}
