/* The mounts of a RUN: what each adds to the key, and what the sandbox is told to mount.
 *
 * A bind from a context is a COPY of what it shows onto nothing: its files become a layer and the
 * layer a tree, so that owners, ignore rules and the key are those of COPY, and the context itself
 * is never within reach of a command. A bind from a stage shows that stage's own trees. A cache
 * with from= begins with the same files: another content is another step and another cache. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "builder/build/step_run.h"
#include "builder/build/times.h"
#include "layers/extent.h"
#include "layers/path.h"
#include "layers/scope.h"

/* The name of a single file in the tree that is made for its mount. */
#define LONE_FILE "file"
/* A private cache is taken by whoever comes first; others get a new one of these many. */
#define PRIVATE_CACHES_MAX 256

const struct build_secret *find_secret(const struct building *b, const char *id)
{
	for (size_t i = 0; id && i < b->options->secret_count; i++)
		if (strcmp(b->options->secret[i].id, id) == 0) {
			b->secret_used[i] = true;
			return &b->options->secret[i];
		}
	return NULL;
}

const struct build_ssh *find_ssh(const struct building *b, const char *id)
{
	for (size_t i = 0; id && i < b->options->ssh_count; i++)
		if (strcmp(b->options->ssh[i].id, id) == 0)
			return &b->options->ssh[i];
	return NULL;
}

/* PATH as a pattern that matches it and nothing else. */
static char *escape_pattern(const char *path)
{
	char *escaped = malloc(2 * strlen(path) + 2), *out = escaped;

	if (!escaped)
		return NULL;
	for (; *path; path++) {
		if (strchr("*?[\\", *path))
			*out++ = '\\';
		*out++ = *path;
	}
	*out = '\0';
	return escaped;
}

/* Is the source a file? What is missing is told by COPY, in its words. */
static bool source_is_file(const struct mounting *m, const char *source)
{
	struct error ignored;
	struct stat st;

	if (m->world.from) {
		struct found found;
		auto_free char *resolved = NULL;

		return stack_resolve(m->world.from, source, true, &resolved, &found, &ignored) > 0 &&
		       found.entry.type != ENTRY_DIR;
	}
	if (m->world.context) {
		auto_close int fd = path_open(context_root(m->world.context), source, O_PATH, 0, &ignored);

		return fd >= 0 && fstat(fd, &st) == 0 && !S_ISDIR(st.st_mode);
	}
	return false;
}

static int prepare_source(struct building *b, struct task *t, const struct run_mount *rm,
                          struct mounting *m, struct key *key, struct error *e)
{
	const char *source = rm->mount.source && *rm->mount.source ? rm->mount.source : "/";

	m->copy_step.from = rm->from;
	if (copy_world_of(b, &m->copy_step, NO_STAGE, 0, t, &m->world, e) < 0)
		return -1;
	m->is_file = source_is_file(m, source);
	m->source_word = escape_pattern(source);
	if (!m->source_word)
		return error_memory(e);
	m->copy_source = (struct copy_source){ .kind = SOURCE_PATH, .text = m->source_word };
	m->copy_step.source = &m->copy_source;
	m->copy_step.source_count = 1;
	m->copy_step.destination = m->is_file ? "/" LONE_FILE : "/";
	m->copy = copy_select(&m->copy_step, &m->world, key, e);
	return m->copy ? 0 : -1;
}

int mount_prepare(struct building *b, struct task *t, const struct run_mount *rm,
                  struct mounting *m, struct key *key, struct error *e)
{
	const struct mount *mount = &rm->mount;

	key_add(key, "mount", mount_type_name(mount->type));
	key_add(key, "mount target", mount->target ? mount->target : "");
	key_add_number(key, "mount read-only", mount->read_only);
	if (mount->id)
		key_add(key, "mount id", mount->id);
	if (mount->env)
		key_add(key, "mount env", mount->env);
	if (mount->type == MOUNT_CACHE && mount->source)
		key_add(key, "mount source", mount->source);
	if (mount->type == MOUNT_TMPFS)
		key_add_number(key, "mount size", mount->size);
	if (mount->type == MOUNT_SECRET)
		find_secret(b, mount->id); /* a step that is in the cache uses it, too */
	if (mount->type == MOUNT_CACHE || mount->type == MOUNT_SECRET || mount->type == MOUNT_SSH) {
		key_add_number(key, "mount mode", mount->mode);
		key_add_number(key, "mount uid", mount->uid);
		key_add_number(key, "mount gid", mount->gid);
	}
	return rm->has_from ? prepare_source(b, t, rm, m, key, e) : 0;
}

