#include "builder/sandbox/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <linux/magic.h>
#include <time.h>
#include <unistd.h>

#include "layers/scope.h"

#define TOP "/sys/fs/cgroup"
#define OURS "cairn."

enum { FILE_SIZE_MAX = 16 << 10, VALUE_SIZE = 64, PATH_SIZE = 4096 };

/* A group is busy for a moment after its last process. */
enum { REMOVE_TRIES = 200, REMOVE_PAUSE_NS = 5000000 };

/* What is written where. */
struct setting {
	const char *controller, *v1, *v2;  /* NULL: not there in that hierarchy */
	bool optional;                     /* not every kernel counts swap */
	char value[VALUE_SIZE];
};

enum { SETTINGS_MAX = 10 };

bool cgroup_is_wanted(const struct cgroup_limits *l)
{
	return l->memory || l->memory_swap || l->cpu_quota || l->cpu_period || l->cpu_shares ||
	       l->pids || l->cpuset_cpus || l->cpuset_mems || l->parent;
}

static struct setting *add(struct setting *list, size_t *count, const char *controller,
                           const char *v1, const char *v2)
{
	struct setting *s = &list[(*count)++];

	*s = (struct setting){ .controller = controller, .v1 = v1, .v2 = v2 };
	return s;
}

static void add_number(struct setting *list, size_t *count, const char *controller,
                       const char *v1, const char *v2, int64_t number)
{
	snprintf(add(list, count, controller, v1, v2)->value, VALUE_SIZE, "%" PRId64, number);
}

/* v1 counts memory and swap together, v2 swap alone. */
static void add_memory(const struct cgroup_limits *l, struct setting *list, size_t *count)
{
	int64_t both = l->memory_swap ? l->memory_swap : 2 * l->memory;
	struct setting *swap;

	if (!l->memory)
		return;
	add_number(list, count, "memory", "memory.limit_in_bytes", "memory.max", l->memory);
	swap = add(list, count, "memory", "memory.memsw.limit_in_bytes", NULL);
	swap->optional = true;
	snprintf(swap->value, VALUE_SIZE, "%" PRId64, both);
	swap = add(list, count, "memory", NULL, "memory.swap.max");
	swap->optional = true;
	if (both < 0)
		strcpy(swap->value, "max");
	else
		snprintf(swap->value, VALUE_SIZE, "%" PRId64, both - l->memory);
}

static void add_cpu(const struct cgroup_limits *l, struct setting *list, size_t *count)
{
	int64_t period = l->cpu_period ? l->cpu_period : 100000;

	if (l->cpu_period)
		add_number(list, count, "cpu", "cpu.cfs_period_us", NULL, period);
	if (l->cpu_quota)
		add_number(list, count, "cpu", "cpu.cfs_quota_us", NULL, l->cpu_quota);
	if (l->cpu_quota > 0)
		snprintf(add(list, count, "cpu", NULL, "cpu.max")->value, VALUE_SIZE,
		         "%" PRId64 " %" PRId64, l->cpu_quota, period);
	if (l->cpu_shares) {
		add_number(list, count, "cpu", "cpu.shares", NULL, l->cpu_shares);
		/* 2..262144 onto 1..10000, as runc does. */
		add_number(list, count, "cpu", NULL, "cpu.weight",
		           1 + (l->cpu_shares - 2) * 9999 / 262142);
	}
}

static size_t settings_of(const struct cgroup_limits *l, struct setting *list)
{
	size_t count = 0;

	add_memory(l, list, &count);
	add_cpu(l, list, &count);
	if (l->pids)
		add_number(list, &count, "pids", "pids.max", "pids.max", l->pids);
	if (l->cpuset_cpus)
		snprintf(add(list, &count, "cpuset", "cpuset.cpus", "cpuset.cpus")->value, VALUE_SIZE,
		         "%s", l->cpuset_cpus);
	if (l->cpuset_mems)
		snprintf(add(list, &count, "cpuset", "cpuset.mems", "cpuset.mems")->value, VALUE_SIZE,
		         "%s", l->cpuset_mems);
	return count;
}

/* --- files ------------------------------------------------------------------------------------ */

static bool read_text(const char *path, char text[static FILE_SIZE_MAX])
{
	auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, FILE_SIZE_MAX - 1);

	text[n < 0 ? 0 : n] = '\0';
	return n >= 0;
}

