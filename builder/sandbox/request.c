#include "builder/sandbox/request.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "builder/inside/protocol.h"
#include "layers/path.h"
#include "layers/scope.h"

/* Anything larger is refused: it would not fit the offsets, nor the kernel's own limits. */
#define REQUEST_SIZE_MAX (256u << 20)

struct bytes {
	char *at;
	size_t size, capacity;
	bool full, out_of_memory;  /* told once, at the end */
};

/* Append SIZE bytes on a multiple of 8 and return where; 0 when there is no room. */
static offset put(struct bytes *b, const void *data, size_t size)
{
	size_t where = (b->size + 7) & ~(size_t)7;

	if (b->full || size > REQUEST_SIZE_MAX - where) {
		b->full = true;
		return 0;
	}
	if (where + size > b->capacity) {
		size_t capacity = 2 * (where + size);
		char *grown = realloc(b->at, capacity);

		if (!grown) {
			b->out_of_memory = b->full = true;
			return 0;
		}
		b->at = grown;
		b->capacity = capacity;
	}
	memset(b->at + b->size, 0, where - b->size);
	if (size > 0)
		memcpy(b->at + where, data, size);
	b->size = where + size;
	return (offset)where;
}

static offset put_string(struct bytes *b, const char *s)
{
	return put(b, s, strlen(s) + 1);
}

/* LAST (may be NULL) follows those of the list. */
static struct strings put_more_strings(struct bytes *b, const char *const *list, const char *last)
{
	struct strings s = { 0, 0 };
	auto_free char *text = NULL;
	size_t size = last ? strlen(last) + 1 : 0;
	char *end;

	for (; list && list[s.count]; s.count++)
		size += strlen(list[s.count]) + 1;
	text = end = calloc(1, size + 1);
	if (!text) {
		b->out_of_memory = b->full = true;
		return s;
	}
	for (uint32_t i = 0; i < s.count; i++)
		end = stpcpy(end, list[i]) + 1;
	if (last) {
		strcpy(end, last);
		s.count++;
	}
	s.at = put(b, text, size + 1);
	return s;
}

static struct strings put_strings(struct bytes *b, const char *const *list)
{
	return put_more_strings(b, list, NULL);
}

/* The path by which the helper finds FD again, in its own mount namespace. */
static int put_place(struct bytes *b, int fd, struct place *p, struct error *e)
{
	char link[64], path[PATH_MAX];
	struct stat st;
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	length = readlink(link, path, sizeof path);
	if (length < 0 || fstat(fd, &st) < 0)
		return error_errno(e, "find out the path of descriptor %d", fd);
	if (length == sizeof path || path[0] != '/')
		return error_set(e, ERROR_SYSTEM, "descriptor %d has no path", fd);
	path[length] = '\0';
	*p = (struct place) { put_string(b, path), st.st_dev, st.st_ino };
	return 0;
}

static bool is_within(const char *path, const char *dir)
{
	size_t length = strlen(dir);

	return strncmp(path, dir, length) == 0 && (path[length] == '/' || path[length] == '\0');
}

char *request_target(const struct sandbox_mount *m, struct error *e)
{
	auto_free char *target = path_clean(m->target);

	if (!target)
		error_memory(e);
	else if (strcmp(target, "/") == 0)
		error_set(e, ERROR_INPUT, "invalid mount target \"/\"");
	else if (is_within(target, "/proc") || is_within(target, "/sys"))
		error_set(e, ERROR_INPUT, "mount target %s is the kernel's", target);
	else
		return take_pointer(&target);
	return NULL;
}

static int put_mount(struct bytes *b, const struct sandbox_mount *from, bool one_id,
                     struct mount *m, struct error *e)
{
	static const enum mount_kind kinds[] = {
		[SANDBOX_BIND] = MOUNT_BIND,   [SANDBOX_IMAGE] = MOUNT_IMAGE,
		[SANDBOX_TMPFS] = MOUNT_TMPFS, [SANDBOX_FILE] = MOUNT_FILE,
		[SANDBOX_AGENT] = MOUNT_AGENT,
	};
	auto_free char *target = request_target(from, e);

	if (!target)
		return -1;
	*m = (struct mount) {
		.kind = kinds[from->kind], .size = from->size, .mode = from->mode,
		.uid = one_id ? 0 : from->uid, .gid = one_id ? 0 : from->gid,
		.flags = from->read_only || from->kind == SANDBOX_FILE ? MOUNT_READ_ONLY : 0,
	};
	/* A script is given x to be executed, a secret is not. */
	if (from->kind == SANDBOX_FILE && !(from->mode & 0111))
		m->flags |= MOUNT_NOEXEC;
	m->target = put_string(b, target);
	if (from->kind == SANDBOX_BIND && put_place(b, from->source, &m->source, e) < 0)
		return error_context(e, "mount %s", target);
	if (from->kind == SANDBOX_IMAGE) {
		m->lower = put_strings(b, from->lower);
		m->subpath = put_string(b, from->subpath ? from->subpath : "/");
	}
	if (from->kind == SANDBOX_FILE)
		m->data = put(b, from->data, from->size);
	return 0;
}

