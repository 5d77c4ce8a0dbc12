#include "builder/build/step_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/build/etc_files.h"
#include "builder/sandbox/passwd.h"
#include "layers/path.h"
#include "layers/scope.h"

#define PASSWD_SIZE_MAX (4 << 20)
#define DEFAULT_HOSTNAME "buildkitsandbox"

struct running {
	struct mounting *mounting;
	size_t mounting_count;
};

static const char *hostname_of(const struct building *b)
{
	return b->options->hostname ? b->options->hostname : DEFAULT_HOSTNAME;
}

/* --- what a RUN depends on -------------------------------------------------------------------- */

static void add_words(struct key *key, const char *name, const char *const *words)
{
	struct sha256 s;
	struct digest d;

	sha256_begin(&s);
	for (size_t i = 0; words[i]; i++)
		sha256_add(&s, words[i], strlen(words[i]) + 1);
	sha256_end(&s, &d);
	key_add_digest(key, name, &d);
}

/* Is the variable one of the image's (ENV), or of the build only (ARG)? */
static bool in_config(const struct building *b, const struct task *t, const char *name,
                      size_t length)
{
	json_t *config = json_object_get(b->plan->stage[t->step->stage].config, "config"), *item;
	size_t i;

	json_array_foreach(json_object_get(config, "Env"), i, item)
	{
		const char *text = json_string_value(item);

		if (text && strncmp(text, name, length) == 0 && text[length] == '=')
			return true;
	}
	return false;
}

static void add_environment(const struct building *b, const struct task *t, struct key *key)
{
	for (size_t i = 0; t->step->run.env[i]; i++) {
		const char *text = t->step->run.env[i];
		size_t length = strcspn(text, "=");
		char *name;

		if (asprintf(&name, "%s %.*s", in_config(b, t, text, length) ? "ENV" : "ARG", (int)length,
		             text) < 0)
			continue;
		key_add(key, name, text[length] ? text + length + 1 : "");
		free(name);
	}
}

static void add_options(const struct building *b, const struct run_step *run, struct key *key)
{
	key_add(key, "network", run->network_none ? "none" : run->network_host ? "host" : "default");
	key_add(key, "security", run->insecure ? "insecure" : "sandbox");
	key_add(key, "hostname", hostname_of(b));
	key_add_number(key, "shm-size", b->options->shm_size);
	for (size_t i = 0; i < b->options->add_host_count; i++)
		key_add(key, "add-host", b->options->add_host[i]);
	for (size_t i = 0; i < b->options->ulimit_count; i++) {
		key_add_number(key, "ulimit", b->options->ulimit[i].resource);
		key_add_number(key, "ulimit soft", (int64_t)b->options->ulimit[i].soft);
		key_add_number(key, "ulimit hard", (int64_t)b->options->ulimit[i].hard);
	}
}

static int run_prepare(struct building *b, struct task *t, struct key *key, void **work,
                       struct error *e)
{
	const struct run_step *run = &t->step->run;
	struct running *r = calloc(1, sizeof *r);
	size_t count;
	auto_free struct layer *layers = layers_below(b, t->step->stage, t->step->number, &count);
	struct digest chain;

	*work = r;
	if (!r || !layers)
		return error_memory(e);
	r->mounting = calloc(run->mount_count + 1, sizeof *r->mounting);
	if (!r->mounting)
		return error_memory(e);
	key_add(key, "command", run->shell_text);
	add_words(key, "arguments", run->argv);
	if (run->script)
		key_add(key, "script", run->script);
	add_environment(b, t, key);
	key_add(key, "working directory", run->cwd);
	key_add(key, "user", run->user);
	add_options(b, run, key);
	for (size_t i = 0; i < run->mount_count; i++) {
		struct mounting *m = &r->mounting[r->mounting_count++];

		m->descriptor = m->lock = -1;
		if (mount_prepare(b, t, &run->mount[i], m, key, e) < 0)
			return -1;
	}
	chain_digest(layers, count, &chain);
	key_add_digest(key, "the layers below", &chain);
	key_add_number(key, "SOURCE_DATE_EPOCH", b->plan->epoch);
	return 0;
}

static void run_release(void *work)
{
	struct running *r = work;

	if (!r)
		return;
	for (size_t i = 0; i < r->mounting_count; i++)
		mounting_release(&r->mounting[i]);
	free(r->mounting);
	free(r);
}

/* --- the root filesystem ------------------------------------------------------------------------ */

