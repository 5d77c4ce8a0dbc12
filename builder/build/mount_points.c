#include "builder/build/mount_points.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "layers/scope.h"

static const char *const folders[] = { "dev", "etc", "proc", "sys" };
static const char *const files[] = { "etc/hosts", "etc/resolv.conf" };

enum { FOLDERS = sizeof folders / sizeof *folders, FILES = sizeof files / sizeof *files };

/* No layer has it: its digest is that of what is in it. */
static void digest_of_names(struct digest *d)
{
	struct sha256 s;

	sha256_begin(&s);
	for (size_t i = 0; i < FOLDERS; i++)
		sha256_add(&s, folders[i], strlen(folders[i]) + 1);
	for (size_t i = 0; i < FILES; i++)
		sha256_add(&s, files[i], strlen(files[i]) + 1);
	sha256_end(&s, d);
}

static int fill(int dir)
{
	/* The umask may have taken something away. */
	for (size_t i = 0; i < FOLDERS; i++)
		if (mkdirat(dir, folders[i], 0755) < 0 || fchmodat(dir, folders[i], 0755, 0) < 0)
			return -1;
	for (size_t i = 0; i < FILES; i++) {
		auto_close int fd = openat(dir, files[i], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);

		if (fd < 0 || fchmod(fd, 0644) < 0)
			return -1;
	}
	return fchmod(dir, 0755);
}

int mount_points_tree(struct store *s, const struct tree_rules *rules,
                      char path[static TREE_PATH], struct error *e)
{
	struct store_temp temp;
	struct digest id;

	digest_of_names(&id);
	if (tree_find(s, &id, rules, path))
		return 0;
	auto_close int dir = store_temp_dir(s, &temp, e);

	if (dir < 0)
		return -1;
	if (fill(dir) < 0) {
		error_errno(e, "make mount points in %s/tmp", store_path(s));
		store_discard(&temp);
		return -1;
	}
	return tree_adopt(s, &temp, &id, rules, e);
}
