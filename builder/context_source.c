#include "builder/context_source.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/dockerfile_source.h"
#include "parser/dockerfile.h"
#include "registry/http.h"

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

/* Archives begin with what no Dockerfile begins with; a plain tar has its mark at byte 257. */
static bool is_archive(const char *bytes, size_t size)
{
	static const struct {
		const char *magic;
		size_t size;
	} kinds[] = {
		{ "\x1f\x8b", 2 }, { "BZh", 3 }, { "\xfd" "7zXZ", 5 }, { "\x28\xb5\x2f\xfd", 4 },
	};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (size > kinds[i].size && memcmp(bytes, kinds[i].magic, kinds[i].size) == 0)
			return true;
	return size >= 512 && memcmp(bytes + 257, "ustar", 5) == 0;
}

/* What came as a stream. BYTES are given away. */
static int take_stream(struct context_source *place, char *bytes, size_t size, struct error *e)
{
	if (is_archive(bytes, size)) {
		free(bytes);
		return error_set(e, ERROR_UNSUPPORTED, "a context that is an archive is not supported "
		                 "yet: unpack it and name the folder");
	}
	place->dockerfile = bytes;
	place->dockerfile_size = size;
	return 0;
}

static int from_url(const char *url, struct remote *r, struct context_source *place,
                    struct error *e)
{
	struct http_request q = HTTP_REQUEST("GET", url);
	struct http_response answer = { 0 };
	struct auth *auth = remote_auth(r, e);
	int result;

	q.limit = DOCKERFILE_SIZE_MAX;
	if (!auth || http_send(auth_http(auth), &q, &answer, e) < 0)
		return -1;
	if (answer.status == 200) {
		result = take_stream(place, answer.body, answer.body_size, e);
		answer.body = NULL;
	} else {
		result = error_set(e, ERROR_NETWORK, "%s: status %d", answer.url, answer.status);
	}
	http_release(&answer);
	return result;
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

int context_source_open(const char *text, const char *file, struct store *s, struct remote *r,
                        struct context_source *place, struct error *e)
{
	char *bytes;
	size_t size;

	(void)s;
	*place = (struct context_source){ 0 };
	if (strcmp(text, "-") == 0) {
		if (file && strcmp(file, "-") == 0)
			return error_set(e, ERROR_INPUT, "invalid argument: can't use stdin for both "
			                 "build context and dockerfile");
		bytes = stdin_read(DOCKERFILE_SIZE_MAX, &size, e);
		return bytes ? take_stream(place, bytes, size, e) : -1;
	}
	if (is_git(text))
		return error_set(e, ERROR_UNSUPPORTED, "a context that is a git repository is not "
		                 "supported yet: clone it and name the folder");
	return is_url(text) ? from_url(text, r, place, e) : from_folder(text, place, e);
}

void context_source_release(struct context_source *place)
{
	free(place->folder);
	free(place->dockerfile);
	if (place->temporary)
		store_discard(&place->temp);
	*place = (struct context_source){ 0 };
}
