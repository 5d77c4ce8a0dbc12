#include "layers/owner.h"

#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#define TEXT_SIZE 24

int owner_set(int fd, const struct owner *owner, bool really)
{
	char text[TEXT_SIZE];

	if (really)
		return fchown(fd, owner->uid, owner->gid);
	snprintf(text, sizeof text, "%u:%u", owner->uid, owner->gid);
	return fsetxattr(fd, OWNER_ATTRIBUTE, text, strlen(text), 0);
}

bool owner_find(int fd, struct owner *owner)
{
	char text[TEXT_SIZE], end;
	ssize_t size = fgetxattr(fd, OWNER_ATTRIBUTE, text, sizeof text - 1);

	if (size < 0)
		return false;
	text[size] = '\0';
	return sscanf(text, "%u:%u%c", &owner->uid, &owner->gid, &end) == 2;
}
