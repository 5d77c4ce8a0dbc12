#include "layers/checksum.h"

#include <errno.h>
#include <libdeflate.h>
#include <unistd.h>

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t size)
{
	return libdeflate_crc32(sum, bytes, size);
}

/* Read, not mapped: of a disk that fails comes an error, no signal. Of few pages: to touch one first
 * may cost more than to read it. */
int checksum_add_file(uint32_t *sum, int fd, int64_t offset, struct error *e)
{
	unsigned char buffer[16 << 10];
	ssize_t n;

	while ((n = pread(fd, buffer, sizeof buffer, offset)) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(e, "read");
		*sum = checksum_add(*sum, buffer, (size_t)n);
		offset += n;
	}
	return 0;
}
