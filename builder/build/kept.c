#include "builder/build/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "layers/digest.h"
#include "layers/memory_stream.h"
#include "layers/path.h"
#include "layers/scope.h"

#define RECORD_SIZE_MAX (256 << 20)
#define FIRST_LINE "cairn failed 1"

/* --- writing ---------------------------------------------------------------------------------- */

/* A line: newlines in VALUE are written "\n", backslashes twice. Nothing for NULL. */
static void put(FILE *f, const char *key, const char *value)
{
	if (!value)
		return;
	fprintf(f, "%s ", key);
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			fputs("\\n", f);
		else if (*p == '\\')
			fputs("\\\\", f);
		else
			fputc(*p, f);
	}
	fputc('\n', f);
}

static void put_list(FILE *f, const char *key, const char *const *list)
{
	for (; list && *list; list++)
		put(f, key, *list);
}

/* Is VARIABLE ("NAME=VALUE") one that a secret is for? */
static bool is_secret(const struct run_step *step, const char *variable)
{
	for (size_t i = 0; i < step->mount_count; i++) {
		const struct mount *m = &step->mount[i].mount;
		size_t length = m->env ? strlen(m->env) : 0;

		if (m->type == MOUNT_SECRET && m->env && strncmp(variable, m->env, length) == 0 &&
		    variable[length] == '=')
			return true;
	}
	return false;
}

static void put_environment(FILE *f, const struct run_step *step, const char *const *env)
{
	for (; *env; env++)
		if (!is_secret(step, *env))
			put(f, "env", *env);
	for (size_t i = 0; i < step->mount_count; i++) {
		const struct mount *m = &step->mount[i].mount;

		if (m->type == MOUNT_SECRET && m->env)
			fprintf(f, "secret-env %s=%s\n", m->env, m->id);
	}
}

/* A cache's folder as "HEX/PATH/BELOW": all of its path behind mounts/. */
static int put_cache(FILE *f, const struct building *b, const struct sandbox_mount *m,
                     struct error *e)
{
	char link[64], path[4096];
	size_t before = strlen(store_path(b->store)) + strlen("/mounts/");
	ssize_t length;

	snprintf(link, sizeof link, "/proc/self/fd/%d", m->source);
	length = readlink(link, path, sizeof path - 1);
	if (length < 0 || (size_t)length <= before)
		return error_errno(e, "find the cache of %s", m->target);
	path[length] = '\0';
	fprintf(f, "mount-cache %.*s\n", (int)strcspn(path + before, "/"), path + before);
	put(f, "mount-below", path + before + strcspn(path + before, "/"));
	return 0;
}

/* ASKED is what the Dockerfile says; NULL for the script of a here-document. */
static int put_mount(FILE *f, const struct building *b, const struct sandbox_mount *m,
                     const struct run_mount *asked, struct error *e)
{
	fprintf(f, "mount %d %d %" PRIu64 " %o %u %u\n", m->kind, m->read_only, m->size, m->mode,
	        m->uid, m->gid);
	put(f, "mount-target", m->target);
	if (m->kind == SANDBOX_IMAGE) {
		put_list(f, "mount-lower", m->lower);
		put(f, "mount-subpath", m->subpath);
	}
	if (m->kind == SANDBOX_FILE && !asked)
		put(f, "mount-data", m->data);
	else if (m->kind == SANDBOX_FILE)
		put(f, "mount-secret", asked->mount.id);
	if (m->kind == SANDBOX_AGENT)
		put(f, "mount-ssh", asked->mount.id);
	if (m->kind == SANDBOX_BIND && asked->mount.sharing != MOUNT_SHARED)
		put(f, "mount-locked", "");
	return m->kind == SANDBOX_BIND ? put_cache(f, b, m, e) : 0;
}

static const char *shell_of(const char *const *argv)
{
	size_t length = strlen(argv[0]);

	return length >= 2 && strcmp(argv[0] + length - 2, "sh") == 0 ? argv[0] : "/bin/sh";
}

