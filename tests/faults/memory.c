/* Memory that runs out: to be preloaded. Request number MEMORY_ENDS_AT gets none; how many there were
 * is written to the file MEMORY_COUNT when the process ends.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);

static atomic_long requests;
static long last = -1;

static bool is_last(void)
{
	if (last < 0) {
		const char *text = getenv("MEMORY_ENDS_AT");

		last = text ? atol(text) : 0;
	}
	if (atomic_fetch_add(&requests, 1) + 1 != last)
		return false;
	errno = ENOMEM;
	return true;
}

void *malloc(size_t size)
{
	return is_last() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return is_last() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return is_last() ? NULL : __libc_realloc(old, size);
}

__attribute__((destructor)) static void tell(void)
{
	const char *path = getenv("MEMORY_COUNT");
	FILE *f = path ? fopen(path, "we") : NULL;

	if (!f)
		return;
	fprintf(f, "%ld\n", atomic_load(&requests));
	fclose(f);
}
