#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/stack_parts.h"

/* As the kernel: more links than this in one path are a cycle (H066). */
#define LINKS_MAX 40

/* What is left to resolve, and where we are. */
struct resolution {
	char *done; /* a table path without links */
	char *rest;
	int links;
};

static void go_up(char *path)
{
	char *slash = strrchr(path, '/');

	*(slash ? slash : path) = '\0';
}

/* Put the text of the link NEXT in front of what is left. */
static int enter_link(struct resolution *r, const struct found *link, struct error *e)
{
	char *rest;

	if (++r->links > LINKS_MAX) {
		errno = ELOOP;
		return error_errno(e, "/%s", link->entry.path);
	}
	/* What is left begins with a slash, if anything is. */
	if (asprintf(&rest, "%s%s", link->entry.link, r->rest) < 0)
		return error_memory(e);
	if (link->entry.link[0] == '/')
		r->done[0] = '\0';
	free(r->rest);
	r->rest = rest;
	return 0;
}

/* Take the first component off REST. False when there is none. */
static bool next_component(struct resolution *r, char **component, bool *is_last, struct error *e)
{
	char *start = r->rest + strspn(r->rest, "/");
	size_t length = strcspn(start, "/");

	*component = NULL;
	if (length == 0)
		return false;
	*component = strndup(start, length);
	if (!*component) {
		error_memory(e);
		return false;
	}
	*is_last = start[length] == '\0';
	memmove(r->rest, start + length, strlen(start + length) + 1);
	return true;
}

static int append(struct resolution *r, const char *component, struct error *e)
{
	char *longer;

	if (asprintf(&longer, "%s%s%s", r->done, *r->done ? "/" : "", component) < 0)
		return error_memory(e);
	free(r->done);
	r->done = longer;
	return 0;
}

/* One component further. A link is followed when something comes after it ("link/" too). */
static int step(struct stack *st, struct resolution *r, const char *component, bool follow,
                struct error *e)
{
	struct found found;
	int there;

	if (strcmp(component, ".") == 0)
		return 0;
	if (strcmp(component, "..") == 0) {
		go_up(r->done);
		return 0;
	}
	if (append(r, component, e) < 0)
		return -1;
	there = stack_lookup(st, r->done, &found, e);
	if (there <= 0 || found.entry.type == ENTRY_DIR)
		return there < 0 ? -1 : 0;
	if (found.entry.type != ENTRY_SYMLINK) {
		if (*r->rest)
			return error_set(e, ERROR_INPUT, "/%s is not a directory", r->done);
		return 0;
	}
	if (!follow)
		return 0;
	go_up(r->done);
	return enter_link(r, &found, e);
}

int stack_resolve(struct stack *st, const char *path, bool follow_last, char **resolved,
                  struct found *found, struct error *e)
{
	struct resolution r = { .done = strdup(""), .rest = strdup(path) };
	char *component;
	bool is_last;
	int result = 0;

	if (!r.done || !r.rest)
		result = error_memory(e);
	else
		result = stack_make_ready(st, e);
	while (result == 0 && next_component(&r, &component, &is_last, e)) {
		result = step(st, &r, component, !is_last || follow_last, e);
		free(component);
	}
	if (result == 0 && r.rest[strspn(r.rest, "/")])
		result = -1; /* next_component found no memory */
	free(r.rest);
	if (result == 0)
		result = stack_lookup(st, r.done, found, e);
	if (result < 0)
		free(r.done);
	else
		*resolved = r.done;
	return result;
}
