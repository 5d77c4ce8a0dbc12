#include "layers/inode.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

struct inode {
	dev_t device;
	ino_t number;
	char path[];
};

static int by_number(const void *a, const void *b)
{
	const struct inode *x = a, *y = b;

	if (x->device != y->device)
		return x->device < y->device ? -1 : 1;
	return x->number < y->number ? -1 : x->number > y->number;
}

const char *inodes_first(struct inodes *inodes, const struct stat *st, const char *path)
{
	size_t size = strlen(path) + 1;
	struct inode *mine = malloc(sizeof *mine + size), **found;

	if (!mine)
		return NULL;
	mine->device = st->st_dev;
	mine->number = st->st_ino;
	memcpy(mine->path, path, size);
	found = tsearch(mine, &inodes->tree, by_number);
	if (!found || *found != mine)
		free(mine);
	return found ? (*found)->path : NULL;
}

void inodes_release(struct inodes *inodes)
{
	tdestroy(inodes->tree, free);
	inodes->tree = NULL;
}
