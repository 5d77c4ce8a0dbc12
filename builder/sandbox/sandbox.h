/* A command in a sandbox: what RUN does.
 *
 * Each run is a fresh, single-threaded process: a small static program of ours (builder/inside/),
 * carried within cairn and started from a sealed memory file, in its own pid, mount, ipc and uts
 * namespaces. It mounts the root filesystem by descriptors, becomes the first process in it,
 * starts the command, reaps what the command leaves, and when the command ends kills all the rest,
 * removes the mount points it had to make and reports. When sandbox_run returns, nothing of the
 * run is at work any more and the upper directory will not change; unless the caller leaves that
 * for later, no process is left either, and nothing is mounted.
 *
 * What the command sees is what Docker's builder shows it: its own /dev, /proc with the host's
 * secrets masked, a read-only /sys, Docker's default capabilities and system call filter, umask
 * 0022, no signal ignored or blocked, an empty standard input, no other descriptors than 0 to 2,
 * no terminal unless one is asked for, 1024 open files unless it raises that itself. Nothing of
 * cairn's own environment.
 *
 * Threads: one sandbox may run many commands at once. The thread that calls sandbox_run must live
 * until it returns, which it does; if the process dies, so does everything it runs.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "builder/sandbox/cgroup.h"
#include "builder/sandbox/process_tree.h"
#include "layers/error.h"

/* How a root filesystem comes about, best first; all give the same upper directory. */
enum sandbox_way {
	SANDBOX_AUTO,    /* the best one that is not refused here */
	SANDBOX_OVERLAY, /* an overlay mount */
	SANDBOX_USERNS,  /* the best one within a user namespace, also for root */
	SANDBOX_COPY,    /* a copied tree, compared afterwards, where overlay is refused */
	SANDBOX_CHROOT,  /* the same without namespaces and mounts: for trusted builds only */
};

enum { SANDBOX_FORM = 9 };

enum sandbox_network {
	SANDBOX_NETWORK_HOST, /* the network cairn itself has */
	SANDBOX_NETWORK_NONE, /* a loopback interface of its own and nothing else */
	SANDBOX_NETWORK_PASTA, SANDBOX_NETWORK_SLIRP4NETNS, /* through that program: network.h */
};

enum sandbox_mount_kind {
	SANDBOX_BIND,  /* SOURCE, a directory or file that is there */
	SANDBOX_IMAGE, /* SUBPATH of the merged LOWER trees; what is written to it is thrown away */
	SANDBOX_TMPFS, /* an empty directory in memory of SIZE bytes (0: unlimited) with MODE */
	SANDBOX_FILE,  /* DATA as a read-only file in memory with MODE, UID and GID */
	SANDBOX_AGENT, /* a socket with MODE, UID and GID; connections go on to the socket SOURCE */
};

struct sandbox_mount {
	enum sandbox_mount_kind kind;
	const char *target;        /* absolute, in the image; missing parents are made for the run */
	bool read_only;            /* SANDBOX_BIND, SANDBOX_IMAGE, SANDBOX_TMPFS */
	int source;                /* SANDBOX_BIND, SANDBOX_AGENT: O_PATH is enough */
	const char *const *lower;  /* SANDBOX_IMAGE: as in struct sandbox_run */
	const char *subpath;       /* SANDBOX_IMAGE: resolved inside that image */
	const void *data;          /* SANDBOX_FILE; SIZE bytes */
	uint64_t size;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

struct sandbox_limit {
	int resource;              /* RLIMIT_NOFILE... */
	struct rlimit value;
};

/* How long a command may take. When it takes longer, OVER is called with what runs then, and
 * everything is killed. */
struct sandbox_patience {
	int64_t whole_ms, silent_ms;     /* from its start, and without a word; 0: for ever */
	const int64_t *heard_ms;         /* when it last said a word, kept by who hears it */
	void (*over)(void *context, const struct process_tree *tree);
	void *context;
};

/* Of a clock that stands still while the machine sleeps. */
int64_t sandbox_now_ms(void);

/* What the command prints, heard by the thread that runs it: a thread for each RUN costs more than
 * a small RUN. What is left in the pipes at the end is the caller's to read. */
struct sandbox_ear {
	int from[2];                     /* our ends of the pipes that OUT and ERR lead to, -1 once closed */
	void (*hear)(struct sandbox_ear *ear, int which); /* something is to be read */
};

/* All pointers and descriptors are borrowed. */
struct sandbox_run {
	const char *const *argv;   /* argv[0] without "/" is looked up in env's PATH, in the image */
	const char *const *env;    /* complete: the sandbox adds nothing */
	const char *cwd;           /* absolute; made 0755 and UID:GID's where it is missing */
	uid_t uid;
	gid_t gid;
	const gid_t *groups;       /* supplementary, in full; see builder/sandbox/passwd.h */
	size_t group_count;

	int store;                 /* the directory that LOWER is relative to */
	const char *const *lower;  /* unpacked layers, uppermost first, NULL at the end */
	const char *mount_points;  /* NULL, or a tree below them, so that none have to be made */
	int upper;                 /* an empty directory with the owner and mode that "/" has; gets */
	                           /* the changes in overlay form: see sandbox_xattrs */
	int work;                  /* an empty directory on the same filesystem, of no use after */

