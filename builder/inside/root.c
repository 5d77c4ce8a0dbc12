#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/prctl.h>
#include <linux/mount.h>

#include "builder/inside/inside.h"

enum { EPERM = 1, EACCES = 13, EINVAL = 22, ENOSYS = 38, MNT_DETACH = 2 };

/* Before 6.7 all layers must fit one page: they get short names, links in a folder of the
 * workspace, which lead through our descriptors, so that no path of the store is read as options. */
static long overlay_by_names(struct inside *in, int store, struct strings lower, int upper,
                             int work)
{
	static unsigned overlays;
	char options[4096], text[PATH_SIZE];
	struct text o = { options, options + sizeof options }, t;
	const char *tree = at(in, lower.at);
	long names, answer, copy;

	t = (struct text) { text, text + sizeof text };
	text_add(&t, "names.");
	text_add_number(&t, overlays++);
	must(sys(mkdirat, in->workspace, text, 0700), "create", text);
	names = sys(openat, in->workspace, text, O_PATH | O_DIRECTORY | O_CLOEXEC);
	must(names, "open", text);
	must(sys(fchdir, names), "enter", text);
	must(sys(mkdirat, AT_FDCWD, "merged", 0700), "create", "merged");
	text_add(&o, "redirect_dir=nofollow,metacopy=off,index=off,xino=off");
	if (in->r->flags & REQUEST_USERXATTR)
		text_add(&o, ",userxattr");
	if (upper >= 0) {
		text_add(&o, ",volatile,upperdir=/proc/self/fd/");
		text_add_number(&o, (uint64_t)upper);
		text_add(&o, ",workdir=/proc/self/fd/");
		text_add_number(&o, (uint64_t)work);
	}
	text_add(&o, ",lowerdir=");
	for (uint32_t i = 0; i < lower.count; i++, tree += strlen(tree) + 1) {
		char name[12];
		struct text n = { name, name + sizeof name };

		text_add_number(&n, i);
		t = (struct text) { text, text + sizeof text };
		text_add(&t, "/proc/self/fd/");
		text_add_number(&t, (uint64_t)store);
		text_add(&t, "/");
		text_add(&t, tree);
		must(sys(symlinkat, text, AT_FDCWD, name), "create", name);
		text_add(&o, i > 0 ? ":" : "");
		text_add(&o, name);
	}
	if (upper < 0 || lower.count == 0) {
		text_add(&o, lower.count > 0 ? ":" : "");
		text_add(&o, "../empty");
	}
	if (o.at + 1 >= o.end)
		fail(0, "too many layers for this kernel", "");
	answer = sys(mount, "overlay", "merged", "overlay", 0, options);
	if (answer < 0)
		return answer;
	copy = copy_mount(AT_FDCWD, "merged", false);
	sys(umount2, "merged", MNT_DETACH);
	sys(close, names);
	return copy;
}

/* Each layer is a call of its own, with its path relative to the store: hundreds of them fit, and
 * no character of a path means anything. */
static long overlay(struct inside *in, int store, struct strings lower, int upper, int work)
{
	static const struct option fixed[] = {
		/* A layer must mean the same everywhere: nothing in it may refer to another one. */
		{ "redirect_dir", "nofollow" }, { "metacopy", "off" }, { "index", "off" },
		{ "xino", "off" },
		/* Else each unmount would sync the whole disk; the store syncs once, at its end. */
		{ "volatile", NULL },
	};
	const char *tree = at(in, lower.at);
	long context = sys(fsopen, "overlay", FSOPEN_CLOEXEC), answer = 0, mount;

	if (context < 0)
		return context;
	sys(fsconfig, context, FSCONFIG_SET_STRING, "source", "overlay", 0);
	for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++) {
		if (!fixed[i].value && upper < 0)
			continue;
		answer = sys(fsconfig, context,
		             fixed[i].value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, fixed[i].key,
		             fixed[i].value, 0);
		if (answer < 0)
			return answer;
	}
	if (in->r->flags & REQUEST_USERXATTR)
		answer = sys(fsconfig, context, FSCONFIG_SET_FLAG, "userxattr", 0, 0);
	if (answer >= 0 && upper >= 0) {
		sys(fchdir, upper);
		answer = sys(fsconfig, context, FSCONFIG_SET_STRING, "upperdir", ".", 0);
		sys(fchdir, work);
		if (answer >= 0)
			answer = sys(fsconfig, context, FSCONFIG_SET_STRING, "workdir", ".", 0);
	}
	sys(fchdir, store);
	for (uint32_t i = 0; answer >= 0 && i < lower.count; i++, tree += strlen(tree) + 1)
		answer = sys(fsconfig, context, FSCONFIG_SET_STRING, "lowerdir+", tree, 0);
	/* One lower and no upper is not enough for the kernel, and no lower at all never is. */
	if (answer >= 0 && (upper < 0 || lower.count == 0)) {
		sys(fchdir, in->workspace);
		answer = sys(fsconfig, context, FSCONFIG_SET_STRING, "lowerdir+", "empty", 0);
	}
	if (answer >= 0)
		answer = sys(fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
	mount = answer < 0 ? answer : sys(fsmount, context, FSMOUNT_CLOEXEC, 0);
	sys(close, context);
	return mount;
}

