/* The kernel, without a C library: a static glibc costs each RUN a quarter of a millisecond before
 * its first line. Every call returns the kernel's answer, -errno when it says no.
 */
#pragma once
#include <asm/unistd.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined __x86_64__
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
	                 : "=a"(result)
	                 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
	                 : "rcx", "r11", "memory");
	return result;
}
#elif defined __aarch64__
static inline long sys6(long n, long a, long b, long c, long d, long e, long f)
{
	register long x8 __asm__("x8") = n;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	register long x4 __asm__("x4") = e;
	register long x5 __asm__("x5") = f;

	__asm__ volatile("svc 0"
	                 : "+r"(x0)
	                 : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
	                 : "memory");
	return x0;
}
#else
#error "tell this file how a system call is made here"
#endif

/* sys(openat, dir, name, flags, mode): missing arguments are 0, pointers are cast. */
#define SYS_ARG(x) ((long)(x))
#define SYS_PICK(n, a, b, c, d, e, f, ...)                                                      \
	sys6(__NR_##n, SYS_ARG(a), SYS_ARG(b), SYS_ARG(c), SYS_ARG(d), SYS_ARG(e), SYS_ARG(f))
#define sys(n, ...) SYS_PICK(n, ##__VA_ARGS__, 0, 0, 0, 0, 0, 0, 0)

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);

/* Memory that is never given back: the program lives as long as one command. */
void *take_memory(size_t size);

/* A text of pieces, cut where the buffer ends. */
struct text {
	char *at, *end;
};
void text_add(struct text *t, const char *piece);
void text_add_number(struct text *t, uint64_t number);

_Noreturn void quit(int status);