static int write_in(const char *folder, const char *name, const char *value, struct error *e)
{
	char path[PATH_SIZE + NAME_MAX];
	auto_close int fd = -1;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		return error_errno(e, "write \"%s\" to %s", value, path);
	return 0;
}

/* Is WORD one of those in the file NAME? */
static bool has_word(const char *folder, const char *name, const char *word)
{
	char path[PATH_SIZE + NAME_MAX], text[FILE_SIZE_MAX], *rest = text, *found;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	if (!read_text(path, text))
		return false;
	while ((found = strsep(&rest, " \n")))
		if (strcmp(found, word) == 0)
			return true;
	return false;
}

/* The group that we are in: of CONTROLLER's hierarchy, or "" for the unified one. False when there
 * is none. */
static bool find_own(const char *controller, char group[static PATH_SIZE])
{
	char text[FILE_SIZE_MAX], *rest = text, *line;

	if (!read_text("/proc/self/cgroup", text))
		return false;
	while ((line = strsep(&rest, "\n")) && *line) {
		char *path = line, *names, *name;

		strsep(&path, ":");
		names = strsep(&path, ":");
		while (path && (name = strsep(&names, ",")))
			if (strcmp(name, controller) == 0) {
				snprintf(group, PATH_SIZE, "%s", strcmp(path, "/") == 0 ? "" : path);
				return true;
			}
	}
	return false;
}

/* --- the group -------------------------------------------------------------------------------- */

/* Those whose cairn was killed are empty; who is not alive any more cannot want them. */
static void sweep(const char *parent)
{
	DIR *list = opendir(parent);
	struct dirent *entry;

	while (list && (entry = readdir(list))) {
		long pid = strncmp(entry->d_name, OURS, strlen(OURS)) == 0
		                   ? strtol(entry->d_name + strlen(OURS), NULL, 10)
		                   : 0;

		if (pid > 0 && kill((pid_t)pid, 0) < 0 && errno == ESRCH)
			unlinkat(dirfd(list), entry->d_name, AT_REMOVEDIR);
	}
	if (list)
		closedir(list);
}

static int make_folder(struct cgroup *g, const char *parent, unsigned number, struct error *e)
{
	char *path;

	sweep(parent);
	if (asprintf(&path, "%s/" OURS "%d.%u", parent, getpid(), number) < 0)
		return error_memory(e);
	if (mkdir(path, 0755) < 0) {
		error_errno(e, "create %s", path);
		free(path);
		return -1;
	}
	g->folder[g->count++] = path;
	return 0;
}

/* All the controllers that LIST wants, for the groups below PARENT. */
static int enable(const char *parent, const struct setting *list, size_t count, struct error *e)
{
	for (size_t i = 0; i < count; i++) {
		char word[32];

		if (!list[i].v2 || has_word(parent, "cgroup.subtree_control", list[i].controller))
			continue;
		if (!has_word(parent, "cgroup.controllers", list[i].controller))
			return error_set(e, ERROR_UNSUPPORTED,
			                 "there is no controller \"%s\" in %s",
			                 list[i].controller, parent);
		snprintf(word, sizeof word, "+%s", list[i].controller);
		if (write_in(parent, "cgroup.subtree_control", word, e) < 0)
			return -1;
	}
	return 0;
}

static int make_v2_below(const char *parent, const struct setting *list, size_t count,
                         unsigned number, struct cgroup *g, struct error *e)
{
	if (enable(parent, list, count, e) < 0 || make_folder(g, parent, number, e) < 0)
		return -1;
	for (size_t i = 0; i < count; i++)
		if (list[i].v2 && write_in(g->folder[0], list[i].v2, list[i].value, e) < 0 &&
		    !list[i].optional)
			return -1;
	return 0;
}

/* Below our own group, or beside it: one with processes cannot have groups with limits below. */
static int make_v2(const struct cgroup_limits *l, const struct setting *list, size_t count,
                   unsigned number, struct cgroup *g, struct error *e)
{
	char own[PATH_SIZE], parent[2 * PATH_SIZE];

	if (l->parent) {
		snprintf(parent, sizeof parent, TOP "%s", l->parent);
		if (mkdir(parent, 0755) < 0 && errno != EEXIST)
			return error_errno(e, "create %s", parent);
		return make_v2_below(parent, list, count, number, g, e);
	}
	if (!find_own("", own))
		return error_set(e, ERROR_UNSUPPORTED, "this process is in no control group");
	snprintf(parent, sizeof parent, TOP "%s", own);
	if (make_v2_below(parent, list, count, number, g, e) == 0)
		return 0;
	cgroup_remove(g);
	if (!*own)
		return -1;
	*strrchr(parent, '/') = '\0';
	return make_v2_below(parent, list, count, number, g, e);
}

