#include "builder/context_source.h"

#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/download.h"
#include "builder/tar_context.h"
#include "layers/blob.h"
#include "layers/scope.h"
#include "parser/dockerfile.h"

/* "https://host/x.git", "git@host:x", "git://..", and a fragment: a repository. */
static bool is_git(const char *text)
{
	size_t length = strcspn(text, "#?");

	return strncmp(text, "git://", 6) == 0 || strncmp(text, "git@", 4) == 0 ||
	       strncmp(text, "ssh://", 6) == 0 ||
	       (strncmp(text, "http", 4) == 0 && length > 4 &&
	        strncmp(text + length - 4, ".git", 4) == 0);
}

static bool is_url(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

/* The path of what T names, which the rest of a build goes by. */
static char *path_of(const struct store_temp *t, struct error *e)
{
	char link[32], path[PATH_MAX];
	auto_close int fd = openat(t->dir, t->name, O_PATH | O_CLOEXEC);
	ssize_t size;
	char *copy;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	size = fd < 0 ? -1 : readlink(link, path, sizeof path);
	if (size < 0 || size == sizeof path) {
		error_errno(e, "the context");
		return NULL;
	}
	copy = strndup(path, (size_t)size);
	if (!copy)
		error_memory(e);
	return copy;
}

/* What came as a stream, now the file FD: an archive, or a Dockerfile. */
static int take_stream(struct store *s, struct context_source *place, int fd, struct error *e)
{
	int unpacked = tar_context_unpack(s, fd, &place->temp, e);
	struct stat st;

	if (unpacked < 0)
		return -1;
	if (unpacked) {
		place->temporary = 1;
		place->folder = path_of(&place->temp, e);
		return place->folder ? 0 : -1;
	}
	if (fstat(fd, &st) < 0)
		return error_errno(e, "the context");
	if (st.st_size > DOCKERFILE_SIZE_MAX)
		return error_set(e, ERROR_INPUT, "what came as the context is neither an archive nor a "
		                 "Dockerfile");
	place->dockerfile = malloc((size_t)st.st_size + 1);
	if (!place->dockerfile)
		return error_memory(e);
	if (pread(fd, place->dockerfile, (size_t)st.st_size, 0) != st.st_size)
		return error_errno(e, "the context");
	place->dockerfile[st.st_size] = '\0';
	place->dockerfile_size = (size_t)st.st_size;
	return 0;
}

static int from_stdin(struct store *s, struct context_source *place, struct error *e)
{
	auto_close int fd = tar_context_spool(s, STDIN_FILENO, e);

	return fd < 0 ? -1 : take_stream(s, place, fd, e);
}

static int from_url(const char *url, struct store *s, struct context_source *place,
                    struct error *e)
{
	struct download d;
	auto_close int fd = -1;

	if (download(s, url, NULL, NULL, NULL, NULL, &d, e) < 0)
		return -1;
	fd = blob_open(s, &d.digest, d.size, e);
	return fd < 0 ? -1 : take_stream(s, place, fd, e);
}

static int from_folder(const char *path, struct context_source *place, struct error *e)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return error_errno(e, "unable to prepare context: path \"%s\"", path);
	if (!S_ISDIR(st.st_mode))
		return error_set(e, ERROR_INPUT, "unable to prepare context: path \"%s\" is not a "
		                 "folder", path);
	place->folder = strdup(path);
	return place->folder ? 0 : error_memory(e);
}

int context_source_open(const char *text, const char *file, struct store *s,
                        struct context_source *place, struct error *e)
{
	*place = (struct context_source){ 0 };
	if (strcmp(text, "-") == 0) {
		if (file && strcmp(file, "-") == 0)
			return error_set(e, ERROR_INPUT, "invalid argument: can't use stdin for both "
			                 "build context and dockerfile");
		return from_stdin(s, place, e);
	}
	if (is_git(text))
		return error_set(e, ERROR_UNSUPPORTED, "a context that is a git repository is not "
		                 "supported yet: clone it and name the folder");
	return is_url(text) ? from_url(text, s, place, e) : from_folder(text, place, e);
}

void context_source_release(struct context_source *place)
{
	free(place->folder);
	free(place->dockerfile);
	if (place->temporary)
		store_discard(&place->temp);
	*place = (struct context_source){ 0 };
}