static int put_all(FILE *f, const struct building *b, const struct task *t,
                   const struct scene *scene, const char *end, struct error *e)
{
	const struct sandbox_run *r = &scene->run;
	const struct run_step *step = &t->step->run;

	fprintf(f, FIRST_LINE "\n");
	put(f, "step", t->step->name);
	put(f, "end", end);
	put(f, "form", b->trees.form);
	put(f, "shell", shell_of(r->argv));
	fprintf(f, "when %lld\n", (long long)time(NULL));
	put_list(f, "arg", r->argv);
	put_environment(f, step, r->env);
	put(f, "cwd", r->cwd);
	fprintf(f, "user %u %u\n", r->uid, r->gid);
	for (size_t i = 0; i < r->group_count; i++)
		fprintf(f, "group %u\n", r->groups[i]);
	put_list(f, "lower", r->lower);
	put(f, "hostname", r->hostname);
	put(f, "hosts", r->hosts);
	put(f, "resolv-conf", r->resolv_conf);
	fprintf(f, "world %d %d %" PRIu64 "\n", r->network, r->insecure, r->shm_size);
	for (size_t i = 0; i < r->limit_count; i++)
		fprintf(f, "limit %d %" PRIu64 " %" PRIu64 "\n", r->limit[i].resource,
		        (uint64_t)r->limit[i].value.rlim_cur, (uint64_t)r->limit[i].value.rlim_max);
	for (size_t i = 0; i < r->mount_count; i++)
		if (put_mount(f, b, &r->mount[i], scene->asked[i], e) < 0)
			return -1;
	return 0;
}

static int write_record(int dir, const struct building *b, const struct task *t,
                        const struct scene *scene, const char *end, struct error *e)
{
	auto_free char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);
	int result;

	if (!f)
		return error_memory(e);
	result = put_all(f, b, t, scene, end, e);
	if (fclose(f) != 0 && result == 0)
		result = error_memory(e);
	return result < 0 ? -1 : path_write(dir, "record", text, size, 0600, e);
}

/* Nobody has to be kept from guessing it. */
static void make_id(const struct store_temp *t, char id[static KEPT_ID])
{
	struct timespec now;
	struct sha256 s;
	struct digest d;
	char hex[DIGEST_HEX + 1];

	clock_gettime(CLOCK_REALTIME, &now);
	sha256_begin(&s);
	sha256_add(&s, &now, sizeof now);
	sha256_add(&s, t->name, strlen(t->name));
	sha256_end(&s, &d);
	snprintf(id, KEPT_ID, "%.12s", digest_hex(&d, hex));
}

int kept_save(struct building *b, const struct task *t, const struct scene *scene,
              struct attempt *a, const char *end, char id[static KEPT_ID], struct error *e)
{
	struct store_temp folder;
	auto_close int dir = store_temp_dir(b->store, &folder, e);

	if (dir < 0)
		return -1;
	make_id(&folder, id);
	if (renameat(a->upper_temp.dir, a->upper_temp.name, dir, "tree") < 0)
		error_errno(e, "keep the files of the step");
	else if (write_record(dir, b, t, scene, end, e) == 0 &&
	         store_keep(b->store, &folder, STORE_FAILED, id, e) == 0)
		return 0;
	store_discard(&folder);
	id[0] = '\0';
	return -1;
}

/* --- reading ---------------------------------------------------------------------------------- */

enum line_kind { LINE_TEXT, LINE_LIST, LINE_MOUNT_TEXT };