/* A layer that occurs twice (two RUN true) has one tree, and overlayfs wants a folder once: the
 * upper occurrence hides the lower one in any case. */
static void list_lower(struct rootfs *root, size_t count)
{
	size_t used = 0;

	for (size_t i = count; i-- > 0;) {
		bool listed = false;

		for (size_t k = 0; k < used && !listed; k++)
			listed = strcmp(root->lower[k], root->tree[i]) == 0;
		if (!listed)
			root->lower[used++] = root->tree[i];
	}
}

int rootfs_open(struct building *b, size_t stage, size_t number, struct rootfs *root,
                struct error *e)
{
	size_t count;

	root->stack = stack_below(b, stage, number, e);
	if (!root->stack || stack_fetch_all(root->stack, e) < 0)
		return -1;
	count = stack_count(root->stack);
	root->tree = calloc(count + 1, sizeof *root->tree);
	root->lower = calloc(count + 1, sizeof *root->lower);
	if (!root->tree || !root->lower)
		return error_memory(e);
	for (size_t i = 0; i < count; i++) {
		const struct layer *layer = stack_layer(root->stack, i);
		char path[TREE_PATH];

		if (tree_make(b->store, layer, root->stack, i, &b->trees, path, e) < 0)
			return -1;
		root->tree[i] = strdup(path);
		if (!root->tree[i])
			return error_memory(e);
	}
	list_lower(root, count);
	return 0;
}

void rootfs_release(struct rootfs *root)
{
	size_t count = root->stack ? stack_count(root->stack) : 0;

	for (size_t i = 0; root->tree && i < count; i++)
		free(root->tree[i]);
	free(root->tree);
	free(root->lower);
	stack_free(root->stack);
	*root = (struct rootfs){ 0 };
}

/* The upper folder is what "/" looks like in the merged view, so it has "/"'s mode and owner. */
static int make_upper(struct building *b, struct stack *below, struct store_temp *t,
                      struct error *e)
{
	auto_close int fd = store_temp_dir(b->store, t, e);
	struct found root;

	if (fd < 0)
		return -1;
	if (stack_lookup(below, "", &root, e) <= 0) {
		root.entry.mode = 0755;
		root.entry.uid = root.entry.gid = 0;
	}
	if (fchown(fd, root.entry.uid, root.entry.gid) < 0 || fchmod(fd, root.entry.mode) < 0)
		return error_errno(e, "%s/tmp", store_path(b->store));
	return take_fd(&fd);
}

/* --- what the command prints -------------------------------------------------------------------- */

struct pump {
	struct vertex *vertex;
	int from[2];    /* the reading ends of its standard output and error */
};

static void *pump_output(void *context)
{
	struct pump *pump = context;
	struct pollfd fds[2] = { { .fd = pump->from[0], .events = POLLIN },
		                 { .fd = pump->from[1], .events = POLLIN } };
	char buffer[16384];

	while (fds[0].fd >= 0 || fds[1].fd >= 0) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (fds[i].fd < 0 || !fds[i].revents)
				continue;
			n = read(fds[i].fd, buffer, sizeof buffer);
			if (n > 0)
				vertex_output(pump->vertex, i + 1, buffer, (size_t)n);
			else if (n == 0 || errno != EINTR)
				fds[i].fd = -1;
		}
	}
	return NULL;
}

static int run_pumped(struct building *b, struct task *t, struct sandbox_run *run,
                      struct sandbox_result *result, struct error *e)
{
	struct pump pump = { .vertex = t->vertex };
	int out[2], err[2], outcome;
	pthread_t thread;

	if (pipe2(out, O_CLOEXEC) < 0)
		return error_errno(e, "pipe");
	if (pipe2(err, O_CLOEXEC) < 0) {
		error_errno(e, "pipe");
		close(out[0]);
		close(out[1]);
		return -1;
	}
	pump.from[0] = out[0];
	pump.from[1] = err[0];
	run->out = out[1];
	run->err = err[1];
	if (pthread_create(&thread, NULL, pump_output, &pump) != 0) {
		outcome = error_memory(e);
		close(out[1]);
		close(err[1]);
	} else {
		outcome = sandbox_run(b->sandbox, run, result, e);
		close(out[1]);
		close(err[1]);
		pthread_join(thread, NULL);
	}
	close(out[0]);
	close(err[0]);
	return outcome;
}

/* --- environment -------------------------------------------------------------------------------- */

