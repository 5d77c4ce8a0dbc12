#include "builder/inside/sys.h"

#include <linux/mman.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size)
{
	const char *source = from;

	for (char *p = to; size > 0; size--)
		*p++ = *source++;
	return to;
}

void *memset(void *to, int byte, size_t size)
{
	for (char *p = to; size > 0; size--)
		*p++ = (char)byte;
	return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
	const unsigned char *p = a, *q = b;

	for (; size > 0; size--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

size_t strlen(const char *s)
{
	size_t length = 0;

	while (s[length])
		length++;
	return length;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

void *take_memory(size_t size)
{
	static char *next, *end;
	size_t chunk = 64 << 10;
	long got;

	size = (size + 15) & ~(size_t)15;
	if (size > (size_t)(end - next)) {
		if (size > chunk)
			chunk = (size + 4095) & ~(size_t)4095;
		got = sys(mmap, 0, chunk, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (got < 0 && got > -4096)
			quit(1);
		next = (char *)got;
		end = next + chunk;
	}
	next += size;
	return next - size;
}

void text_add(struct text *t, const char *piece)
{
	while (*piece && t->at + 1 < t->end)
		*t->at++ = *piece++;
	*t->at = '\0';
}

void text_add_number(struct text *t, uint64_t number)
{
	char digits[21], *p = digits + sizeof digits - 1;

	*p = '\0';
	do
		*--p = (char)('0' + number % 10);
	while ((number /= 10) > 0);
	text_add(t, p);
}

_Noreturn void quit(int status)
{
	for (;;)
		sys(exit_group, status);
}

_Noreturn void begin(void);

#if defined __x86_64__
__asm__(".globl _start\n_start: xor %ebp, %ebp\n and $-16, %rsp\n call begin\n");
#else
__asm__(".globl _start\n_start: mov x29, #0\n bl begin\n");
#endif