static const struct {
	const char *key;
	enum line_kind kind;
	size_t at;
} lines[] = {
	{ "step", LINE_TEXT, offsetof(struct kept, step) },
	{ "end", LINE_TEXT, offsetof(struct kept, end) },
	{ "form", LINE_TEXT, offsetof(struct kept, form) },
	{ "shell", LINE_TEXT, offsetof(struct kept, shell) },
	{ "cwd", LINE_TEXT, offsetof(struct kept, run.cwd) },
	{ "hostname", LINE_TEXT, offsetof(struct kept, run.hostname) },
	{ "hosts", LINE_TEXT, offsetof(struct kept, run.hosts) },
	{ "resolv-conf", LINE_TEXT, offsetof(struct kept, run.resolv_conf) },
	{ "arg", LINE_LIST, offsetof(struct kept, argv) },
	{ "env", LINE_LIST, offsetof(struct kept, env) },
	{ "lower", LINE_LIST, offsetof(struct kept, lower) },
	{ "secret-env", LINE_LIST, offsetof(struct kept, secret_env) },
	{ "mount-target", LINE_MOUNT_TEXT, offsetof(struct kept_mount, mount.target) },
	{ "mount-subpath", LINE_MOUNT_TEXT, offsetof(struct kept_mount, mount.subpath) },
	{ "mount-data", LINE_MOUNT_TEXT, offsetof(struct kept_mount, mount.data) },
	{ "mount-secret", LINE_MOUNT_TEXT, offsetof(struct kept_mount, secret) },
	{ "mount-ssh", LINE_MOUNT_TEXT, offsetof(struct kept_mount, ssh) },
	{ "mount-cache", LINE_MOUNT_TEXT, offsetof(struct kept_mount, cache) },
	{ "mount-below", LINE_MOUNT_TEXT, offsetof(struct kept_mount, below) },
};

static void unescape(char *text)
{
	char *out = text;

	for (; *text; text++) {
		if (*text == '\\' && text[1])
			*out++ = *++text == 'n' ? '\n' : *text;
		else
			*out++ = *text;
	}
	*out = '\0';
}

static int append(const char ***list, const char *value)
{
	size_t count = 0;
	const char **grown;

	while (*list && (*list)[count])
		count++;
	grown = reallocarray(*list, count + 2, sizeof *grown);
	if (!grown)
		return -1;
	grown[count] = value;
	grown[count + 1] = NULL;
	*list = grown;
	return 0;
}

static int take_mount(struct kept *k, const char *value)
{
	struct kept_mount *grown = reallocarray(k->mount, k->mount_count + 1, sizeof *grown);
	int kind, read_only;

	if (!grown)
		return -1;
	k->mount = grown;
	grown += k->mount_count++;
	*grown = (struct kept_mount){ .mount.source = -1 };
	if (sscanf(value, "%d %d %" SCNu64 " %o %u %u", &kind, &read_only, &grown->mount.size,
	           &grown->mount.mode, &grown->mount.uid, &grown->mount.gid) != 6)
		return -1;
	grown->mount.kind = (enum sandbox_mount_kind)kind;
	grown->mount.read_only = read_only;
	return 0;
}

static int take_group(struct kept *k, const char *value)
{
	gid_t *grown = reallocarray(k->groups, k->run.group_count + 1, sizeof *grown);

	if (!grown)
		return -1;
	k->run.groups = k->groups = grown;
	return sscanf(value, "%u", &grown[k->run.group_count++]) == 1 ? 0 : -1;
}

static int take_limit(struct kept *k, const char *value)
{
	struct sandbox_limit *grown = reallocarray(k->limit, k->run.limit_count + 1, sizeof *grown);
	uint64_t soft, hard;

	if (!grown)
		return -1;
	k->run.limit = k->limit = grown;
	grown += k->run.limit_count++;
	if (sscanf(value, "%d %" SCNu64 " %" SCNu64, &grown->resource, &soft, &hard) != 3)
		return -1;
	grown->value = (struct rlimit){ soft, hard };
	return 0;
}

/* Lines of numbers. */
static int take_numbers(struct kept *k, const char *key, const char *value)
{
	struct kept_mount *mount = k->mount_count ? &k->mount[k->mount_count - 1] : NULL;
	int network, insecure;

	if (strcmp(key, "mount") == 0)
		return take_mount(k, value);
	if (strcmp(key, "group") == 0)
		return take_group(k, value);
	if (strcmp(key, "limit") == 0)
		return take_limit(k, value);
	if (strcmp(key, "mount-locked") == 0 && mount) {
		mount->locked = true;
		return 0;
	}
	if (strcmp(key, "mount-lower") == 0 && mount)
		return append((const char ***)(void *)&mount->mount.lower, value);
	if (strcmp(key, "when") == 0)
		return sscanf(value, "%" SCNd64, &k->when) == 1 ? 0 : -1;
	if (strcmp(key, "user") == 0)
		return sscanf(value, "%u %u", &k->run.uid, &k->run.gid) == 2 ? 0 : -1;
	if (strcmp(key, "world") != 0 ||
	    sscanf(value, "%d %d %" SCNu64, &network, &insecure, &k->run.shm_size) != 3)
		return -1;
	k->run.network = (enum sandbox_network)network;
	k->run.insecure = insecure;
	return 0;
}

