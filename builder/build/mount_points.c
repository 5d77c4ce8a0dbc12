#include "builder/build/mount_points.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/scope.h"

void mount_points_init(struct mount_points *m)
{
	*m = (struct mount_points){ .path = NULL };
	pthread_mutex_init(&m->mutex, NULL);
}

static int fill(int dir)
{
	static const char *const folders[] = { "dev", "etc", "proc", "sys" };
	static const char *const files[] = { "etc/hosts", "etc/resolv.conf" };

	/* The umask may have taken something away. */
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		if (mkdirat(dir, folders[i], 0755) < 0 || fchmodat(dir, folders[i], 0755, 0) < 0)
			return -1;
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		auto_close int fd = openat(dir, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd < 0 || fchmod(fd, 0644) < 0)
			return -1;
	}
	return fchmod(dir, 0755);
}

static int make(struct mount_points *m, struct store *s, struct error *e)
{
	auto_close int dir = store_temp_dir(s, &m->temp, e);

	if (dir < 0)
		return -1;
	if (fill(dir) < 0) {
		error_errno(e, "make mount points in %s/tmp", store_path(s));
		store_discard(&m->temp);
		return -1;
	}
	m->path = store_temp_path(s, &m->temp);
	return m->path ? 0 : error_memory(e);
}

const char *mount_points_tree(struct mount_points *m, struct store *s, struct error *e)
{
	const char *path;

	pthread_mutex_lock(&m->mutex);
	path = m->path || make(m, s, e) == 0 ? m->path : NULL;
	pthread_mutex_unlock(&m->mutex);
	return path;
}

void mount_points_release(struct mount_points *m)
{
	if (m->path)
		store_discard(&m->temp);
	free(m->path);
	pthread_mutex_destroy(&m->mutex);
}
