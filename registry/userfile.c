#include "registry/userfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

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

int userfile_write(const char *path, const void *data, size_t size, struct error *e)
{
	auto_close int root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	auto_free char *real = resolve(path);
	char *name;

	if (!real || root < 0)
		return error_errno(e, "open %s", path);
	name = strrchr(real, '/');
	*name++ = '\0';
	auto_close int dir = path_make_dirs(root, real[0] ? real : "/", 0700, e);

	if (dir < 0)
		return -1;
	if (path_write(dir, name, data, size, 0600, e) < 0)
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
