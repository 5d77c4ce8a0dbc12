#include "builder/command/context_source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/copy/download.h"
#include "builder/copy/git.h"
#include "builder/copy/tar_context.h"
#include "layers/blob.h"
#include "layers/extent.h"
#include "layers/scope.h"
#include "parser/dockerfile.h"

bool is_web_address(const char *text)
{
	return strncmp(text, "http://", 7) == 0 || strncmp(text, "https://", 8) == 0;
}

/* The path of a file in the store's tmp/. */
static char *path_of(const struct store_temp *temp)
{
	char link[64], folder[PATH_MAX];
	char *path = NULL;
	ssize_t size;

	snprintf(link, sizeof link, "/proc/self/fd/%d", temp->dir);
	size = readlink(link, folder, sizeof folder);
	if (size < 0 || (size_t)size == sizeof folder ||
	    asprintf(&path, "%.*s/%s", (int)size, folder, temp->name) < 0)
		return NULL;
	return path;
}

/* All of FD from its beginning, as a Dockerfile. */
static int take_dockerfile(int fd, struct context_source *place, struct error *e)
{
	struct stat st;
	size_t used = 0;

	if (fstat(fd, &st) < 0)
		return error_errno(e, "stat what came as a context");
	if (st.st_size > DOCKERFILE_SIZE_MAX)
		return error_set(e, ERROR_INPUT, "what came as a context is no archive, and too large "
		                 "for a Dockerfile");
	place->dockerfile = malloc((size_t)st.st_size + 1);
	if (!place->dockerfile)
		return error_memory(e);
	while (used < (size_t)st.st_size) {
		ssize_t n = pread(fd, place->dockerfile + used, (size_t)st.st_size - used, (off_t)used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return error_errno(e, "read what came as a context");
		used += (size_t)n;
	}
	place->dockerfile[used] = '\0';
	place->dockerfile_size = used;
	return 0;
}

/* A stream that has come: an archive or a Dockerfile. */
static int take_stream(struct store *s, int fd, struct context_source *place, struct error *e)
{
	int unpacked = tar_context_unpack(s, fd, &place->temp, &place->modified, e);

	if (unpacked < 0)
		return error_context(e, "unable to prepare context");
	if (unpacked == 0)
		return take_dockerfile(fd, place, e);
	place->temporary = true;
	place->folder = path_of(&place->temp);
	return place->folder ? 0 : error_memory(e);
}

/* Fetch URL; what came is *D and the descriptor returned, or -1 and E. */
static int fetch(const char *url, const struct digest *want, struct store *s, struct download *d,
                 struct error *e)
{
	return download(s, url, NULL, want, NULL, NULL, d, e) < 0 ? -1 :
	       blob_open(s, &d->digest, d->size, e);
}

static int from_url(const char *url, struct store *s, struct context_source *place,
                    struct error *e)
{
	struct download got;
	auto_close int fd = fetch(url, NULL, s, &got, e);

	if (fd < 0)
		return error_context(e, "unable to prepare context");
	if (take_stream(s, fd, place, e) < 0)
		return -1;
	if (got.modified >= 0)
		place->modified = got.modified;
	return 0;
}

int web_time(const char *url, const char *checksum, struct store *s, int64_t *seconds,
             struct error *e)
{
	struct store_temp unpacked;
	struct digest want;
	struct download got;
	auto_close int fd = -1;
	int archive;

	if (checksum && digest_parse(checksum, &want, e) < 0)
		return -1;
	fd = fetch(url, checksum ? &want : NULL, s, &got, e);
	if (fd < 0)
		return -1;
	*seconds = got.modified;
	if (*seconds >= 0)
		return 0;
	archive = tar_context_unpack(s, fd, &unpacked, seconds, e);
	if (archive > 0)
		store_discard(&unpacked);
	return 0; /* a bad archive is a file like others here */
}

/* URL as the one file of a folder. */
static int file_of_url(const char *url, struct store *s, struct context_source *place,
                       struct error *e)
{
	struct download got;
	auto_close int fd = fetch(url, NULL, s, &got, e), dir = -1, file = -1;

	if (fd < 0)
		return -1;
	place->modified = got.modified;
	dir = store_temp_dir(s, &place->temp, e);
	if (dir < 0)
		return -1;
	place->temporary = true;
	file = openat(dir, "context", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (file < 0 || fchmod(file, 0600) < 0)
		return error_errno(e, "create its file");
	if (extent_copy(fd, 0, file, got.size, e) < 0)
		return -1;
	place->folder = path_of(&place->temp);
	return place->folder ? 0 : error_memory(e);
}

static int from_git(const char *text, bool keep_dir, struct store *s,
                    struct context_source *place, struct error *e)
{
	char commit[GIT_COMMIT];
	struct git_place git;
	bool known = git_place_parse(text, &git, e) == 0;

	if (keep_dir)
		git.keep_dir = 1;
	if (known && git_resolve(&git, NULL, commit, e) == 0)
		place->folder = git_checkout(s, &git, NULL, commit, &place->temp,
		                             &place->modified, e);
	git_place_release(&git);
	place->temporary = place->folder != NULL;
	return place->folder ? 0 : error_context(e, "%s", text);
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

int context_source_open(const char *text, const char *file, bool keep_git_dir, struct store *s,
                        struct context_source *place, struct error *e)
{
	*place = (struct context_source){ .modified = -1 };
	if (strcmp(text, "-") == 0) {
		auto_close int fd = -1;

		if (file && strcmp(file, "-") == 0)
			return error_set(e, ERROR_INPUT, "invalid argument: can't use stdin for both "
			                 "build context and dockerfile");
		fd = tar_context_spool(s, STDIN_FILENO, e);
		return fd < 0 ? -1 : take_stream(s, fd, place, e);
	}
	if (git_is_place(text))
		return from_git(text, keep_git_dir, s, place, e);
	return is_web_address(text) ? from_url(text, s, place, e) : from_folder(text, place, e);
}

int context_source_fetch(const char *address, struct store *s, struct context_source *place,
                         struct error *e)
{
	*place = (struct context_source){ .modified = -1 };
	return git_is_place(address) ? from_git(address, false, s, place, e)
	                             : file_of_url(address, s, place, e);
}

void context_source_release(struct context_source *place)
{
	if (place->temporary)
		store_discard(&place->temp);
	free(place->folder);
	free(place->dockerfile);
	*place = (struct context_source){ 0 };
}
