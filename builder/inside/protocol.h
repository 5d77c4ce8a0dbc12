/* What cairn and the program inside the sandbox say to each other, over descriptor 3.
 *
 * cairn sends one request, a struct request followed by the bytes its offsets point into; the
 * program answers with one struct reply when the command has ended or could not be started.
 * Everything outside is named by path and inode number: a descriptor opened in cairn's mount
 * namespace cannot be mounted in another. Both sides are one build: no versions, no byte order.
 */
#pragma once
#include <stdint.h>

enum { CONTROL = 3 };

/* Offsets are from the start of the request. 0 is "none": the request itself is there. */
typedef uint32_t offset;

/* COUNT strings, one after the other, each with its NUL. */
struct strings {
	offset at;
	uint32_t count;
};

/* A file or directory of the host: PATH must lead to this inode and through no link. */
struct place {
	offset path;
	uint64_t device, inode;
};

enum request_flags {
	REQUEST_INSECURE = 1,
	REQUEST_USERXATTR = 2,     /* overlay attributes are user.overlay.* */
	REQUEST_OWN_NETWORK = 4,   /* there is a network namespace of its own: bring lo up */
	REQUEST_CGROUP2 = 8,       /* there is a cgroup namespace of its own */
	REQUEST_COPY = 16,         /* no overlay: `upper` holds the whole tree already */
	REQUEST_OLD_OVERLAY = 32,  /* the kernel wants all layers in one line */
	REQUEST_ONE_ID = 64,       /* there is one user and one group: whoever is asked for */
	REQUEST_CHROOT = 128,      /* with COPY: there are no namespaces, and nothing is to be mounted */
	REQUEST_TERMINAL = 256,    /* the command's input and output are a terminal, made inside */
};

enum mount_flags { MOUNT_READ_ONLY = 1, MOUNT_NOEXEC = 2, MOUNT_OPTIONAL = 4 };

enum mount_kind { MOUNT_BIND, MOUNT_IMAGE, MOUNT_TMPFS, MOUNT_FILE, MOUNT_AGENT };

struct mount {
	uint32_t kind, flags;
	uint32_t number;           /* among the caller's mounts */
	offset target;
	struct place source;       /* MOUNT_BIND */
	struct strings lower;      /* MOUNT_IMAGE */
	offset subpath;
	offset data;               /* MOUNT_FILE */
	uint64_t size;
	uint32_t mode, uid, gid;
};

struct limit {
	uint32_t resource;
	uint64_t soft, hard;
};

struct request {
	uint32_t size;             /* of everything */
	uint32_t flags;
	struct strings argv, env;
	offset cwd, hostname;
	uint32_t uid, gid;
	offset groups;             /* uint32_t[] */
	uint32_t group_count;
	struct place store, upper, work;
	struct strings lower;
	offset mounts;             /* struct mount[], outer targets first */
	uint32_t mount_count;
	offset limits;             /* struct limit[] */
	uint32_t limit_count;
	offset filter;             /* struct sock_filter[] */
	uint32_t filter_count;
	uint64_t capabilities;     /* of the command, as a bit set */
	uint64_t shm_size;
};

enum reply_kind {
	REPLY_ENDED,               /* the command ran; STATUS is wait(2)'s */
	REPLY_NOT_STARTED,         /* exec(2) said no; STATUS is 126 or 127, TEXT why */
	REPLY_FAILED,              /* the sandbox could not be made; NUMBER is errno or 0, TEXT what */
	REPLY_NO_OVERLAY,          /* the same, and another way may work, */
	REPLY_NO_MOUNTS,           /* or one without mounts */
	REPLY_OUTER_PROC,          /* /proc had to be the one outside; more replies follow */
	REPLY_AGENT,               /* a listening socket for mount STATUS; more replies follow */
	REPLY_TERMINAL,            /* our side of the command's terminal; more replies follow */
};

struct reply {
	uint32_t kind;
	int32_t status, number;
	char text[500];
};
