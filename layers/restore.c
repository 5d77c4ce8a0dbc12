#include "layers/restore.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/owner.h"
#include "layers/xattr.h"

/* The kernel says EINVAL to a number that is none of ours (H111). */
static int no_owner(const struct entry *entry, struct error *e)
{
	if (errno != EINVAL)
		return error_errno(e, "unpack %s: owner %u:%u", entry->path, entry->uid, entry->gid);
	return error_set(e, ERROR_SYSTEM, "unpack %s: owner %u:%u is not among the ids of this user "
	                 "namespace (/etc/subuid, /etc/subgid)", entry->path, entry->uid, entry->gid);
}

/* In this order: changing the owner takes setuid and capabilities away (H098, H107). */
int restore_metadata(const struct tree_rules *rules, int fd, const struct entry *entry,
                     struct error *e)
{
	const struct timespec times[2] = { { .tv_sec = entry->mtime }, { .tv_sec = entry->mtime } };
	const struct owner owner = { entry->uid, entry->gid };

	if (owner_set(fd, &owner, rules->keep_owners) < 0)
		return no_owner(entry, e);
	if (xattr_write(fd, entry, rules->keep_owners, e) < 0)
		return error_context(e, "unpack %s", entry->path);
	if (fchmod(fd, entry->mode) < 0 || futimens(fd, times) < 0)
		return error_errno(e, "unpack %s", entry->path);
	return 0;
}

int restore_metadata_at(const struct tree_rules *rules, int dir, const char *name,
                        const struct entry *entry, struct error *e)
{
	const struct timespec times[2] = { { .tv_sec = entry->mtime }, { .tv_sec = entry->mtime } };

	if (rules->keep_owners && fchownat(dir, name, entry->uid, entry->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return no_owner(entry, e);
	/* This tree is ours alone: NAME is what was made a moment ago, and no link. */
	if (entry->type != ENTRY_SYMLINK && fchmodat(dir, name, entry->mode, 0) < 0)
		return error_errno(e, "unpack %s", entry->path);
	if (utimensat(dir, name, times, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "unpack %s", entry->path);
	return 0;
}