struct environment {
	char **item;
	size_t count;
};

static bool has_variable(const struct environment *env, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->item[i], name, length) == 0 && env->item[i][length] == '=')
			return true;
	return false;
}

static int add_variable(struct environment *env, const char *name, const char *value)
{
	return asprintf(&env->item[env->count], "%s=%s", name, value) < 0 ? -1 : (int)env->count++;
}

static size_t count_words(const char *const *words)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
}

static int make_environment(struct building *b, const struct run_step *run, const char *home,
                            struct environment *env, struct error *e)
{
	bool agent = false;
	int result = 0;

	env->item = calloc(count_words(run->env) + count_words(run->proxies) + run->mount_count + 3,
	                   sizeof *env->item);
	if (!env->item)
		return error_memory(e);
	for (size_t i = 0; i < count_words(run->env); i++)
		env->item[env->count++] = strdup(run->env[i]);
	for (size_t i = 0; i < count_words(run->proxies); i++)
		env->item[env->count++] = strdup(run->proxies[i]);
	if (!has_variable(env, "HOME"))
		result |= add_variable(env, "HOME", home);
	for (size_t i = 0; i < run->mount_count; i++) {
		const struct mount *m = &run->mount[i].mount;

		if (m->type == MOUNT_SECRET && m->env) {
			const struct build_secret *secret = find_secret(b, m->id);

			result |= add_variable(env, m->env, secret ? secret->value : "");
		}
		if (m->type == MOUNT_SSH && !agent && find_ssh(b, m->id) &&
		    !has_variable(env, "SSH_AUTH_SOCK")) {
			agent = true;
			result |= add_variable(env, "SSH_AUTH_SOCK", m->target);
		}
	}
	for (size_t i = 0; i < env->count; i++)
		if (!env->item[i])
			result = -1;
	return result < 0 ? error_memory(e) : 0;
}

static void environment_release(struct environment *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->item[i]);
	free(env->item);
}

/* --- performing --------------------------------------------------------------------------------- */

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
	tree = openat(store, root->tree[found.layer],
	              O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (tree < 0)
		return error_errno(e, "the tree that has %s", path);
	*text = path_read(tree, resolved, PASSWD_SIZE_MAX, NULL, e);
	return *text ? 0 : -1;
}

static int resolve_user(int store, const struct rootfs *root, const char *spec,
                        struct passwd_user *user, struct error *e)
{
	auto_free char *passwd = NULL, *group = NULL;

	if (read_from_trees(store, root, "etc/passwd", &passwd, e) < 0 ||
	    read_from_trees(store, root, "etc/group", &group, e) < 0)
		return -1;
	return passwd_resolve(passwd, group, spec, user, e);
}

/* The way BuildKit shows a command: arguments joined, newlines and quotes escaped as in Go. */
static char *quote_command(const char *const *argv)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (!f)
		return NULL;
	for (size_t i = 0; argv[i]; i++) {
		if (i)
			fputc(' ', f);
		for (const char *p = argv[i]; *p; p++) {
			if (*p == '\n')
				fputs("\\n", f);
			else if (*p == '\t')
				fputs("\\t", f);
			else if (*p == '"' || *p == '\\')
				fprintf(f, "\\%c", *p);
			else if ((unsigned char)*p < ' ' || *p == 0x7f)
				fprintf(f, "\\x%02x", (unsigned char)*p);
			else
				fputc(*p, f);
		}
	}
	fclose(f);
	return text;
}

static int judge(const struct run_step *run, const struct sandbox_result *result, struct error *e)
{
	auto_free char *command = NULL;

	if (result->exit_code == 0)
		return 0;
	command = quote_command(run->argv);
	error_set(e, ERROR_FAILED, "process \"%.1200s\" did not complete successfully: %s",
	          command ? command : "", result->out_of_memory ? "cannot allocate memory" : "exit code");
	if (!result->out_of_memory) {
		size_t used = strlen(e->text);

		snprintf(e->text + used, sizeof e->text - used, ": %d%s%s", result->exit_code,
		         *result->reason ? ": " : "", result->reason);
	}
	return -1;
}

static int open_mounts(struct building *b, struct task *t, struct running *r,
                       struct sandbox_mount *out, size_t *count, struct error *e)
{
	const struct run_step *run = &t->step->run;

