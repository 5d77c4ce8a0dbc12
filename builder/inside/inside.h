/* The rooms of the program that runs inside: each does its part or ends everything with a reply.
 *
 * It is single-threaded, root in its own namespaces (pid 1 of them), and lives for one command.
 */
#pragma once
#include <linux/mount.h>

#include "builder/inside/protocol.h"
#include "builder/inside/sys.h"

enum { STUBS_MAX = 512, COVERS_MAX = 512, PATH_SIZE = 4096 };

/* Something in the upper directory that is there only because a mount point had to be made. */
struct stub {
	int parent;                /* the directory in the upper that holds it */
	const char *name;
	bool made;                 /* by us; else a directory of the image that was copied up for it */
	uint64_t inode, size;
	uint32_t mode, uid, gid;
	int64_t mtime[2], ctime[2];
	uint32_t xattrs;           /* size of the list of names */
	bool untouched;
};

struct inside {
	const struct request *r;
	int workspace;             /* a tmpfs of ours, in the tree until pivot_root: root/ empty/ ... */
	int root;                  /* the image's "/", mounted on workspace/root */
	int upper;
	int null;                  /* a /dev/null that is one, to mask files with */
	int proc;                  /* with REQUEST_CHROOT: the host's */
	int terminal;              /* the command's side of its own; -1: it has none */
	int cover[COVERS_MAX];     /* the mounts that were attached to points of the image */
	unsigned cover_count;
	struct stub stub[STUBS_MAX];
	unsigned stub_count;
};

static inline const void *at(const struct inside *in, offset where)
{
	return (const char *)in->r + where;
}

/* The strings as a NULL terminated array. */
const char **string_array(const struct inside *in, struct strings list);

/* --- main.c: answers ------------------------------------------------------------------------ */

/* Give up: "WHAT OBJECT: reason". ANSWER is what the kernel said, or 0 when WHAT says it all. */
_Noreturn void fail(long answer, const char *what, const char *object);
_Noreturn void fail_as(enum reply_kind kind, long answer, const char *what, const char *object);
void reply(enum reply_kind kind, int status, int number, const char *text);

/* The same, and FD with it; FOR_WHAT is named when that fails. */
void hand_over(enum reply_kind kind, int status, int fd, const char *for_what);

/* ANSWER when the kernel agreed, else fail. */
static inline long must(long answer, const char *what, const char *object)
{
	if (answer < 0)
		fail(answer, what, object);
	return answer;
}

/* --- mount.c: the kernel's mount calls ------------------------------------------------------- */

struct option {
	const char *key, *value;   /* no value: a flag */
};

/* A new filesystem as a mount that is nowhere yet, or the kernel's refusal. */
long new_mount(const char *type, const struct option *options, unsigned attributes);

/* A copy of what is at NAME in DIR ("": DIR itself), nowhere yet. Links are not followed. */
long copy_mount(int dir, const char *name, bool all_below);
long set_mount(int mount, unsigned attributes, bool all_below);
long attach(int mount, int target);

/* Open NAME beneath DIR, taken for "/": RESOLVE says how links are treated. */
long open_beneath(int dir, const char *name, unsigned flags, unsigned mode, unsigned resolve);

/* The directory or file of the host, seen from our own mount namespace. */
int open_place(const struct inside *in, const struct place *p);

/* --- root.c: the root filesystem ------------------------------------------------------------- */

void root_make(struct inside *in);
int root_merge(struct inside *in, struct strings lower, int upper, int work);
void root_enter(struct inside *in);

/* --- chroot.c: instead of root.c, where there are no namespaces -------------------------------- */

void chroot_enter(struct inside *in);

/* To be called before the command starts. Returns a descriptor for chroot_wait. */
int chroot_watch(void);

/* Wait for CHILD's end, or for that of whoever wants it: then everything ends. */
void chroot_wait(struct inside *in, int signals, long child, int *status);

/* Kill and wait for all that descends from us. */
void chroot_bury(struct inside *in);

/* --- point.c: mount points, and their removal without a trace -------------------------------- */

enum point_kind { POINT_FILE, POINT_DIRECTORY, POINT_ANY };

/* What is at TARGET in the image, links resolved inside it; made when missing. -1 when KIND does
 * not fit and OPTIONAL. */
int point_open(struct inside *in, const char *target, enum point_kind kind, bool optional);

/* The command's working directory: made to stay, and owned by UID and GID, when missing. */
int point_directory(struct inside *in, const char *path, uint32_t uid, uint32_t gid);

/* Attach MOUNT, ours from now on, to POINT, which is closed; TARGET names it. */
void point_cover(struct inside *in, int mount, int point, const char *target);

void points_remember(struct inside *in);
void points_remove(struct inside *in);

/* --- system.c and mounts.c: what is mounted --------------------------------------------------- */

void system_mount(struct inside *in);
void system_loopback(void);
void mounts_make(struct inside *in);

/* --- terminal.c: with REQUEST_TERMINAL --------------------------------------------------------- */

/* A new terminal from the multiplexer NAME in DIR: the command's side stays here, the other one
 * is handed over. */
void terminal_make(struct inside *in, int dir, const char *name);

/* In the command's own process, which leads its session: it is where it reads and writes. */
long terminal_take(const struct inside *in);

/* --- command.c -------------------------------------------------------------------------------- */

/* Who is to run a command as another user and has one id only gets that user's number for it. In a
 * chroot that comes first: the kernel gives no user namespace to who has left the root directory. */
void command_take_name(const struct request *r);

/* Run the command to its end, kill what it leaves, and say how it went (in REPLY). */
void command_run(struct inside *in, struct reply *answer);
