/* What went wrong, in words for people and in a kind for deciding.
 *
 * A struct error lives on the caller's stack, owns nothing and needs no free. Whoever knows the
 * object names it; whoever knows what it was for puts that in front; nobody says both.
 */
#pragma once

enum error_kind {
	ERROR_NONE,
	ERROR_SYSTEM,      /* the kernel said no; errno is in the text */
	ERROR_INPUT,       /* what the user, an image or a registry gave us is wrong */
	ERROR_NOT_FOUND,
	ERROR_DENIED,      /* credentials or permissions are missing */
	ERROR_CORRUPT,     /* bytes are not what their digest or format says */
	ERROR_DAMAGED,     /* the store had it, but not whole: it is removed and can be made again */
	ERROR_UNSUPPORTED, /* well formed, but not done here */
	ERROR_NETWORK,     /* the other side did not answer, or not sensibly */
	ERROR_FAILED,      /* a command of the build ended with a status other than 0 */
	ERROR_STALE,       /* what was remembered from earlier is no longer so: ask again */
	ERROR_CANCELLED,   /* the user, or another step's failure, ended this */
};

struct error {
	enum error_kind kind;
	char text[2048];
};

/* Set E and return -1, so that `return error_set(e, ...)` is one line. */
int error_set(struct error *e, enum error_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The same, with ": " and strerror(errno) at the end. ENOENT gives ERROR_NOT_FOUND, EACCES and
 * EPERM give ERROR_DENIED, everything else ERROR_SYSTEM. */
int error_errno(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory is an error like the rest. */
int error_memory(struct error *e);

/* Put words and ": " in front of what E says already. The kind stays. Returns -1. */
int error_context(struct error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
