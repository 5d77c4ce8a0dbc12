/* The mounts that RUN --mount asks for, and the files that cairn itself gives. */
#include <linux/fcntl.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <linux/un.h>
#include <asm/stat.h>

#include "builder/inside/inside.h"

enum { S_KIND = 0170000, S_DIRECTORY = 0040000 };
enum { AF_UNIX = 1, SOCK_STREAM = 1, SOCK_CLOEXEC = 02000000 };

/* A file or directory of our own in the workspace, numbered like its mount: "KIND.NUMBER". */
static const char *own_name(const char *kind, uint32_t number)
{
	char *name = take_memory(32);
	struct text t = { name, name + 32 };

	text_add(&t, kind);
	text_add(&t, ".");
	text_add_number(&t, number);
	return name;
}

static int make_directory(int dir, const char *name)
{
	must(sys(mkdirat, dir, name, 0755), "create", name);
	return (int)must(sys(openat, dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "open",
	                 name);
}

static int make_file(struct inside *in, const struct mount *m, uint32_t number)
{
	const char *name = own_name("file", number), *data = at(in, m->data);
	long fd = must(sys(openat, in->workspace, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600),
	               "create", at(in, m->target));

	for (uint64_t left = m->size; left > 0;) {
		long n = must(sys(write, fd, data, left), "write", at(in, m->target));

		data += n;
		left -= (uint64_t)n;
	}
	must(sys(fchown, fd, m->uid, m->gid), "chown", at(in, m->target));
	must(sys(fchmod, fd, m->mode), "chmod", at(in, m->target));
	sys(close, fd);
	return (int)must(copy_mount(in->workspace, name, false), "bind", at(in, m->target));
}

static int make_tmpfs(struct inside *in, const struct mount *m)
{
	char size[32], mode[32];
	struct text size_text = { size, size + sizeof size }, mode_text = { mode, mode + sizeof mode };
	const struct option options[] = { { "mode", mode }, { "size", size }, { NULL, NULL } };

	/* Octal is what the kernel reads. */
	for (int shift = 9; shift >= 0; shift -= 3)
		text_add_number(&mode_text, m->mode >> shift & 7);
	text_add_number(&size_text, m->size);
	return (int)must(new_mount("tmpfs", options, 0), "mount", at(in, m->target));
}

/* An image as it is. What is written goes to a directory beside the step's own and is forgotten. */
static int make_image(struct inside *in, const struct mount *m, uint32_t number)
{
	const char *subpath = at(in, m->subpath);
	int base, upper = -1, work = -1, image, merged, copy;
	long found;

	if (!(m->flags & MOUNT_READ_ONLY)) {
		base = open_place(in, &in->r->work);
		upper = make_directory(base, own_name("upper", number));
		work = make_directory(base, own_name("work", number));
	}
	image = root_merge(in, m->lower, upper, work);
	/* A part of it can be mounted only once the whole is in the tree. */
	merged = make_directory(in->workspace, own_name("image", number));
	must(attach(image, merged), "attach", subpath);
	found = must(open_beneath(image, subpath, O_PATH, 0, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS),
	             "open", subpath);
	copy = (int)must(copy_mount((int)found, "", false), "bind", subpath);
	sys(close, found);
	sys(close, image);
	sys(close, merged);
	return copy;
}

/* A socket that cairn answers: it gets the listening end, and passes on what comes. */
static int make_agent(struct inside *in, const struct mount *m, uint32_t number)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct text t = { address.sun_path, address.sun_path + sizeof address.sun_path };
	const char *name = own_name("agent", number), *target = at(in, m->target);
	long fd = sys(socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	must(fd, "open a socket for", target);
	text_add(&t, name);
	must(sys(fchdir, in->workspace), "enter", "the workspace");
	must(sys(bind, fd, &address, sizeof address), "bind", target);
	must(sys(fchownat, in->workspace, name, m->uid, m->gid, AT_SYMLINK_NOFOLLOW), "chown", target);
	must(sys(fchmodat, in->workspace, name, m->mode), "chmod", target);
	must(sys(listen, fd, 16), "listen at", target);
	hand_over(REPLY_AGENT, (int)m->number, (int)fd, target);
	sys(close, fd);
	return (int)must(copy_mount(in->workspace, name, false), "bind", target);
}

static int make_bind(struct inside *in, const struct mount *m)
{
	int source = open_place(in, &m->source);
	int copy = (int)must(copy_mount(source, "", true), "bind", at(in, m->source.path));

	sys(close, source);
	return copy;
}

static int make(struct inside *in, const struct mount *m, uint32_t number)
{
	switch ((enum mount_kind)m->kind) {
	case MOUNT_BIND:
		return make_bind(in, m);
	case MOUNT_IMAGE:
		return make_image(in, m, number);
	case MOUNT_TMPFS:
		return make_tmpfs(in, m);
	case MOUNT_FILE:
		return make_file(in, m, number);
	case MOUNT_AGENT:
		return make_agent(in, m, number);
	}
	fail(0, "a mount of an unknown kind at", at(in, m->target));
}

void mounts_make(struct inside *in)
{
	const struct mount *m = at(in, in->r->mounts);

	for (uint32_t i = 0; i < in->r->mount_count; i++, m++) {
		const char *target = at(in, m->target);
		int mount = make(in, m, i), point;
		unsigned attributes = MOUNT_ATTR_NODEV;
		struct stat st;

		if (m->flags & MOUNT_READ_ONLY)
			attributes |= MOUNT_ATTR_RDONLY;
		if (m->kind == MOUNT_TMPFS || m->kind == MOUNT_FILE || m->kind == MOUNT_AGENT)
			attributes |= MOUNT_ATTR_NOSUID;
		if (m->flags & MOUNT_NOEXEC)
			attributes |= MOUNT_ATTR_NOEXEC;
		must(set_mount(mount, attributes, true), "set up the mount", target);
		must(sys(fstat, mount, &st), "stat", target);
		point = point_open(in, target,
		                   (st.st_mode & S_KIND) == S_DIRECTORY ? POINT_DIRECTORY : POINT_FILE,
		                   m->flags & MOUNT_OPTIONAL);
		if (point >= 0)
			point_cover(in, mount, point, target);
	}
}
