/* Extended attributes: which of them belong to an image, and how an entry holds them.
 *
 * An image keeps security.capability and user.*: what programs of the image can have meant.
 * Labels of this machine (security.selinux, security.ima), access lists, our own (owner.h), and
 * above all what steers overlayfs (trusted.overlay.*, user.overlay.*) neither leave a layer nor get
 * into one.
 *
 * Capabilities are kept in version 2: version 3 names the owner of a user namespace of this
 * machine and is ignored everywhere else (H106). Source: capabilities(7), linux/capability.h.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "layers/table.h"

struct xattr {
	const char *name;
	const void *value;
	uint32_t size;
};

/* Does an attribute of this NAME belong to an image? */
bool xattr_is_kept(const char *name);

/* Step X through ENTRY's attributes; begins when X->name is NULL. False after the last. */
bool xattr_next(const struct entry *entry, struct xattr *x);

/* COUNT attributes in an entry's form: sorted, those that are not kept left out, capabilities in
 * version 2. The caller frees *BYTES, NULL when there are none. */
int xattr_pack(struct xattr *x, size_t count, void **bytes, uint32_t *size, struct error *e);

/* The kept attributes of an open file (not O_PATH), packed. WHAT names it in errors. */
int xattr_read(int fd, const char *what, void **bytes, uint32_t *size, struct error *e);

/* Give the open file FD what ENTRY has. What its file system does not take is left out, but a program
 * without its capabilities would fail later, and nobody would know why (H105): with ALL that is an
 * error. Who may not change owners may not give capabilities either, and has been told. */
int xattr_write(int fd, const struct entry *entry, bool all, struct error *e);

/* What overlayfs noted on a file of an upper folder, in trusted.overlay.* or user.overlay.*. */
struct xattr_overlay {
	bool opaque;   /* nothing of lower layers shows in this directory */
	bool whiteout; /* this file stands for a deleted name */
	bool partial;  /* the content, or the name, is elsewhere: metacopy and redirect */
};

int xattr_read_overlay(int fd, bool user_xattrs, const char *what, struct xattr_overlay *overlay,
                       struct error *e);