/* A group of v1 begins without processors and memory: it gets those of the one above. */
static int copy_cpuset(const char *parent, const char *folder, struct error *e)
{
	static const char *const names[] = { "cpuset.cpus", "cpuset.mems" };

	for (int i = 0; i < 2; i++) {
		char path[2 * PATH_SIZE + NAME_MAX], text[FILE_SIZE_MAX];

		snprintf(path, sizeof path, "%s/%s", parent, names[i]);
		if (!read_text(path, text))
			return error_errno(e, "read %s", path);
		if (write_in(folder, names[i], text, e) < 0)
			return -1;
	}
	return 0;
}

/* In a container our own group may be shown from outside: then it is the top here. */
static int make_v1_folder(const struct cgroup_limits *l, const char *controller, unsigned number,
                          struct cgroup *g, struct error *e)
{
	char own[PATH_SIZE], parent[2 * PATH_SIZE];

	if (!find_own(controller, own))
		return error_set(e, ERROR_UNSUPPORTED,
		                 "there is no controller \"%s\" here", controller);
	snprintf(parent, sizeof parent, TOP "/%s%s", controller, l->parent ? l->parent : own);
	if (l->parent && mkdir(parent, 0755) < 0 && errno != EEXIST)
		return error_errno(e, "create %s", parent);
	if (access(parent, F_OK) < 0)
		snprintf(parent, sizeof parent, TOP "/%s", controller);
	if (make_folder(g, parent, number, e) < 0)
		return -1;
	if (strcmp(controller, "cpuset") != 0)
		return 0;
	return copy_cpuset(parent, g->folder[g->count - 1], e);
}

static int make_v1(const struct cgroup_limits *l, const struct setting *list, size_t count,
                   unsigned number, struct cgroup *g, struct error *e)
{
	const char *last = "";

	for (size_t i = 0; i < count; i++) {
		if (!list[i].v1)
			continue;
		if (strcmp(list[i].controller, last) != 0 &&
		    make_v1_folder(l, list[i].controller, number, g, e) < 0)
			return -1;
		last = list[i].controller;
		if (write_in(g->folder[g->count - 1], list[i].v1, list[i].value, e) < 0 &&
		    !list[i].optional)
			return -1;
	}
	return 0;
}

int cgroup_make(const struct cgroup_limits *l, struct cgroup *g, struct error *e)
{
	static _Atomic unsigned numbers;
	struct setting list[SETTINGS_MAX];
	size_t count = settings_of(l, list);
	unsigned number = atomic_fetch_add(&numbers, 1);
	struct statfs fs;

	*g = (struct cgroup){ 0 };
	if (statfs(TOP, &fs) < 0)
		return error_errno(e, TOP);
	return (fs.f_type == CGROUP2_SUPER_MAGIC ? make_v2 : make_v1)(l, list, count, number, g, e);
}

int cgroup_join(const struct cgroup *g, pid_t pid, struct error *e)
{
	char text[16];

	snprintf(text, sizeof text, "%d", pid);
	for (int i = 0; i < g->count; i++)
		if (write_in(g->folder[i], "cgroup.procs", text, e) < 0)
			return -1;
	return 0;
}

bool cgroup_was_too_small(const struct cgroup *g)
{
	static const char *const files[] = { "memory.events", "memory.oom_control" };

	for (int i = 0; i < 2 * g->count; i++) {
		char path[PATH_SIZE + NAME_MAX], text[FILE_SIZE_MAX];
		const char *line;

		snprintf(path, sizeof path, "%s/%s", g->folder[i / 2], files[i % 2]);
		line = read_text(path, text) ? strstr(text, "oom_kill ") : NULL;
		if (line && strtol(line + strlen("oom_kill "), NULL, 10) > 0)
			return true;
	}
	return false;
}

void cgroup_remove(struct cgroup *g)
{
	const struct timespec pause = { .tv_nsec = REMOVE_PAUSE_NS };

	for (int i = 0; i < g->count; i++) {
		int tries = 0;

		while (rmdir(g->folder[i]) < 0 && errno == EBUSY && tries++ < REMOVE_TRIES)
			nanosleep(&pause, NULL);
		free(g->folder[i]);
	}
	g->count = 0;
}
