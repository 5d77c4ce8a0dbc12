#include "builder/command/dockerfile_source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/command/context_source.h"
#include "builder/copy/download.h"
#include "layers/blob.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "parser/dockerfile.h"

/* Twenty thousand patterns; more is an accident. */
#define IGNORE_SIZE_MAX (4 << 20)

char *stdin_read(size_t limit, size_t *size, struct error *e)
{
	size_t capacity = 1 << 16;
	char *text = malloc(capacity);

	*size = 0;
	while (text) {
		ssize_t n = read(STDIN_FILENO, text + *size, capacity - *size - 1);

		if (n == 0) {
			text[*size] = '\0';
			return text;
		}
		if (n < 0) {
			error_errno(e, "read standard input");
			free(text);
			return NULL;
		}
		*size += (size_t)n;
		if (*size > limit) {
			error_set(e, ERROR_INPUT, "standard input is larger than %zu bytes", limit);
			free(text);
			return NULL;
		}
		if (capacity - *size < 2) {
			char *grown = realloc(text, 2 * capacity);

			if (!grown)
				free(text);
			text = grown;
			capacity *= 2;
		}
	}
	error_memory(e);
	return NULL;
}

/* --- files ---------------------------------------------------------------------------------- */

/* A file of the user's: the folder under which it is opened, and its path there. */
struct place {
	int root;
	char *path;
};

/* PATH lies in FOLDER (both real): the rest of it, else NULL. */
static const char *within(const char *folder, const char *path)
{
	size_t length = strlen(folder);

	if (strncmp(folder, path, length) != 0)
		return NULL;
	if (path[length] == '/')
		return path + length + 1;
	return strcmp(folder, "/") == 0 ? path + 1 : path[length] ? NULL : "";
}

static int open_root(struct place *place, const char *folder, const char *path,
                     struct error *e)
{
	place->root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (place->root < 0)
		return error_errno(e, "open %s", folder);
	place->path = strdup(path);
	return place->path ? 0 : error_memory(e);
}

/* Where FILE is: beneath the context when it lies there, else beneath its own folder. */
static int find_place(const char *folder, const char *file, struct place *place, struct error *e)
{
	const char *slash = strrchr(file, '/'), *name = slash ? slash + 1 : file, *rest;
	auto_free char *above = slash ? strndup(file, (size_t)(slash - file) + (slash == file))
	                              : strdup(".");
	auto_free char *real = NULL, *real_folder = NULL, *path = NULL;

	if (!above)
		return error_memory(e);
	if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return error_set(e, ERROR_INPUT, "open %s: is a folder", file);
	real = realpath(above, NULL);
	real_folder = folder ? realpath(folder, NULL) : NULL;
	if (!real)
		return error_errno(e, "open %s", file);
	rest = real_folder ? within(real_folder, real) : NULL;
	if (!rest)
		return open_root(place, real, name, e);
	if (asprintf(&path, "%s%s%s", rest, *rest ? "/" : "", name) < 0) {
		path = NULL;
		return error_memory(e);
	}
	return open_root(place, real_folder, path, e);
}

static void place_release(struct place *place)
{
	if (place->root >= 0)
		close(place->root);
	free(place->path);
}

/* The default name is looked for in lower case too. */
static int read_default(struct dockerfile_source *source, struct place *place, struct error *e)
{
	struct error missing = { 0 };

	source->text = path_read(place->root, "Dockerfile", DOCKERFILE_SIZE_MAX, &source->size, e);
	if (source->text || e->kind != ERROR_NOT_FOUND)
		return source->text ? 0 : -1;
	source->text = path_read(place->root, "dockerfile", DOCKERFILE_SIZE_MAX, &source->size,
	                         &missing);
	if (!source->text)
		return missing.kind == ERROR_NOT_FOUND
		               ? error_set(e, ERROR_NOT_FOUND,
		                           "open Dockerfile: no such file or directory")
		               : (*e = missing, -1);
	free(source->name);
	free(place->path);
	source->name = strdup("dockerfile");
	place->path = strdup("dockerfile");
	return source->name && place->path ? 0 : error_memory(e);
}

/* FOUND says whether there is such a file, good or bad. */
static int read_rules(int root, const char *path, struct ignore **rules, bool *found,
                      struct error *e)
{
	struct syntax_error wrong;
	size_t size;
	auto_free char *text = path_read(root, path, IGNORE_SIZE_MAX, &size, e);

	*found = text || e->kind != ERROR_NOT_FOUND;
	if (!text)
		return *found ? -1 : 0;
	*rules = ignore_parse(text, size, &wrong);
	if (!*rules)
		return error_set(e, ERROR_INPUT, "%s:%d: %s", path, wrong.line, wrong.text);
	return ignore_set_file(*rules, path) ? 0 : error_memory(e);
}

