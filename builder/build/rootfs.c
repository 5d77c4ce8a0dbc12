#include "builder/build/rootfs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/build/times.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/xattr.h"

#define PASSWD_SIZE_MAX (4 << 20)

/* A layer that occurs twice (two RUN true) has one tree, and overlayfs wants a folder once: the
 * upper occurrence hides the lower one in any case. */
static void list_lower(struct rootfs *root, size_t floor, size_t count)
{
	size_t used = 0;

	for (size_t i = count; i-- > floor;) {
		bool listed = false;

		for (size_t k = 0; k < used && !listed; k++)
			listed = strcmp(root->lower[k], root->tree[i]) == 0;
		if (!listed)
			root->lower[used++] = root->tree[i];
	}
}

/* The tree of layer I, which MAKER made; CHAIN has hashed the layers below it. A tree may depend on them. */
static int find_tree(struct building *b, struct rootfs *root, size_t i, const struct task *maker,
                     struct sha256 *chain, struct error *e)
{
	const struct layer *layer = stack_layer(root->stack, i);
	struct sha256 fork;
	struct digest pile;
	char path[TREE_PATH];

	sha256_add(chain, layer->diff_id.byte, DIGEST_SIZE);
	fork = *chain;
	sha256_end(&fork, &pile);
	root->tree[i] = shelf_tree(b->shelf, &pile);
	if (root->tree[i])
		return 0;
	if (tree_make(b->store, layer, root->stack, i, &b->trees, path, e) < 0 ||
	    times_give(b, maker, layer, path, e) < 0)
		return -1;
	root->tree[i] = shelf_keep_tree(b->shelf, &pile, path);
	return root->tree[i] ? 0 : error_memory(e);
}

int rootfs_open(struct building *b, size_t stage, size_t number, struct rootfs *root,
                struct error *e)
{
	auto_free struct task **maker = NULL;
	struct sha256 chain;
	size_t count;

	root->stack = stack_below(b, stage, number, e);
	if (!root->stack || stack_fetch_all(root->stack, e) < 0)
		return -1;
	maker = tasks_below(b, stage, number, &count);
	root->tree = calloc(count + 1, sizeof *root->tree);
	root->lower = calloc(count + 1, sizeof *root->lower);
	if (!maker || !root->tree || !root->lower)
		return error_memory(e);
	sha256_begin(&chain);
	for (size_t i = 0; i < count; i++) {
		if (find_tree(b, root, i, maker[i], &chain, e) < 0)
			return -1;
		if (maker[i])
			task_bury(maker[i]);
	}
	/* overlayfs does not ask whether the root of a layer is opaque. */
	list_lower(root, stack_floor(root->stack), count);
	return 0;
}

void rootfs_release(struct rootfs *root)
{
	free(root->tree);
	free(root->lower);
	stack_free(root->stack);
	*root = (struct rootfs){ 0 };
}

int rootfs_upper(struct building *b, struct stack *below, struct store_temp *t, struct error *e)
{
	auto_close int fd = store_temp_dir(b->store, t, e);
	struct owner owner;
	struct found root;

	if (fd < 0)
		return -1;
	if (stack_lookup(below, "", &root, e) < 0)
		return -1;
	owner = (struct owner){ root.entry.uid, root.entry.gid };
	if (owner_set(fd, &owner, b->trees.keep_owners) < 0 || fchmod(fd, root.entry.mode) < 0)
		return error_errno(e, "%s/tmp", store_path(b->store));
	if (xattr_write(fd, &root.entry, b->trees.keep_owners, e) < 0)
		return error_context(e, "/");
	return take_fd(&fd);
}

/* A small file of the image: the tables say which layer has it, that layer's tree gives the bytes.
 * The blob of a pulled layer would have to be inflated first. *TEXT is NULL when there is none. */
static int read_from_trees(int store, const struct rootfs *root, const char *path, char **text,
                           struct error *e)
{
	auto_free char *resolved = NULL;
	auto_close int tree = -1;
	struct found found;
	int there = stack_resolve(root->stack, path, true, &resolved, &found, e);

	*text = NULL;
	if (there <= 0)
		return there;
	tree = openat(store, root->tree[found.named], O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0)
		return error_errno(e, "the tree that has %s", path);
	*text = path_read(tree, resolved, PASSWD_SIZE_MAX, NULL, e);
	return *text ? 0 : -1;
}

int rootfs_user(int store, const struct rootfs *root, const char *spec, struct passwd_user *user,
                struct error *e)
{
	auto_free char *passwd = NULL, *group = NULL;

	if (read_from_trees(store, root, "etc/passwd", &passwd, e) < 0 ||
	    read_from_trees(store, root, "etc/group", &group, e) < 0)
		return -1;
	return passwd_resolve(passwd, group, spec, user, e);
}