	if (run->script)
		out[(*count)++] = (struct sandbox_mount){
			.kind = SANDBOX_FILE, .target = run->argv[0], .data = run->script,
			.size = strlen(run->script), .mode = 0755,
		};
	for (size_t i = 0; i < run->mount_count; i++) {
		int made = mount_open(b, t, &run->mount[i], &r->mounting[i], &out[*count], e);

		if (made < 0)
			return -1;
		*count += (size_t)made;
	}
	return 0;
}

/* Everything is there: run it in UPPER, and judge how it ended. */
static int run_in(struct building *b, struct task *t, const struct rootfs *root, int upper,
                  int work, struct running *r, struct error *e)
{
	const struct run_step *step = &t->step->run;
	const struct build_options *o = b->options;
	auto_free struct sandbox_mount *mounts = calloc(step->mount_count + 1, sizeof *mounts);
	auto_free struct sandbox_limit *limits = calloc(o->ulimit_count + 1, sizeof *limits);
	auto_free char *hosts = etc_hosts(hostname_of(b), o->add_host, o->add_host_count, e);
	auto_free char *resolv_conf = etc_resolv_conf();
	auto_close int store = open(store_path(b->store), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct environment env = { 0 };
	struct passwd_user user = { 0 };
	struct sandbox_result result;
	int outcome;

	if (!hosts)
		return -1;
	if (!mounts || !limits || !resolv_conf)
		return error_memory(e);
	if (store < 0)
		return error_errno(e, "open %s", store_path(b->store));
	if (resolve_user(store, root, step->user, &user, e) < 0)
		return -1;
	struct sandbox_run run = {
		.argv = step->argv, .cwd = step->cwd, .uid = user.uid, .gid = user.gid,
		.groups = user.groups, .group_count = user.group_count, .store = store,
		.lower = root->lower, .upper = upper, .work = work,
		.mount = mounts, .limit = limits, .limit_count = o->ulimit_count,
		.hostname = hostname_of(b), .hosts = hosts, .resolv_conf = resolv_conf,
		.network = step->network_none ? SANDBOX_NETWORK_NONE : SANDBOX_NETWORK_HOST,
		.shm_size = (uint64_t)o->shm_size, .insecure = step->insecure, .cancel = b->cancel,
	};
	for (size_t i = 0; i < o->ulimit_count; i++)
		limits[i] = (struct sandbox_limit){ o->ulimit[i].resource,
			                            { o->ulimit[i].soft, o->ulimit[i].hard } };
	outcome = open_mounts(b, t, r, mounts, &run.mount_count, e);
	if (outcome == 0)
		outcome = make_environment(b, step, user.home, &env, e);
	run.env = (const char *const *)env.item;
	if (outcome == 0)
		outcome = run_pumped(b, t, &run, &result, e);
	if (outcome == 0)
		outcome = judge(step, &result, e);
	environment_release(&env);
	passwd_release(&user);
	return outcome;
}

static int take_layer(struct building *b, struct stack *below, int upper, struct store_temp *temp,
                      struct record *record, struct error *e)
{
	struct layer_writer *w = layer_begin(b->store, e);

	if (!w)
		return -1;
	if (tree_changes(upper, below, b->trees.user_xattrs, b->plan->epoch, w, e) < 0) {
		layer_abandon(w);
		return -1;
	}
	if (layer_finish(w, &record->layer, e) < 0)
		return -1;
	record->has_layer = true;
	return tree_adopt(b->store, temp, &record->layer.diff_id, e);
}

static int run_perform(struct building *b, struct task *t, void *work_of, struct record *record,
                       struct error *e)
{
	struct rootfs root = { 0 };
	struct store_temp upper_temp = { 0 }, work_temp = { 0 };
	int upper = -1, work = -1, result = -1;

	if (rootfs_open(b, t->step->stage, t->step->number, &root, e) == 0) {
		upper = make_upper(b, root.stack, &upper_temp, e);
		work = upper < 0 ? -1 : store_temp_dir(b->store, &work_temp, e);
	}
	if (work >= 0)
		result = run_in(b, t, &root, upper, work, work_of, e);
	if (result == 0)
		result = take_layer(b, root.stack, upper, &upper_temp, record, e);
	if (result < 0 && upper_temp.name[0])
		store_discard(&upper_temp);
	if (work_temp.name[0])
		store_discard(&work_temp);
	if (upper >= 0)
		close(upper);
	if (work >= 0)
		close(work);
	rootfs_release(&root);
	return result;
}

const struct step_kind_row run_row = { run_prepare, run_perform, run_release, NULL };
