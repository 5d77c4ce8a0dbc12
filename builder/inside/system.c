/* /dev, /proc and /sys as every container has them.
 *
 * Source: the defaults of runc and containerd as BuildKit uses them: opencontainers/runtime-spec
 * config-linux.md "Default Devices", "Masked Paths", "Readonly Paths".
 */
#include <linux/fcntl.h>
#include <linux/if.h>
#include <linux/openat2.h>
#include <linux/sockios.h>
#include <linux/stat.h>
#include <asm/stat.h>

#include "builder/inside/inside.h"

enum { EPERM = 1, ENOENT = 2, EXDEV = 18, S_KIND = 0170000, S_CHARACTER = 0020000, S_BLOCK = 0060000 };

#define SEALED (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC)

struct node {
	const char *name;
	unsigned major, minor;
};

static const struct node nodes[] = {
	{ "null", 1, 3 }, { "zero", 1, 5 }, { "full", 1, 7 },
	{ "random", 1, 8 }, { "urandom", 1, 9 }, { "tty", 5, 0 },
};
enum { NODES = sizeof nodes / sizeof *nodes };

static uint64_t device(const struct node *n)
{
	return (n->minor & 0xff) | n->major << 8 | (uint64_t)(n->minor & ~0xffU) << 12;
}

static int mount_at(struct inside *in, const char *target, const char *type,
                    const struct option *options, unsigned attributes)
{
	int point = point_open(in, target, POINT_DIRECTORY, false);
	int mount = (int)must(new_mount(type, options, attributes), "mount", target);

	point_cover(in, mount, point, target);
	return mount;
}

/* Below a mount of ours: a name that is there once and for all, so no care is needed. */
static void mount_below(int dir, const char *name, const char *type, unsigned attributes,
                        const struct option *options, const struct option *simpler)
{
	long point, mount;

	must(sys(mkdirat, dir, name, 0755), "create", name);
	point = must(sys(openat, dir, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), "open",
	             name);
	mount = new_mount(type, options, attributes);
	if (mount < 0 && simpler)
		mount = new_mount(type, simpler, attributes);
	must(mount, "mount", name);
	must(attach((int)mount, (int)point), "attach", name);
	sys(close, mount);
	sys(close, point);
}

/* The host's own node, where a user namespace may not make one. */
static long host_node(const struct node *n)
{
	char path[64];
	struct text t = { path, path + sizeof path };
	struct stat st;
	long mount;

	text_add(&t, "/dev/");
	text_add(&t, n->name);
	mount = must(copy_mount(AT_FDCWD, path, false), "bind", path);
	must(sys(fstat, mount, &st), "stat", path);
	if ((st.st_mode & S_KIND) != S_CHARACTER || st.st_rdev != device(n))
		fail(0, "not the device it should be:", path);
	return mount;
}

/* The nodes are mounts of their own, so that /dev itself can be nodev: nothing that a command
 * makes with mknod can be opened, there as elsewhere. */
static void make_nodes(struct inside *in, int dev)
{
	long mount[NODES], point;
	bool own = true;

	for (int i = 0; i < NODES; i++) {
		own = own && sys(mknodat, dev, nodes[i].name, S_CHARACTER | 0666, device(&nodes[i])) >= 0;
		if (!own)
			must(sys(openat, dev, nodes[i].name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666),
			     "create", nodes[i].name);
		mount[i] = own ? must(copy_mount(dev, nodes[i].name, false), "bind", nodes[i].name)
		               : host_node(&nodes[i]);
	}
	if (!(in->r->flags & REQUEST_INSECURE))
		must(set_mount(dev, MOUNT_ATTR_NODEV, false), "forbid devices on", "/dev");
	for (int i = 0; i < NODES; i++) {
		point = must(sys(openat, dev, nodes[i].name, O_PATH | O_NOFOLLOW | O_CLOEXEC), "open",
		             nodes[i].name);
		must(attach((int)mount[i], (int)point), "attach", nodes[i].name);
		sys(close, point);
	}
	in->null = (int)mount[0];
	for (int i = 1; i < NODES; i++)
		sys(close, mount[i]);
}

