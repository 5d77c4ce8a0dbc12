#include "builder/build/enter.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/safe_text.h"
#include "builder/sandbox/terminal.h"
#include "layers/path.h"
#include "layers/scope.h"

/* The one thing a signal handler may touch. */
static volatile int cancel_fd = -1;

void enter_cancel(void)
{
	uint64_t one = 1;

	if (cancel_fd >= 0 && write(cancel_fd, &one, sizeof one) < 0)
		return;
}

/* All that one stay needs. */
struct stay {
	const struct enter_options *options;
	struct kept kept;
	struct sandbox_run run;
	struct sandbox_mount *mount;
	int *lock;                 /* of each of the record's mounts */
	char *tree;                /* the failed command's changes, relative to the store */
	const char **lower, **env;
	char **made;               /* variables of ENV that are made here */
	size_t made_count;
	struct store_temp upper_temp, work_temp;
	const char *shell[2];
};

static void warn(const char *what, const char *id, const char *flag)
{
	fprintf(stderr, "WARN: %s %s is not kept: give --%s %s to have it here\n", what, id, flag, id);
}

/* The secret ID; NULL, and a word about it, when it was not given. */
static const struct build_secret *given_secret(const struct enter_options *o, const char *id)
{
	for (size_t i = 0; i < o->secret_count; i++)
		if (strcmp(o->secret[i].id, id) == 0)
			return &o->secret[i];
	warn("the secret", id, "secret");
	return NULL;
}

/* --- mounts ----------------------------------------------------------------------------------- */

static int open_cache(struct stay *s, const struct kept_mount *m, int *lock, struct error *e)
{
	struct store *store = s->options->store;
	char text[DIGEST_TEXT];
	struct digest name;
	auto_close int folder = -1;

	snprintf(text, sizeof text, "sha256:%s", m->cache);
	if (digest_parse(text, &name, e) < 0)
		return -1;
	if (m->locked && (*lock = store_lock(store, &name, true, e)) < 0)
		return -1;
	folder = store_find(store, STORE_MOUNTS, m->cache, NULL, e);
	if (folder < 0)
		return -1;
	return path_open(folder, m->below ? m->below : "/", O_RDONLY | O_DIRECTORY, 0, e);
}

static int open_agent(const struct enter_options *o, const char *id, struct error *e)
{
	for (size_t i = 0; i < o->ssh_count; i++) {
		if (strcmp(o->ssh[i].id, id) == 0) {
			int fd = open(o->ssh[i].socket, O_PATH | O_CLOEXEC);

			return fd < 0 ? error_errno(e, "the ssh agent's socket %s", o->ssh[i].socket) : fd;
		}
	}
	warn("the ssh agent", id, "ssh");
	return -2;
}

/* 1 when OUT is a mount, 0 when there is none to make. */
static int open_mount(struct stay *s, const struct kept_mount *m, struct sandbox_mount *out,
                      int *lock, struct error *e)
{
	const struct build_secret *secret;

	*out = m->mount;
	if (m->secret) {
		secret = given_secret(s->options, m->secret);
		if (!secret)
			return 0;
		out->data = secret->value;
		out->size = secret->size;
	} else if (m->ssh) {
		out->source = open_agent(s->options, m->ssh, e);
		return out->source == -2 ? 0 : out->source < 0 ? -1 : 1;
	} else if (m->cache) {
		out->source = open_cache(s, m, lock, e);
		return out->source < 0 ? -1 : 1;
	}
	return 1;
}

static int open_mounts(struct stay *s, struct error *e)
{
	s->mount = calloc(s->kept.mount_count + 1, sizeof *s->mount);
	s->lock = malloc((s->kept.mount_count + 1) * sizeof *s->lock);
	if (!s->mount || !s->lock)
		return error_memory(e);
	for (size_t i = 0; i < s->kept.mount_count; i++)
		s->lock[i] = -1;
	s->run.mount = s->mount;
	for (size_t i = 0; i < s->kept.mount_count; i++) {
		int made = open_mount(s, &s->kept.mount[i], &s->mount[s->run.mount_count],
		                      &s->lock[i], e);

		if (made < 0)
			return error_context(e, "mount %s", s->kept.mount[i].mount.target);
		s->run.mount_count += (size_t)made;
	}
	return 0;
}

/* --- environment ------------------------------------------------------------------------------ */

static size_t count_of(const char *const *list)
{
	size_t count = 0;

	while (list && list[count])
		count++;
	return count;
}

static int add_variable(struct stay *s, const char *name, int length, const char *value)
{
	size_t used = count_of(s->env);

	if (asprintf(&s->made[s->made_count], "%.*s=%s", length, name, value) < 0)
		return -1;
	s->env[used] = s->made[s->made_count++];
	return 0;
}

static bool has_terminal_name(const char *const *env)
{
	for (; *env; env++)
		if (strncmp(*env, "TERM=", 5) == 0)
			return true;
	return false;
}

/* With variables that are made of secrets, and the kind of terminal there is. */
static int make_environment(struct stay *s, struct error *e)
{
	const char *const *wanted = s->kept.secret_env;
	size_t count = count_of(s->kept.env), more = count_of(wanted) + 1;
	const char *terminal = getenv("TERM");

	s->env = calloc(count + more + 1, sizeof *s->env);
	s->made = calloc(more, sizeof *s->made);
	if (!s->env || !s->made)
		return error_memory(e);
	memcpy(s->env, s->kept.env, count * sizeof *s->env);
	for (; wanted && *wanted; wanted++) {
		size_t length = strcspn(*wanted, "=");
		const struct build_secret *secret = given_secret(s->options, *wanted + length + 1);

		if (add_variable(s, *wanted, (int)length, secret ? secret->value : "") < 0)
			return error_memory(e);
	}
	if (s->options->interactive && terminal && !has_terminal_name(s->env) &&
	    add_variable(s, "TERM", 4, terminal) < 0)
		return error_memory(e);
	s->run.env = s->env;
	return 0;
}