int root_merge(struct inside *in, struct strings lower, int upper, int work)
{
	int store = open_place(in, &in->r->store);
	long mount = in->r->flags & REQUEST_OLD_OVERLAY
	                     ? overlay_by_names(in, store, lower, upper, work)
	                     : overlay(in, store, lower, upper, work);

	if (mount < 0)
		fail_as(REPLY_NO_OVERLAY, mount, "mount an overlay", "");
	sys(close, store);
	return (int)mount;
}

/* Namespaces without the right to mount are of no use. */
static long must_mount(long answer, const char *what)
{
	if (answer == -EPERM || answer == -EACCES)
		fail_as(REPLY_NO_MOUNTS, answer, what, "");
	return must(answer, what, "");
}

/* Filters of containers, and old kernels, lack calls that a world is made with. That is found out before
 * anything is made: asked for nothing, a call that is there has something else to say. */
static void look_for_calls(void)
{
	static const struct {
		const char *name;
		long number;
	} calls[] = {
		{ "openat2", __NR_openat2 }, { "fsopen", __NR_fsopen }, { "open_tree", __NR_open_tree },
		{ "move_mount", __NR_move_mount }, { "mount_setattr", __NR_mount_setattr },
		{ "pivot_root", __NR_pivot_root },
	};

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
		long answer = sys6(calls[i].number, -1, 0, 0, 0, 0, 0);

		if (answer == -ENOSYS || answer == -EPERM)
			fail_as(REPLY_NO_MOUNTS, answer, "the system call", calls[i].name);
	}
}

void root_make(struct inside *in)
{
	/* Contents of secrets live here. noswap is 6.4 and not for user namespaces. */
	static const struct option memory[] = {
		{ "mode", "0700" }, { "noswap", NULL }, { NULL, NULL } };
	static const struct option old_memory[] = { { "mode", "0700" }, { NULL, NULL } };
	const struct request *r = in->r;
	long target, private;

	/* What is mounted from here on is seen by nobody else. In a chroot the mount that holds "/" is
	 * out of reach, and so is a root of our own (pivot_root). */
	private = sys(mount, "", "/", "", MS_REC | MS_PRIVATE, 0);
	if (private == -EINVAL)
		fail_as(REPLY_NO_MOUNTS, 0, "cairn runs in a chroot, whose / is no mount point", "");
	must_mount(private, "make mounts private");
	look_for_calls();
	in->workspace = (int)new_mount("tmpfs", memory, MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID);
	if (in->workspace < 0)
		in->workspace = (int)must_mount(new_mount("tmpfs", old_memory,
		                                          MOUNT_ATTR_NODEV | MOUNT_ATTR_NOSUID),
		                                "mount a tmpfs");
	must(sys(mkdirat, in->workspace, "root", 0755), "create", "root");
	must(sys(mkdirat, in->workspace, "empty", 0555), "create", "empty");
	target = must(sys(openat, AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC), "open", "/");
	must(attach(in->workspace, (int)target), "attach the workspace on", "/");
	sys(close, target);
	in->upper = open_place(in, &r->upper);
	if (r->flags & REQUEST_COPY) {
		in->root = (int)must(copy_mount(in->upper, "", false), "bind",
		                     at(in, r->upper.path));
	} else {
		/* The kernel makes "work" in it; what inner overlays want has other names. */
		int work = open_place(in, &r->work);

		in->root = root_merge(in, r->lower, in->upper, work);
		sys(close, work);
	}
	/* Device nodes that a command makes land in its layer, but open nothing. */
	if (!(r->flags & REQUEST_INSECURE))
		must(set_mount(in->root, MOUNT_ATTR_NODEV, false), "forbid devices on", "/");
	target = must(sys(openat, in->workspace, "root", O_PATH | O_DIRECTORY | O_CLOEXEC), "open",
	              "root");
	must(attach(in->root, (int)target), "attach", "/");
	sys(close, target);
}

void root_enter(struct inside *in)
{
	must(sys(fchdir, in->root), "enter", "/");
	/* The old root is put on top of the new one, our workspace on top of that: both go. */
	must(sys(pivot_root, ".", "."), "pivot_root", "");
	must(sys(umount2, ".", MNT_DETACH), "unmount", "the workspace");
	must(sys(umount2, ".", MNT_DETACH), "unmount the host's", "/");
	must(sys(chdir, "/"), "enter", "/");
}
