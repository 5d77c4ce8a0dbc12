#include "builder/copy/disk_reserve.h"

#include <sys/statvfs.h>

#define RESERVE (256 << 20)
#define CHECKED_EVERY (16 << 20)

int disk_reserve(int fd, int64_t done, int64_t *checked, struct error *e)
{
	struct statvfs disk;

	if (done - *checked < CHECKED_EVERY)
		return 0;
	*checked = done;
	if (fstatvfs(fd, &disk) < 0 || (uint64_t)disk.f_bavail * disk.f_frsize >= RESERVE)
		return 0;
	return error_set(e, ERROR_SYSTEM, "the disk is almost full");
}
