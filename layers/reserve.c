#include "layers/reserve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "layers/path.h"

/* This much, or the 16th part of a small disk. */
#define RESERVE (256 << 20)
#define RESERVE_PART 16
#define RESERVE_FILES 4096

/* Others write to the same disk: it is looked at again after LOOK_MAX at the latest. What takes less
 * than LOOK_MIN is not asked. */
#define LOOK_MIN (256 << 10)
#define LOOK_MAX (16 << 20)

static int64_t least(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int look(struct reserve *r, int fd, struct error *e)
{
	struct statvfs disk;
	int64_t total, left = LOOK_MAX, files_left = INT32_MAX;

	if (fstatvfs(fd, &disk) < 0)
		return error_errno(e, "ask how full the disk is");
	total = (int64_t)disk.f_blocks * (int64_t)disk.f_frsize;
	/* Some file systems do not count files, and some in memory not even blocks. */
	if (total > 0)
		left = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize -
		       least(RESERVE, total / RESERVE_PART);
	if (disk.f_files > 0)
		files_left = (int64_t)disk.f_favail -
		             least(RESERVE_FILES, (int64_t)disk.f_files / RESERVE_PART);
	if (left <= 0)
		return error_set(e, ERROR_SYSTEM, "the disk is almost full: %lld MB are left",
		                 (long long)disk.f_bavail * (long long)disk.f_frsize / 1000000);
	if (files_left <= 0)
		return error_set(e, ERROR_SYSTEM, "the disk is almost full: it takes %lld more files",
		                 (long long)disk.f_favail);
	left = least(least(left / 2, files_left / 2 * RESERVE_FILE), LOOK_MAX);
	r->look_at = r->taken + (left < LOOK_MIN ? LOOK_MIN : left);
	return 0;
}

int reserve_take(struct reserve *r, int fd, int64_t size, struct error *e)
{
	r->taken += size;
	return r->taken < r->look_at || r->taken < LOOK_MIN ? 0 : look(r, fd, e);
}

static int is_zero(const unsigned char *bytes, size_t size)
{
	return size > 0 && bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0;
}

int reserve_write(struct reserve *r, int fd, const void *bytes, size_t size, struct error *e)
{
	r->at_hole = is_zero(bytes, size);
	if (r->at_hole)
		return lseek(fd, (off_t)size, SEEK_CUR) < 0 ? error_errno(e, "seek") : 0;
	if (reserve_take(r, fd, (int64_t)size, e) < 0)
		return -1;
	return path_write_all(fd, bytes, size, e);
}

void reserve_explain(int fd, struct error *e)
{
	size_t used = strlen(e->text);
	struct statvfs disk;

	if (!strstr(e->text, strerror(ENOSPC)) || fstatvfs(fd, &disk) < 0)
		return;
	snprintf(e->text + used, sizeof e->text - used, " (it has room for %lld MB and %lld files)",
	         (long long)disk.f_bavail * (long long)disk.f_frsize / 1000000,
	         (long long)disk.f_favail);
}

int reserve_end(struct reserve *r, int fd, struct error *e)
{
	off_t end;

	if (!r->at_hole)
		return 0;
	r->at_hole = false;
	end = lseek(fd, 0, SEEK_CUR);
	return end < 0 || ftruncate(fd, end) < 0 ? error_errno(e, "end a file") : 0;
}