/* --- bind --------------------------------------------------------------------------------------- */

static int open_context_bind(struct building *b, struct mounting *m, struct sandbox_mount *out,
                             struct error *e)
{
	struct task copier = { .record.created = time(NULL) };
	struct layer layer;
	char path[TREE_PATH];
	int result;

	if (copy_write(m->copy, &layer, e) < 0 ||
	    tree_make(b->store, &layer, NULL, 0, &b->trees, path, e) < 0 ||
	    times_note(b, &copier, m->copy, e) < 0)
		return -1;
	result = times_give(b, &copier, &layer, path, e);
	free(copier.time);
	if (result < 0)
		return -1;
	m->layer_lower[0] = strdup(path);
	if (!m->layer_lower[0])
		return error_memory(e);
	out->lower = (const char *const *)m->layer_lower;
	out->subpath = m->is_file ? LONE_FILE : "/";
	return 1;
}

static int open_bind(struct building *b, const struct run_mount *rm, struct mounting *m,
                     struct sandbox_mount *out, struct error *e)
{
	out->kind = SANDBOX_IMAGE;
	out->read_only = rm->mount.read_only;
	if (rm->from.kind != ORIGIN_STAGE)
		return open_context_bind(b, m, out, e);
	if (rootfs_open(b, rm->from.stage, SIZE_MAX, &m->root, e) < 0)
		return -1;
	out->lower = m->root.lower;
	out->subpath = rm->mount.source && *rm->mount.source ? rm->mount.source : "/";
	return 1;
}

/* --- cache -------------------------------------------------------------------------------------- */

/* The folder of a new cache. With source= it is a part of another, which is as it is. */
struct cache_folder {
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

static struct cache_folder cache_folder_of(const struct mount *m)
{
	struct cache_folder folder = { 0, 0, 0755 };

	if (m->source && strspn(m->source, "/") < strlen(m->source))
		return folder;
	if (m->uid >= 0)
		folder.uid = (uid_t)m->uid;
	if (m->gid >= 0)
		folder.gid = (gid_t)m->gid;
	if (m->mode >= 0)
		folder.mode = (mode_t)m->mode;
	return folder;
}

/* Who asks for a folder of another owner or mode gets another cache, as with BuildKit: the one that
 * root's steps made under the same id would be closed to him. */
static void cache_name(struct building *b, const struct run_mount *rm, struct mounting *m,
                       unsigned copy, struct digest *name)
{
	const char *ns = b->options->cache_mount_namespace;
	struct cache_folder folder = cache_folder_of(&rm->mount);
	struct sha256 s;

	sha256_begin(&s);
	sha256_add(&s, ns ? ns : "", ns ? strlen(ns) + 1 : 1);
	sha256_add(&s, rm->mount.id, strlen(rm->mount.id) + 1);
	sha256_add(&s, &copy, sizeof copy);
	sha256_add(&s, &folder, sizeof folder);
	sha256_add(&s, b->trees.form, strlen(b->trees.form));
	for (size_t i = 0; m->seed && i < stack_count(m->seed); i++)
		sha256_add(&s, stack_layer(m->seed, i)->diff_id.byte, DIGEST_SIZE);
	sha256_end(&s, name);
}

static int copy_into(struct building *b, int to, struct stack *from, const char *source,
                     struct error *e);

/* A new cache: filled with what from= has there, or empty with the owner that was asked for. */
static int make_cache(struct building *b, const struct run_mount *rm, struct mounting *m,
                      const char *name, struct error *e)
{
	const struct mount *mount = &rm->mount;
	struct cache_folder folder = cache_folder_of(mount);
	struct store_temp t;
	auto_close int fd = store_temp_dir(b->store, &t, e);
	int result = 0;

	if (fd < 0)
		return -1;
	if (m->seed)
		result = copy_into(b, fd, m->seed, mount->source && m->world.from ? mount->source : "/", e);
	else if ((b->trees.keep_owners && fchown(fd, folder.uid, folder.gid) < 0) ||
	         fchmod(fd, folder.mode) < 0)
		result = error_errno(e, "a cache folder");
	if (result < 0) {
		store_discard(&t);
		return -1;
	}
	return store_keep(b->store, &t, STORE_MOUNTS, name, e);
}

/* The descriptor of the cache's folder, locked as its sharing asks. */
static int find_cache(struct building *b, const struct run_mount *rm, struct mounting *m,
                      struct error *e)
{
	char name[DIGEST_HEX + 1];
	struct digest digest;
	int fd;