/* --- files ------------------------------------------------------------------------------------ */

/* The failed command's changes are the uppermost layer. */
static int list_lower(struct stay *s, struct error *e)
{
	size_t count = count_of(s->kept.lower);

	s->lower = calloc(count + 2, sizeof *s->lower);
	if (!s->lower || asprintf(&s->tree, "failed/%s/tree", s->options->id) < 0)
		return error_memory(e);
	s->lower[0] = s->tree;
	for (size_t i = 0; i < count; i++) {
		const char *name = s->kept.lower[i] + strcspn(s->kept.lower[i], "/");

		if (!*name || !store_has(s->options->store, STORE_TREES, name + 1))
			return error_set(e, ERROR_NOT_FOUND,
			                 "%s has gone from the store: build again",
			                 s->kept.lower[i]);
		s->lower[i + 1] = s->kept.lower[i];
	}
	s->run.lower = s->lower;
	return 0;
}

/* What is changed now lies on top, in a folder like "/" is. */
static int make_upper(struct stay *s, struct error *e)
{
	struct stat st;

	s->run.store = open(store_path(s->options->store), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->run.store < 0 || fstatat(s->run.store, s->tree, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return error_errno(e, "open %s/%s", store_path(s->options->store), s->tree);
	s->run.upper = store_temp_dir(s->options->store, &s->upper_temp, e);
	s->run.work = s->run.upper < 0 ? -1 : store_temp_dir(s->options->store, &s->work_temp, e);
	if (s->run.work < 0)
		return -1;
	if (fchown(s->run.upper, st.st_uid, st.st_gid) < 0 ||
	    fchmod(s->run.upper, st.st_mode & 07777) < 0)
		return error_errno(e, "create a folder");
	return 0;
}

/* --- the stay --------------------------------------------------------------------------------- */

static int prepare(struct stay *s, struct error *e)
{
	const struct enter_options *o = s->options;
	char form[SANDBOX_FORM];

	if (kept_read(o->store, o->id, &s->kept, e) < 0)
		return -1;
	sandbox_form(form);
	if (strcmp(form, s->kept.form) != 0)
		return error_set(e, ERROR_INPUT,
		                 "failed step %s was kept by another user, or with another "
		                 "--isolation", o->id);
	s->run = s->kept.run;
	s->run.store = s->run.upper = s->run.work = -1;
	s->run.cancel = -1;
	s->shell[0] = s->kept.shell;
	s->run.argv = o->argv ? o->argv : s->shell;
	if (list_lower(s, e) < 0 || make_upper(s, e) < 0 || make_environment(s, e) < 0)
		return -1;
	return open_mounts(s, e);
}

static void say_where(const struct stay *s)
{
	safe_text(stderr, s->kept.step, strlen(s->kept.step));
	fprintf(stderr, "\n%s\nIts files are as it left them. What is changed here is forgotten; "
	        "\"exit\" leaves. Its command was:\n ", s->kept.end);
	for (size_t i = 0; s->kept.argv[i]; i++) {
		fputc(' ', stderr);
		safe_text(stderr, s->kept.argv[i], strlen(s->kept.argv[i]));
	}
	fputc('\n', stderr);
}

static void tell(void *context, const char *text)
{
	(void)context;
	fprintf(stderr, "WARN: %s\n", text);
}

static int live(struct stay *s, struct sandbox *sandbox, struct error *e)
{
	struct sandbox_result result;
	struct terminal t;
	int status;

	cancel_fd = s->run.cancel = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (cancel_fd < 0)
		return error_errno(e, "eventfd");
	status = terminal_begin(&t, s->options->interactive, &s->run, e);
	if (status == 0)
		status = sandbox_run(sandbox, &s->run, &result, e);
	terminal_end(&t);
	if (status == 0 && *result.reason)
		return error_set(e, ERROR_FAILED, "%s", result.reason);
	return status < 0 ? -1 : result.exit_code;
}

static void leave(struct stay *s)
{
	int fds[] = { s->run.store, s->run.upper, s->run.work, s->run.cancel };

	cancel_fd = -1;
	for (size_t i = 0; i < sizeof fds / sizeof *fds; i++)
		if (fds[i] >= 0)
			close(fds[i]);
	for (size_t i = 0; i < s->run.mount_count; i++)
		if (s->mount[i].source >= 0)
			close(s->mount[i].source);
	for (size_t i = 0; s->lock && i < s->kept.mount_count; i++)
		if (s->lock[i] >= 0)
			close(s->lock[i]);
	for (size_t i = 0; i < s->made_count; i++)
		free(s->made[i]);
	if (s->upper_temp.name[0])
		store_discard(&s->upper_temp);
	if (s->work_temp.name[0])
		store_discard(&s->work_temp);
	free(s->made);
	free(s->env);
	free(s->lower);
	free(s->tree);
	free(s->lock);
	free(s->mount);
	kept_release(&s->kept);
}

int enter(const struct enter_options *options, struct error *e)
{
	const struct sandbox_options how = { .way = options->isolation, .because = options->because,
		                             .notice = tell };
	struct stay s = { .options = options, .run = { .store = -1, .upper = -1, .work = -1,
		                                       .cancel = -1 } };
	struct sandbox *sandbox = NULL;
	int status = prepare(&s, e);

	if (status == 0) {
		sandbox = sandbox_open(&how, e);
		if (options->interactive && !options->argv)
			say_where(&s);
		status = sandbox ? live(&s, sandbox, e) : -1;
	}
	sandbox_close(sandbox);
	leave(&s);
	return status;
}
