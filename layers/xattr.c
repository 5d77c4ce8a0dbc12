#include "layers/xattr.h"

#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>

#include "layers/memory_stream.h"
#include "layers/owner.h"
#include "layers/scope.h"

#define CAPABILITY "security.capability"

/* The kernel's own ceilings: XATTR_LIST_MAX, XATTR_SIZE_MAX. */
#define LIST_MAX (64 << 10)
#define VALUE_MAX (64 << 10)

bool xattr_is_kept(const char *name)
{
	if (strcmp(name, CAPABILITY) == 0)
		return true;
	return strncmp(name, "user.", 5) == 0 && strncmp(name, "user.overlay.", 13) != 0 &&
	       strcmp(name, OWNER_ATTRIBUTE) != 0;
}

bool xattr_next(const struct entry *entry, struct xattr *x)
{
	const char *at = x->name ? (const char *)x->value + x->size : entry->xattrs;

	if (entry->xattrs_size == 0 || at >= (const char *)entry->xattrs + entry->xattrs_size)
		return false;
	x->name = at;
	at += strlen(at) + 1;
	memcpy(&x->size, at, sizeof x->size);
	x->value = at + sizeof x->size;
	return true;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct xattr *)a)->name, ((const struct xattr *)b)->name);
}

/* Version 3 is version 2 with the user namespace's owner behind it. */
static void put_capability(FILE *f, const struct xattr *x)
{
	struct vfs_ns_cap_data cap = { 0 };
	uint32_t size = x->size;

	memcpy(&cap, x->value, size < sizeof cap ? size : sizeof cap);
	if (size == XATTR_CAPS_SZ_3 &&
	    (cap.magic_etc & VFS_CAP_REVISION_MASK) == VFS_CAP_REVISION_3) {
		cap.magic_etc = VFS_CAP_REVISION_2 | (cap.magic_etc & VFS_CAP_FLAGS_MASK);
		size = XATTR_CAPS_SZ_2;
		fwrite(&size, sizeof size, 1, f);
		fwrite(&cap, size, 1, f);
	} else {
		fwrite(&size, sizeof size, 1, f);
		fwrite(x->value, size, 1, f);
	}
}

int xattr_pack(struct xattr *x, size_t count, void **bytes, uint32_t *size, struct error *e)
{
	char *packed = NULL;
	size_t used = 0;
	FILE *f = NULL;

	*bytes = NULL;
	*size = 0;
	if (count > 0)
		qsort(x, count, sizeof *x, by_name);
	for (size_t i = 0; i < count; i++) {
		if (!xattr_is_kept(x[i].name))
			continue;
		if (!f && !(f = memory_stream_open(&packed, &used)))
			return error_memory(e);
		fwrite(x[i].name, strlen(x[i].name) + 1, 1, f);
		if (strcmp(x[i].name, CAPABILITY) == 0) {
			put_capability(f, &x[i]);
		} else {
			fwrite(&x[i].size, sizeof x[i].size, 1, f);
			fwrite(x[i].value, x[i].size, 1, f);
		}
	}
	if (!f)
		return 0;
	if (fclose(f) != 0) {
		free(packed);
		return error_memory(e);
	}
	*bytes = packed;
	*size = (uint32_t)used;
	return 0;
}

static int list_names(int fd, const char *what, char **names, struct error *e)
{
	char few[256];
	ssize_t length = flistxattr(fd, few, sizeof few);

	*names = NULL;
	if (length == 0 || (length < 0 && errno == ENOTSUP))
		return 0;
	if (length < 0 && errno != ERANGE)
		return error_errno(e, "list the attributes of %s", what);
	*names = malloc(LIST_MAX);
	if (!*names)
		return error_memory(e);
	length = flistxattr(fd, *names, LIST_MAX);
	if (length < 0)
		return error_errno(e, "list the attributes of %s", what);
	return (int)length;
}

/* The value of NAME, in memory of its own. 0 when it went away meanwhile. */
static int read_value(int fd, const char *what, const char *name, char *buffer, struct xattr *x,
                      struct error *e)
{
	ssize_t n = fgetxattr(fd, name, buffer, VALUE_MAX);
	void *value;

	if (n < 0 && errno == ENODATA)
		return 0;
	if (n < 0)
		return error_errno(e, "read the attribute %s of %s", name, what);
	value = malloc((size_t)n + 1);
	if (!value)
		return error_memory(e);
	*x = (struct xattr){ name, memcpy(value, buffer, (size_t)n), (uint32_t)n };
	return 1;
}

int xattr_read(int fd, const char *what, void **bytes, uint32_t *size, struct error *e)
{
	auto_free char *names = NULL;
	auto_free char *buffer = NULL;
	auto_free struct xattr *x = NULL;
	int length = list_names(fd, what, &names, e), result = length < 0 ? -1 : 0;
	size_t count = 0;

	*bytes = NULL;
	*size = 0;
	if (length <= 0)
		return result;
	for (const char *name = names; name < names + length; name += strlen(name) + 1)
		count += xattr_is_kept(name);
	if (count == 0)
		return 0;
	x = calloc(count, sizeof *x);
	buffer = malloc(VALUE_MAX);
	if (!x || !buffer)
		return error_memory(e);
	count = 0;
	for (const char *name = names; result >= 0 && name < names + length; name += strlen(name) + 1) {
		if (xattr_is_kept(name))
			result = read_value(fd, what, name, buffer, &x[count], e);
		count += result > 0 && xattr_is_kept(name);
	}
	if (result >= 0)
		result = xattr_pack(x, count, bytes, size, e);
	for (size_t i = 0; i < count; i++)
		free((void *)x[i].value);
	return result;
}

int xattr_write(int fd, const struct entry *entry, bool all, struct error *e)
{
	struct xattr x = { .name = NULL };

	while (xattr_next(entry, &x)) {
		bool needed = all && strncmp(x.name, "user.", 5) != 0;

		if (!xattr_is_kept(x.name) || fsetxattr(fd, x.name, x.value, x.size, 0) == 0)
			continue;
		if (needed || (errno != ENOTSUP && errno != EPERM))
			return error_errno(e, "attribute %s", x.name);
	}
	return 0;
}

int xattr_read_overlay(int fd, bool user_xattrs, const char *what, struct xattr_overlay *overlay,
                       struct error *e)
{
	const char *prefix = user_xattrs ? "user.overlay." : "trusted.overlay.";
	auto_free char *names = NULL;
	int length = list_names(fd, what, &names, e);

	*overlay = (struct xattr_overlay){ .opaque = false };
	if (length <= 0)
		return length;
	for (const char *name = names; name < names + length; name += strlen(name) + 1) {
		const char *key = name + strlen(prefix);
		char value = '\0';

		if (strncmp(name, prefix, strlen(prefix)) != 0)
			continue;
		if (strcmp(key, "opaque") == 0 && fgetxattr(fd, name, &value, 1) == 1)
			overlay->opaque = value == 'y'; /* 'x' says that there are whiteout files inside */
		overlay->whiteout |= strcmp(key, "whiteout") == 0;
		overlay->partial |= strcmp(key, "metacopy") == 0 || strcmp(key, "redirect") == 0;
	}
	return 0;
}