	for (unsigned copy = 0;; copy++) {
		cache_name(b, rm, m, copy, &digest);
		if (rm->mount.sharing == MOUNT_SHARED)
			break;
		m->lock = store_lock(b->store, &digest, rm->mount.sharing == MOUNT_LOCKED, e);
		if (m->lock >= 0)
			break;
		if (e->kind != ERROR_CANCELLED || copy == PRIVATE_CACHES_MAX)
			return -1;
	}
	digest_hex(&digest, name);
	fd = store_find(b->store, STORE_MOUNTS, name, NULL, e);
	if (fd >= 0 || (e->kind != ERROR_NOT_FOUND && e->kind != ERROR_DAMAGED))
		return fd;
	if (make_cache(b, rm, m, name, e) < 0)
		return -1;
	return store_find(b->store, STORE_MOUNTS, name, NULL, e);
}

/* What from= names, for a cache that is new. */
static int find_seed(struct building *b, struct mounting *m, struct error *e)
{
	struct layer layer;

	if (m->world.from) {
		m->seed = m->world.from;
		return 0;
	}
	if (copy_write(m->copy, &layer, e) < 0)
		return -1;
	m->root.stack = stack_new(b->store, &layer, 1, NULL, NULL, e);
	m->seed = m->root.stack;
	return m->seed ? 0 : -1;
}

static int open_cache(struct building *b, const struct run_mount *rm, struct mounting *m,
                      struct sandbox_mount *out, struct error *e)
{
	auto_close int cache = -1;

	if (rm->has_from && find_seed(b, m, e) < 0)
		return -1;
	cache = find_cache(b, rm, m, e);
	if (cache < 0)
		return -1;
	out->kind = SANDBOX_BIND;
	out->read_only = rm->mount.read_only;
	/* The source is beneath the cache whatever links a command has put there (H009). */
	if (rm->mount.source && !m->seed)
		m->descriptor = path_make_dirs(cache, rm->mount.source, 0755, e);
	else
		m->descriptor = take_fd(&cache);
	out->source = m->descriptor;
	return m->descriptor < 0 ? -1 : 1;
}

/* --- secret, ssh -------------------------------------------------------------------------------- */

static int open_secret(struct building *b, const struct run_mount *rm, struct sandbox_mount *out,
                       struct error *e)
{
	const struct build_secret *secret = find_secret(b, rm->mount.id);

	if (!secret && rm->mount.required)
		return error_set(e, ERROR_NOT_FOUND, "secret %s: not found", rm->mount.id);
	if (!secret || !rm->mount.target)
		return 0;
	out->kind = SANDBOX_FILE;
	out->data = secret->value;
	out->size = secret->size;
	out->mode = rm->mount.mode < 0 ? 0400 : (mode_t)rm->mount.mode;
	return 1;
}

static int open_ssh(struct building *b, const struct run_mount *rm, struct mounting *m,
                    struct sandbox_mount *out, struct error *e)
{
	const struct build_ssh *ssh = find_ssh(b, rm->mount.id);

