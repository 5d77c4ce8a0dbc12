/* Calls that do half of what they were asked for, and every fifth time nothing at all: to be
 * preloaded. What copies within the kernel fails with the error of that number in COPYING; with 0 it
 * says that there is nothing to copy.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long calls;

static long half(long number, long fd, long where, size_t size, long offset)
{
	if (atomic_fetch_add(&calls, 1) % 5 == 4) {
		errno = EINTR;
		return -1;
	}
	return syscall(number, fd, where, size - size / 2, offset);
}

ssize_t read(int fd, void *buffer, size_t size)
{
	return half(SYS_read, fd, (long)buffer, size, 0);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	return half(SYS_write, fd, (long)bytes, size, 0);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	return half(SYS_pread64, fd, (long)buffer, size, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	return half(SYS_pwrite64, fd, (long)bytes, size, offset);
}

/* -1, or 0 for nothing; 1 when the kernel is to be asked. */
static int refused(void)
{
	const char *text = getenv("COPYING");

	errno = text ? atoi(text) : 0;
	return !text ? 1 : errno ? -1 : 0;
}

ssize_t copy_file_range(int from, off_t *in, int to, off_t *out, size_t size, unsigned flags)
{
	int asked = refused();

	if (asked != 1)
		return asked;
	return syscall(SYS_copy_file_range, from, in, to, out, size - size / 2, flags);
}

ssize_t sendfile(int to, int from, off_t *offset, size_t size)
{
	int asked = refused();

	return asked == 1 ? syscall(SYS_sendfile, to, from, offset, size - size / 2) : asked;
}
