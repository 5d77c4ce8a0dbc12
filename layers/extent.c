#include "layers/extent.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "layers/interrupted.h"
#include "layers/path.h"
#include "layers/scope.h"

#define BUFFER_SIZE (256 << 10)
#define HASHED_SIZE (64 << 10)
/* The kernel copies that much before anybody can interrupt it. */
#define COPIED_SIZE (64 << 20)

/* Neither way of the kernel goes with these files. */
static int copy_through_us(int from, off_t offset, int to, int64_t size, struct error *e)
{
	auto_free char *buffer = malloc(BUFFER_SIZE);

	if (!buffer)
		return error_memory(e);
	while (size > 0) {
		size_t want = size < BUFFER_SIZE ? (size_t)size : BUFFER_SIZE;
		ssize_t n;

		if (interrupted_check(e) < 0)
			return -1;
		n = pread(from, buffer, want, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "read");
		if (n == 0)
			return error_set(e, ERROR_CORRUPT, "the content is cut short");
		if (path_write_all(to, buffer, (size_t)n, e) < 0)
			return -1;
		offset += n;
		size -= n;
	}
	return 0;
}

/* Another way would fare no better. File systems refuse to copy with many errors, and some say that
 * there is nothing to copy. */
static bool is_final(ssize_t n)
{
	return n < 0 && (errno == EINTR || errno == ENOSPC || errno == EDQUOT || errno == EIO);
}

int extent_copy(int from, int64_t offset, int to, int64_t size, struct error *e)
{
	off_t at = offset;

	while (size > 0) {
		size_t want = size < COPIED_SIZE ? (size_t)size : COPIED_SIZE;
		ssize_t n;

		if (interrupted_check(e) < 0)
			return -1;
		n = copy_file_range(from, &at, to, NULL, want, 0);
		if (n <= 0 && !is_final(n))
			n = sendfile(to, from, &at, want);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_final(n))
			return error_errno(e, "write");
		if (n <= 0)
			return copy_through_us(from, at, to, size, e);
		size -= n;
	}
	return 0;
}

int extent_digest(int fd, int64_t offset, int64_t size, struct digest *d, struct error *e)
{
	unsigned char buffer[HASHED_SIZE];
	struct sha256 hash;

	sha256_begin(&hash);
	while (size > 0) {
		size_t want = size < HASHED_SIZE ? (size_t)size : HASHED_SIZE;
		ssize_t n;

		if (interrupted_check(e) < 0)
			return -1;
		n = pread(fd, buffer, want, offset);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "read");
		if (n == 0)
			return error_set(e, ERROR_CORRUPT, "the content is cut short");
		sha256_add(&hash, buffer, (size_t)n);
		offset += n;
		size -= n;
	}
	sha256_end(&hash, d);
	return 0;
}
