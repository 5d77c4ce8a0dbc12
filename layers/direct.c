#include "layers/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define LARGE_PAGE ((size_t)2 << 20)

void *direct_buffer(size_t size)
{
	bool large = size >= LARGE_PAGE / 2;
	size_t unit = large ? LARGE_PAGE : DIRECT_ALIGNMENT;
	void *buffer;

	size = (size + unit - 1) / unit * unit;
	buffer = aligned_alloc(unit, size);
	if (buffer && large)
		madvise(buffer, size, MADV_HUGEPAGE);
	return buffer;
}

struct direct direct_of(int fd)
{
	struct stat st;

	return (struct direct){ .fd = fd, .large = fstat(fd, &st) == 0 && st.st_size >= DIRECT_SIZE };
}

static void turn(struct direct *d, bool on)
{
	if (on == d->on || (on && d->refused))
		return;
	if (fcntl(d->fd, F_SETFL, on ? O_DIRECT : 0) < 0)
		d->refused = true;
	else
		d->on = on;
}

static bool suits(const struct direct *d, const void *data, size_t size, int64_t offset)
{
	return (d->large || offset >= DIRECT_SIZE) && offset % DIRECT_ALIGNMENT == 0 &&
	       (uintptr_t)data % DIRECT_ALIGNMENT == 0 && size % DIRECT_ALIGNMENT == 0;
}

/* It did not do after all: true, and the usual way is next. */
static bool fell_back(struct direct *d, ssize_t n)
{
	if (n >= 0 || errno != EINVAL || !d->on)
		return false;
	d->refused = true;
	turn(d, false);
	return true;
}

ssize_t direct_write(struct direct *d, const void *data, size_t size, int64_t offset)
{
	ssize_t n;

	turn(d, suits(d, data, size, offset));
	do
		n = write(d->fd, data, size);
	while (fell_back(d, n));
	return n;
}

ssize_t direct_read(struct direct *d, void *buffer, size_t size, int64_t offset)
{
	ssize_t n;

	turn(d, suits(d, buffer, size, offset));
	do
		n = pread(d->fd, buffer, size, offset);
	while (fell_back(d, n));
	return n;
}