	const struct sandbox_mount *mount;
	size_t mount_count;        /* inner targets after outer ones whatever the order; of two */
	                           /* with one target, the later one is seen */
	const struct sandbox_limit *limit;
	size_t limit_count;
	const struct cgroup_limits *cgroup; /* NULL: none. Where they cannot be kept, NOTICE is told */

	const char *hostname;
	const char *hosts;         /* contents of /etc/hosts, */
	const char *resolv_conf;   /* and of /etc/resolv.conf; NULL leaves the image's file */
	enum sandbox_network network;
	bool reach_host;           /* through the gateway of SANDBOX_NETWORK_SLIRP4NETNS, 10.0.2.2 */
	uint64_t shm_size;         /* of /dev/shm; 0 is 64 MiB */
	bool insecure;             /* RUN --security=insecure: every capability, no filter, no masks */

	int out, err;              /* the command's standard output and error */
	struct sandbox_ear *ear;   /* NULL: somebody else reads them */
	/* Or NULL: the command has a terminal of its own for these and for its input, and this gets
	 * the other side of it, to keep, before the command starts. */
	void (*terminal)(void *context, int other_side);
	void *terminal_context;
	struct sandbox_patience patience;
	/* What the caller does while a command takes long, a millisecond or so each time, until it returns
	 * false. NULL: nothing. */
	bool (*meanwhile)(void *context);
	void *meanwhile_context;
	int cancel;                /* -1, or: when it becomes readable, everything is killed */
	bool leave;                /* do not wait for the kernel: struct sandbox_result, remains */
};

enum sandbox_overtime { SANDBOX_IN_TIME, SANDBOX_TOO_LONG, SANDBOX_TOO_SILENT };

struct sandbox_result {
	enum sandbox_overtime overtime;
	int exit_code;             /* 128 + N after signal N; 127 or 126: nothing to run */
	int signal;
	bool out_of_memory;        /* the kernel killed it because a memory limit was reached */
	char reason[512];          /* why there was nothing to run, else "" */
	/* With LEAVE, and where nothing else is to be done afterwards: a descriptor, the caller's to close,
	 * for sandbox_bury. The kernel takes the run's namespaces and mounts down, which takes it a
	 * millisecond or two; until then the upper and work directories can be looked at and
	 * renamed, but should not be mounted or removed. -1: it has. */
	int remains;
};

struct sandbox;

struct sandbox_options {
	enum sandbox_way way;      /* the user's --isolation */
	const char *because;       /* what sandbox_become_root said */
	void (*notice)(void *context, const char *text); /* a line for the user; from any thread */
	void *context;
};

/* Costs nothing: what is possible is found out by the first run, which also gives NOTICE one line
 * for each better way that is closed, and why. NULL and E when memory or descriptors are out. */
struct sandbox *sandbox_open(const struct sandbox_options *options, struct error *e);
void sandbox_close(struct sandbox *s);

/* Run R's command to its end. Returns 0 and *RESULT when the command ended in whatever way, also
 * when it could not be executed. Returns -1 and E when the sandbox could not be made:
 * ERROR_INPUT where the image or a mount target is wrong, ERROR_CANCELLED, otherwise the
 * kernel's reason. The upper directory is then of no use. */
int sandbox_run(struct sandbox *s, const struct sandbox_run *r, struct sandbox_result *result,
                struct error *e);

/* Wait until the kernel is done with what REMAINS of a run: at least once for each, from any threads. */
void sandbox_bury(int remains);

/* What the user calls a way: auto, overlay, userns, copy or chroot. ERROR_INPUT for others. */
int sandbox_way_parse(const char *text, enum sandbox_way *way, struct error *e);

/* Where an upper directory keeps "opaque": "trusted.overlay." or "user.overlay.". Deleted names
 * are character devices 0:0, or, where the kernel refuses those, empty files with the
 * attribute "whiteout" of that prefix. Lower trees must be in the same form. */
const char *sandbox_xattrs(void);

/* The name server that a run with such a network sees; NULL: those of this machine. */
const char *sandbox_network_server(enum sandbox_network kind);

/* Is there what it needs? ERROR_NOT_FOUND and E, which says what is missing. */
int sandbox_network_check(enum sandbox_network kind, struct error *e);

/* Become root of a user namespace where that opens a better way: an ordinary user, with all of the
 * user's subordinate ids when newuidmap and newgidmap are there, else with its own id as 0 and no
 * other; and root that may not mount, in a container, with all ids as they are. To be called
 * before any thread is started and before the store is opened; everything cairn makes
 * afterwards belongs to ids of that namespace. *BECAUSE tells in one line what is missing (NULL
 * when nothing is). Where there is no namespace to be had everything but a RUN works without;
 * -1 and E when WAY insists on one, or the system is out of processes. */
int sandbox_become_root(enum sandbox_way way, const char **because, struct error *e);

/* May files belong to others than this user? Not with a single id: then owners are attributes
 * (layers/owner.h), a command sees all files as its own user's, and what it makes is its user's. */
bool sandbox_keeps_owners(void);

/* A short name for what owners and attributes on the disk mean to this process: trees that others
 * have made are of use only to those with the same. "" for root of the machine. */
void sandbox_form(char form[static SANDBOX_FORM]);