static int take_line(struct kept *k, const char *key, char *value)
{
	unescape(value);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		char *where = (char *)k + lines[i].at;

		if (strcmp(lines[i].key, key) != 0)
			continue;
		if (lines[i].kind == LINE_LIST)
			return append((const char ***)(void *)where, value);
		if (lines[i].kind == LINE_MOUNT_TEXT && k->mount_count == 0)
			return -1;
		if (lines[i].kind == LINE_MOUNT_TEXT)
			where = (char *)&k->mount[k->mount_count - 1] + lines[i].at;
		*(const char **)(void *)where = value;
		return 0;
	}
	return take_numbers(k, key, value);
}

char *kept_text(struct store *s, const char *id, struct error *e)
{
	auto_close int dir = -1;

	if (strlen(id) != KEPT_ID - 1 || strspn(id, "0123456789abcdef") != KEPT_ID - 1) {
		error_set(e, ERROR_NOT_FOUND, "no failed step is kept as %s", id);
		return NULL;
	}
	dir = store_find(s, STORE_FAILED, id, NULL, e);
	if (dir < 0) {
		if (e->kind == ERROR_NOT_FOUND)
			error_set(e, ERROR_NOT_FOUND, "no failed step is kept as %s", id);
		return NULL;
	}
	return path_read(dir, "record", RECORD_SIZE_MAX, NULL, e);
}

int kept_read(struct store *s, const char *id, struct kept *k, struct error *e)
{
	char *rest, *line;

	*k = (struct kept){ 0 };
	k->text = rest = kept_text(s, id, e);
	if (!rest)
		return -1;
	line = strsep(&rest, "\n");
	if (strcmp(line, FIRST_LINE) != 0)
		return error_set(e, ERROR_CORRUPT,
		                 "failed step %s was kept by another version", id);
	while ((line = strsep(&rest, "\n")) && *line) {
		char *value = strchr(line, ' ');

		if (value)
			*value++ = '\0';
		if (!value || take_line(k, line, value) < 0)
			return error_set(e, ERROR_CORRUPT,
			                 "the record of failed step %s has a line \"%.60s\"",
			                 id, line);
	}
	if (!k->argv || !k->env || !k->run.cwd || !k->shell || !k->step || !k->end || !k->form)
		return error_set(e, ERROR_CORRUPT,
		                 "the record of failed step %s was cut short", id);
	k->run.argv = k->argv;
	return 0;
}

void kept_release(struct kept *k)
{
	for (size_t i = 0; i < k->mount_count; i++)
		free((void *)k->mount[i].mount.lower);
	free(k->mount);
	free(k->limit);
	free(k->groups);
	free(k->argv);
	free(k->env);
	free(k->lower);
	free(k->secret_env);
	free(k->text);
	*k = (struct kept){ 0 };
}

/* --- removing --------------------------------------------------------------------------------- */

int kept_remove(struct store *s, const char *id, struct error *e)
{
	auto_free char *text = kept_text(s, id, e);

	return text ? store_remove(s, STORE_FAILED, id, e) : -1;
}

struct sweep {
	struct store *store;
	int64_t when;
	struct error *error;
	int result;
};

static int remove_if_old(const char *id, void *context)
{
	struct sweep *w = context;
	struct error unreadable;
	struct kept k;

	/* What cannot be read is of no use. */
	if (kept_read(w->store, id, &k, &unreadable) < 0 || k.when < w->when)
		w->result = store_remove(w->store, STORE_FAILED, id, w->error);
	kept_release(&k);
	return w->result;
}

int kept_remove_old(struct store *s, int64_t when, struct error *e)
{
	struct sweep w = { s, when, e, 0 };

	return store_list(s, STORE_FAILED, remove_if_old, &w, e) < 0 ? -1 : w.result;
}
