/* Owners of files where all files belong to one user: kept as an attribute.
 *
 * An ordinary user without subordinate ids has one id only, so nothing it unpacks can belong to
 * anybody else. Each directory and file of such a tree has its owner's numbers as an attribute. An
 * overlay copies that up with the file, so what a command changes keeps its owner, and what it
 * makes anew has none yet and belongs to the command's user. Links, pipes and devices cannot have
 * attributes: they belong to whom the layer below says, as long as they are the same.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#define OWNER_ATTRIBUTE "user.cairn.owner"

struct owner {
	uint32_t uid, gid;
};

/* The open file FD belongs to OWNER: REALLY, or by a note. -1 and errno. */
int owner_set(int fd, const struct owner *owner, bool really);

/* What was noted; false when nothing was. */
bool owner_find(int fd, struct owner *owner);