/* What an insecure step may use besides, where the host has it. */
static void make_more_nodes(int dev)
{
	static const char *const more[] = {
		"kmsg", "fuse", "kvm", "net/tun", "loop-control", "loop0", "loop1", "loop2", "loop3",
		"loop4", "loop5", "loop6", "loop7",
	};
	struct stat st;
	long host;

	for (size_t i = 0; i < sizeof more / sizeof *more; i++) {
		char path[64];
		struct text t = { path, path + sizeof path };

		text_add(&t, "/dev/");
		text_add(&t, more[i]);
		host = sys(openat, AT_FDCWD, path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
		if (host < 0)
			continue;
		must(sys(fstat, host, &st), "stat", path);
		sys(close, host);
		if (strcmp(more[i], "net/tun") == 0)
			sys(mkdirat, dev, "net", 0755);
		if ((st.st_mode & S_KIND) == S_CHARACTER || (st.st_mode & S_KIND) == S_BLOCK)
			sys(mknodat, dev, more[i], st.st_mode, st.st_rdev);
	}
}

static void mount_dev(struct inside *in)
{
	static const struct option dev_options[] = {
		{ "mode", "0755" }, { "size", "65536k" }, { NULL, NULL } };
	static const struct option pts_options[] = {
		{ "newinstance", NULL }, { "ptmxmode", "0666" }, { "mode", "0620" }, { "gid", "5" },
		{ NULL, NULL } };
	static const struct option own_pts_options[] = {
		{ "newinstance", NULL }, { "ptmxmode", "0666" }, { "mode", "0620" }, { NULL, NULL } };
	static const char *const links[][2] = {
		{ "/proc/self/fd", "fd" }, { "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
		{ "/proc/self/fd/2", "stderr" }, { "pts/ptmx", "ptmx" },
	};
	char size[32];
	struct text t = { size, size + sizeof size };
	const struct option shm_options[] = { { "mode", "1777" }, { "size", size }, { NULL, NULL } };
	int dev = mount_at(in, "/dev", "tmpfs", dev_options,
	                   MOUNT_ATTR_NOSUID | MOUNT_ATTR_STRICTATIME);

	text_add_number(&t, in->r->shm_size);
	if (in->r->flags & REQUEST_INSECURE)
		make_more_nodes(dev);
	make_nodes(in, dev);
	for (size_t i = 0; i < sizeof links / sizeof *links; i++)
		must(sys(symlinkat, links[i][0], dev, links[i][1]), "create", links[i][1]);
	/* In a user namespace group 5 may not exist. */
	mount_below(dev, "pts", "devpts", SEALED & ~MOUNT_ATTR_NODEV, pts_options, own_pts_options);
	if (in->r->flags & REQUEST_TERMINAL)
		terminal_make(in, dev, "pts/ptmx");
	mount_below(dev, "shm", "tmpfs", SEALED, shm_options, NULL);
	mount_below(dev, "mqueue", "mqueue", SEALED, NULL, NULL);
}

/* What is at NAME in our own procfs or sysfs: never a link, never another filesystem; what a
 * container has put on it already is EXDEV. */
static long open_own(int dir, const char *name)
{
	return open_beneath(dir, name, O_PATH | O_NOFOLLOW, 0,
	                    RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_XDEV);
}

/* Nothing can be read from NAME any more: an empty directory, or /dev/null. */
static void mask(struct inside *in, int dir, const char *name)
{
	long point = open_own(dir, name), cover;
	struct stat st;

	if (point == -ENOENT || point == -EXDEV)
		return;
	must(point, "open", name);
	must(sys(fstat, point, &st), "stat", name);
	if ((st.st_mode & S_KIND) == 0040000) {
		cover = must(copy_mount(in->workspace, "empty", false), "bind", "an empty directory");
		must(set_mount((int)cover, SEALED | MOUNT_ATTR_RDONLY, false), "seal", name);
	} else {
		cover = must(copy_mount(in->null, "", false), "bind", "/dev/null");
	}
	must(attach((int)cover, (int)point), "mask", name);
	sys(close, cover);
	sys(close, point);
}

static void make_read_only(int dir, const char *name)
{
	long point = open_own(dir, name), copy;

	if (point == -ENOENT || point == -EXDEV)
		return;
	must(point, "open", name);
	copy = must(copy_mount((int)point, "", false), "bind", name);
	must(set_mount((int)copy, SEALED | MOUNT_ATTR_RDONLY, false), "make read-only", name);
	must(attach((int)copy, (int)point), "attach", name);
	sys(close, copy);
	sys(close, point);
}

static void seal_proc(struct inside *in, int proc)
{
	static const char *const masked[] = {
		"acpi", "asound", "kcore", "keys", "latency_stats", "timer_list", "timer_stats",
		"sched_debug", "scsi",
	};
	static const char *const read_only[] = { "bus", "fs", "irq", "sys", "sysrq-trigger" };

	if (!(in->r->flags & REQUEST_INSECURE)) {
		for (size_t i = 0; i < sizeof masked / sizeof *masked; i++)
			mask(in, proc, masked[i]);
		for (size_t i = 0; i < sizeof read_only / sizeof *read_only; i++)
			make_read_only(proc, read_only[i]);
	}
}

static void mount_sys(struct inside *in)
{
	unsigned attributes =
		in->r->flags & REQUEST_INSECURE ? SEALED : SEALED | MOUNT_ATTR_RDONLY;
	int point = point_open(in, "/sys", POINT_DIRECTORY, false);
	long mount = new_mount("sysfs", NULL, attributes), cgroup;

	/* A user namespace may not mount the sysfs of a network that is not its own. */
	if (mount < 0) {
		mount = must(copy_mount(AT_FDCWD, "/sys", true), "bind", "/sys");
		must(set_mount((int)mount, attributes, true), "make read-only", "/sys");
	}
	point_cover(in, (int)mount, point, "/sys");
	if (in->r->flags & REQUEST_CGROUP2) {
		cgroup = must(new_mount("cgroup2", NULL, attributes), "mount", "/sys/fs/cgroup");
		point = (int)must(open_own((int)mount, "fs/cgroup"), "open", "/sys/fs/cgroup");
		must(attach((int)cgroup, point), "attach", "/sys/fs/cgroup");
		sys(close, point);
		sys(close, cgroup);
	}
	if (!(in->r->flags & REQUEST_INSECURE)) {
		mask(in, (int)mount, "firmware");
		mask(in, (int)mount, "devices/virtual/powercap");
	}
}

/* In a user namespace, whoever sees only a part of /proc may not mount all of it: a container in
 * which some is masked. So that part, of which the masks stay; the processes beside ours are in
 * it, with what everybody may know of them. */
static int mount_proc(struct inside *in)
{
	int point = point_open(in, "/proc", POINT_DIRECTORY, false);
	long mount = new_mount("proc", NULL, SEALED);

	if (mount == -EPERM && in->r->flags & REQUEST_USERXATTR) {
		mount = copy_mount(AT_FDCWD, "/proc", true);
		reply(REPLY_OUTER_PROC, 0, 0, "");
	}
	point_cover(in, (int)must(mount, "mount", "/proc"), point, "/proc");
	return (int)mount;
}

void system_mount(struct inside *in)
{
	int proc = mount_proc(in);

	mount_dev(in);
	seal_proc(in, proc);
	mount_sys(in);
}

void system_loopback(void)
{
	struct ifreq lo = { .ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING };
	long fd = must(sys(socket, AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), "open a socket", "");

	must(sys(ioctl, fd, SIOCSIFFLAGS, &lo), "bring up", "lo");
	sys(close, fd);
}
