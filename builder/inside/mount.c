#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <asm/stat.h>

#include "builder/inside/inside.h"

long new_mount(const char *type, const struct option *options, unsigned attributes)
{
	long context = sys(fsopen, type, FSOPEN_CLOEXEC), answer = 0, mount;

	if (context < 0)
		return context;
	sys(fsconfig, context, FSCONFIG_SET_STRING, "source", type, 0);
	for (; options && options->key && answer >= 0; options++)
		answer = sys(fsconfig, context, options->value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG,
		             options->key, options->value, 0);
	if (answer >= 0)
		answer = sys(fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
	mount = answer < 0 ? answer : sys(fsmount, context, FSMOUNT_CLOEXEC, attributes);
	sys(close, context);
	return mount;
}

long copy_mount(int dir, const char *name, bool all_below)
{
	return sys(open_tree, dir, name,
	           OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW |
	                   (all_below ? AT_RECURSIVE : 0));
}

long set_mount(int mount, unsigned attributes, bool all_below)
{
	struct mount_attr change = { .attr_set = attributes };

	return sys(mount_setattr, mount, "", AT_EMPTY_PATH | (all_below ? AT_RECURSIVE : 0), &change,
	           sizeof change);
}

long attach(int mount, int target)
{
	return sys(move_mount, mount, "", target, "",
	           MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH);
}

long open_beneath(int dir, const char *name, unsigned flags, unsigned mode, unsigned resolve)
{
	struct open_how how = { .flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve };
	long fd = 0;

	/* -EAGAIN: a rename elsewhere raced with "..", the kernel wants to be asked again. */
	for (int tries = 0; tries < 128; tries++) {
		fd = sys(openat2, dir, *name ? name : ".", &how, sizeof how);
		if (fd != -11)
			break;
	}
	return fd;
}

int open_place(const struct inside *in, const struct place *p)
{
	const char *path = at(in, p->path);
	bool chrooted = in->r->flags & REQUEST_CHROOT;
	struct stat st;
	/* Old containers filter openat2; the inode tells as well whether it is the right one. */
	long fd = must(chrooted ? sys(openat, AT_FDCWD, path, O_PATH | O_CLOEXEC)
	                        : open_beneath(AT_FDCWD, path, O_PATH, 0, RESOLVE_NO_SYMLINKS),
	               "open", path);

	must(sys(fstat, fd, &st), "stat", path);
	if (st.st_dev != p->device || st.st_ino != p->inode)
		fail(0, "somebody exchanged", path);
	return (int)fd;
}