	if (!ssh && rm->mount.required)
		return error_set(e, ERROR_NOT_FOUND, "ssh %s: not found (give --ssh %s)", rm->mount.id,
		                 rm->mount.id);
	if (!ssh)
		return 0;
	m->descriptor = open(ssh->socket, O_PATH | O_CLOEXEC);
	if (m->descriptor < 0)
		return error_errno(e, "the ssh agent's socket %s", ssh->socket);
	out->kind = SANDBOX_AGENT;
	out->source = m->descriptor;
	out->mode = rm->mount.mode < 0 ? 0600 : (mode_t)rm->mount.mode;
	return 1;
}

int mount_open(struct building *b, struct task *t, const struct run_mount *rm,
               struct mounting *m, struct sandbox_mount *out, struct error *e)
{
	(void)t;
	*out = (struct sandbox_mount){
		.target = rm->mount.target,
		.source = -1,
		.uid = rm->mount.uid < 0 ? 0 : (uid_t)rm->mount.uid,
		.gid = rm->mount.gid < 0 ? 0 : (gid_t)rm->mount.gid,
	};
	switch (rm->mount.type) {
	case MOUNT_BIND:
		return open_bind(b, rm, m, out, e);
	case MOUNT_CACHE:
		return open_cache(b, rm, m, out, e);
	case MOUNT_TMPFS:
		out->kind = SANDBOX_TMPFS;
		out->read_only = rm->mount.read_only;
		out->size = (uint64_t)rm->mount.size;
		out->mode = 01777;
		return 1;
	case MOUNT_SECRET:
		return open_secret(b, rm, out, e);
	case MOUNT_SSH:
		return open_ssh(b, rm, m, out, e);
	}
	return error_set(e, ERROR_UNSUPPORTED, "unknown mount type");
}

void mounting_release(struct mounting *m)
{
	copy_free(m->copy);
	copy_world_release(&m->world);
	rootfs_release(&m->root);
	free(m->source_word);
	free(m->layer_lower[0]);
	if (m->descriptor >= 0)
		close(m->descriptor);
	if (m->lock >= 0)
		close(m->lock);
}

/* --- filling a new cache -------------------------------------------------------------------------- */

struct filling {
	struct stack *from;
	int to;
	bool owners;    /* may they be given? */
	size_t skip;    /* bytes of the source's path, which the cache does not have */
};

static int own(const struct filling *f, const char *path, const struct found *found)
{
	return f->owners ? fchownat(f->to, path, found->entry.uid, found->entry.gid,
	                            AT_SYMLINK_NOFOLLOW)
	                 : 0;
}

static int fill_file(struct filling *f, const struct found *found, const char *path,
                     struct error *e)
{
	auto_close int fd = openat(f->to, path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
	                           0600);
	struct content content;

	if (fd < 0)
		return error_errno(e, "create %s", path);
	if (stack_content(f->from, found, &content, e) < 0)
		return -1;
	if (extent_copy(content.fd, content.offset, fd, found->entry.size, e) < 0)
		return error_context(e, "copy %s", path);
	if (own(f, path, found) < 0 || fchmod(fd, found->entry.mode) < 0)
		return error_errno(e, "copy %s", path);
	return 0;
}

static int fill_one(void *context, const struct found *found, struct error *e)
{
	struct filling *f = context;
	const char *path = found->entry.path + f->skip;

	path += *path == '/';
	switch (found->entry.type) {
	case ENTRY_FILE:
		return fill_file(f, found, path, e);
	case ENTRY_DIR:
		if (mkdirat(f->to, path, 0700) < 0 || own(f, path, found) < 0 ||
		    fchmodat(f->to, path, found->entry.mode, 0) < 0)
			return error_errno(e, "create %s", path);
		return 0;
	case ENTRY_SYMLINK:
		if (symlinkat(found->entry.link, f->to, path) < 0 || own(f, path, found) < 0)
			return error_errno(e, "create %s", path);
		return 0;
	default:
		return 0; /* devices have no business in a cache */
	}
}

/* The cache is new and in a folder of our own: nothing in it can lead elsewhere yet. */
static int copy_into(struct building *b, int to, struct stack *from, const char *source,
                     struct error *e)
{
	auto_free char *resolved = NULL;
	struct filling filling = { .from = from, .to = to, .owners = b->trees.keep_owners };
	struct found found;
	int there = stack_resolve(from, source, true, &resolved, &found, e);

	if (there < 0)
		return -1;
	if (!there || found.entry.type != ENTRY_DIR)
		return error_set(e, ERROR_NOT_FOUND, "cache source %s is not a directory there", source);
	if (own(&filling, ".", &found) < 0 || fchmod(to, found.entry.mode) < 0)
		return error_errno(e, "a cache folder");
	filling.skip = strlen(resolved);
	return stack_walk(from, resolved, true, fill_one, &filling, e);
}