static void put_file(struct bytes *b, const char *target, const char *text, struct mount *m)
{
	*m = (struct mount) {
		.kind = MOUNT_FILE, .flags = MOUNT_READ_ONLY | MOUNT_NOEXEC | MOUNT_OPTIONAL,
		.mode = 0644, .size = strlen(text),
	};
	m->target = put_string(b, target);
	m->data = put_string(b, text);
}

static unsigned depth(const struct bytes *b, const struct mount *m)
{
	unsigned slashes = 0;

	for (const char *p = b->at + m->target; *p; p++)
		slashes += *p == '/';
	return slashes;
}

/* hosts and resolv.conf first, then what was asked for: outer targets before inner ones, and
 * otherwise as given. */
static int put_mounts(struct bytes *b, const struct sandbox_run *r, struct request *q,
                      struct error *e)
{
	auto_free struct mount *list = calloc(r->mount_count + 2, sizeof *list);
	uint32_t count = 0, own;

	if (!list)
		return error_memory(e);
	/* They stand there already (stand_in.h). */
	if (q->flags & REQUEST_CHROOT)
		return 0;
	if (r->hosts)
		put_file(b, "/etc/hosts", r->hosts, &list[count++]);
	if (r->resolv_conf)
		put_file(b, "/etc/resolv.conf", r->resolv_conf, &list[count++]);
	own = count;
	for (size_t i = 0; i < r->mount_count; i++) {
		uint32_t place = count++;
		struct mount m;

		if (put_mount(b, &r->mount[i], q->flags & REQUEST_ONE_ID, &m, e) < 0)
			return -1;
		m.number = (uint32_t)i;
		if (b->full)
			break;
		for (; place > own && depth(b, &list[place - 1]) > depth(b, &m); place--)
			list[place] = list[place - 1];
		list[place] = m;
	}
	q->mounts = put(b, list, count * sizeof *list);
	q->mount_count = count;
	return 0;
}

static int put_limits(struct bytes *b, const struct sandbox_run *r, struct request *q,
                      struct error *e)
{
	auto_free struct limit *list = calloc(r->limit_count + 1, sizeof *list);

	if (!list)
		return error_memory(e);
	for (size_t i = 0; i < r->limit_count; i++) {
		list[i].resource = (uint32_t)r->limit[i].resource;
		list[i].soft = r->limit[i].value.rlim_cur;
		list[i].hard = r->limit[i].value.rlim_max;
	}
	q->limits = put(b, list, r->limit_count * sizeof *list);
	q->limit_count = (uint32_t)r->limit_count;
	return 0;
}

int request_make(const struct sandbox_run *r, const struct request_world *world, void **bytes,
                 size_t *size, struct error *e)
{
	struct bytes b = { 0 };
	struct request q = {
		.flags = world->flags | (r->insecure ? REQUEST_INSECURE : 0) |
		         (r->terminal ? REQUEST_TERMINAL : 0),
		.uid = r->uid, .gid = r->gid, .group_count = (uint32_t)r->group_count,
		.filter_count = (uint32_t)world->filter_count, .capabilities = world->capabilities,
		.shm_size = r->shm_size ? r->shm_size : 64 << 20,
	};

	int upper = world->flags & REQUEST_COPY ? world->root : r->upper;

	put(&b, &q, sizeof q);
	q.argv = put_strings(&b, r->argv);
	q.env = put_strings(&b, r->env);
	q.lower = put_more_strings(&b, r->lower, r->mount_points);
	q.cwd = put_string(&b, r->cwd);
	q.hostname = put_string(&b, r->hostname ? r->hostname : "");
	q.groups = put(&b, r->groups, r->group_count * sizeof *r->groups);
	q.filter = put(&b, world->filter, world->filter_count * 8);
	if (put_place(&b, r->store, &q.store, e) < 0 || put_place(&b, upper, &q.upper, e) < 0 ||
	    put_place(&b, r->work, &q.work, e) < 0 || put_mounts(&b, r, &q, e) < 0 ||
	    put_limits(&b, r, &q, e) < 0) {
		free(b.at);
		return -1;
	}
	if (b.full) {
		free(b.at);
		return b.out_of_memory ? error_memory(e)
		                       : error_set(e, ERROR_INPUT, "the command, its environment and its "
		                                   "files are larger than %u MiB", REQUEST_SIZE_MAX >> 20);
	}
	q.size = (uint32_t)b.size;
	memcpy(b.at, &q, sizeof q);
	*bytes = b.at;
	*size = b.size;
	return 0;
}
