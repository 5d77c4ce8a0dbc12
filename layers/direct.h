/* Large files past the page cache.
 *
 * Fresh pages cost more than a fast disk, others lose theirs, and the flush at the end of a build
 * waits for them anyway. So a file of DIRECT_SIZE and more that is written or read once goes straight
 * to or from the disk, if it is whole blocks at aligned addresses and the file system can (O_DIRECT);
 * of one that is not known to become so large, what lies behind its first DIRECT_SIZE bytes. All else
 * takes the usual way: what is smaller may soon be read again.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define DIRECT_SIZE (64 << 20)
#define DIRECT_ALIGNMENT 4096

/* SIZE bytes for them, which free gives back; NULL: memory is out. From a MiB on they lie in large
 * pages, if the kernel has some: to and from those a disk is three times as fast. */
void *direct_buffer(size_t size);

/* FD, lent, has a file description of its own: its flags are changed. */
struct direct {
	int fd;
	bool large; /* it is known to be, or to become so */
	bool on, refused;
};

/* FD, which is there in full, for reading. */
struct direct direct_of(int fd);

/* As write(2), FD standing at OFFSET, and as pread(2). */
ssize_t direct_write(struct direct *d, const void *data, size_t size, int64_t offset);
ssize_t direct_read(struct direct *d, void *buffer, size_t size, int64_t offset);