int dockerignore_read(const char *folder, struct ignore **rules, struct error *e)
{
	auto_close int root = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool found;

	*rules = NULL;
	if (root < 0)
		return error_errno(e, "open %s", folder);
	return read_rules(root, ".dockerignore", rules, &found, e);
}

/* NAME.dockerignore beside the Dockerfile counts before the context's .dockerignore. */
static int read_ignores(struct dockerfile_source *source, const char *folder,
                        const struct place *place, struct error *e)
{
	auto_free char *beside = NULL;
	bool found = false;

	if (!folder)
		return 0;
	if (place && asprintf(&beside, "%s.dockerignore", place->path) < 0) {
		beside = NULL;
		return error_memory(e);
	}
	if (beside && read_rules(place->root, beside, &source->ignore, &found, e) < 0)
		return -1;
	return found ? 0 : dockerignore_read(folder, &source->ignore, e);
}

/* FILE is a path in FOLDER, wherever this process is. */
static int place_within(const char *folder, const char *file, struct place *place, struct error *e)
{
	auto_free char *clean = path_clean(file);

	return clean ? open_root(place, folder, clean + 1, e) : error_memory(e);
}

static int read_file(struct dockerfile_source *source, const char *folder, bool fetched,
                     const char *file, struct error *e)
{
	struct place place = { .root = -1 };
	const char *name;
	int result;

	if (!file && !folder)
		return error_set(e, ERROR_NOT_FOUND, "failed to read dockerfile: open Dockerfile: no "
		                 "such file or directory");
	if (!file)
		result = open_root(&place, folder, "Dockerfile", e);
	else if (fetched && *file != '/')
		result = place_within(folder, file, &place, e);
	else
		result = find_place(folder, file, &place, e);
	if (result == 0) {
		name = strrchr(place.path, '/');
		source->name = strdup(name ? name + 1 : place.path);
		result = source->name ? 0 : error_memory(e);
	}
	if (result == 0 && file) {
		source->text = path_read(place.root, place.path, DOCKERFILE_SIZE_MAX, &source->size, e);
		result = source->text ? 0 : -1;
	} else if (result == 0) {
		result = read_default(source, &place, e);
	}
	if (result < 0)
		error_context(e, "failed to read dockerfile");
	else if (!fetched)
		result = read_ignores(source, folder, &place, e);
	place_release(&place);
	return result;
}

/* --- elsewhere ------------------------------------------------------------------------------ */

static int read_url(struct dockerfile_source *source, const char *url, struct store *s,
                    struct error *e)
{
	struct download got;

	if (download(s, url, NULL, NULL, NULL, NULL, &got, e) < 0)
		return -1;
	source->name = strdup("Dockerfile");
	if (!source->name)
		return error_memory(e);
	source->text = blob_read(s, &got.digest, DOCKERFILE_SIZE_MAX, &source->size, e);
	return source->text ? 0 : -1;
}

static int read_stdin(struct dockerfile_source *source, struct error *e)
{
	source->name = strdup("Dockerfile");
	if (!source->name)
		return error_memory(e);
	source->text = stdin_read(DOCKERFILE_SIZE_MAX, &source->size, e);
	return source->text ? 0 : -1;
}

static int identify(struct dockerfile_source *source, const char *folder, const char *file,
                    struct error *e)
{
	auto_free char *real = folder ? realpath(folder, NULL) : NULL;

	if (asprintf(&source->identity, "%s\n%s", real ? real : "", file ? file : "") < 0) {
		source->identity = NULL;
		return error_memory(e);
	}
	return 0;
}

int dockerfile_source_read(const char *folder, bool fetched, const char *file, struct store *s,
                           struct dockerfile_source *source, struct error *e)
{
	int result;

	*source = (struct dockerfile_source){ 0 };
	if (identify(source, folder, file, e) < 0)
		return -1;
	if (file && is_web_address(file))
		result = read_url(source, file, s, e);
	else if (file && strcmp(file, "-") == 0)
		result = read_stdin(source, e);
	else
		return read_file(source, folder, fetched, file, e);
	if (result < 0)
		return error_context(e, "failed to read dockerfile");
	return fetched ? 0 : read_ignores(source, folder, NULL, e);
}

int dockerfile_source_take(struct dockerfile_source *source, char **text, size_t size,
                           struct error *e)
{
	*source = (struct dockerfile_source){ .text = *text, .size = size };
	*text = NULL;
	source->name = strdup("Dockerfile");
	source->identity = strdup("");
	return source->name && source->identity ? 0 : error_memory(e);
}

void dockerfile_source_release(struct dockerfile_source *source)
{
	free(source->name);
	free(source->identity);
	free(source->text);
	ignore_free(source->ignore);
	*source = (struct dockerfile_source){ 0 };
}
