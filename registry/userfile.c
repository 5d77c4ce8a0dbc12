#include "registry/userfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/scope.h"

char *userfile_read(const char *path, size_t limit, size_t *size, struct error *e)
{
	auto_free char *real = realpath(path, NULL);
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (!real || root < 0) {
		error_errno(e, "open %s", path);
		return NULL;
	}
	return path_read(root, real, limit, size, e);
}

/* PATH with no link in it, though its last parts may not exist yet. */
static char *resolve(const char *path)
{
	char *real = realpath(path, NULL), *here, *absolute;

	if (real || errno != ENOENT)
		return real;
	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	if (!here || asprintf(&absolute, "%s/%s", here, path) < 0)
		absolute = NULL;
	free(here);
	return absolute;
}

static int write_beneath(const char *folder, const char *name, const void *data, size_t size,
                         struct error *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_close int dir = root < 0 ? error_errno(e, "open /") : path_make_dirs(root, folder, 0700, e);

	return dir < 0 ? -1 : path_write(dir, name, data, size, 0600, e);
}

/* What is there of FOLDER, an absolute path. */
static int stat_place(const char *folder, struct stat *st)
{
	auto_free char *path = strdup(folder);
	char *slash;

	while (path && stat(path, st) < 0 && (slash = strrchr(path, '/')) && slash != path)
		*slash = '\0';
	return path ? stat(path, st) : -1;
}

/* As root, but as the user to whom the place belongs: 0, or -1 when that is nobody else or cannot. */
static int write_as_owner(const char *folder, const char *name, const void *data, size_t size)
{
	struct error ignored;
	struct stat place;
	int result;

	if (geteuid() != 0 || stat_place(folder, &place) < 0 || place.st_uid == 0)
		return -1;
	setfsgid(place.st_gid);
	setfsuid(place.st_uid);
	result = write_beneath(folder, name, data, size, &ignored);
	setfsuid(0);
	setfsgid(getegid());
	return result;
}

int userfile_write(const char *path, const void *data, size_t size, struct error *e)
{
	auto_free char *real = resolve(path);
	const char *folder;
	char *name;

	if (!real)
		return error_errno(e, "open %s", path);
	name = strrchr(real, '/');
	*name++ = '\0';
	folder = real[0] ? real : "/";
	if (write_as_owner(folder, name, data, size) < 0 &&
	    write_beneath(folder, name, data, size, e) < 0)
		return error_context(e, "%s", path);
	return 0;
}

char *userfile_docker_folder(const char *folder, struct error *e)
{
	const char *config = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	char *path = NULL;

	if (folder || (config && *config))
		path = strdup(folder ? folder : config);
	else if (asprintf(&path, "%s/.docker", home ? home : "/nonexistent") < 0)
		path = NULL;
	if (!path)
		error_memory(e);
	return path;
}
