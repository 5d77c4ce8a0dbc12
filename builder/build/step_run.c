#include "builder/build/step_run.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "builder/build/environment.h"
#include "builder/build/etc_files.h"
#include "builder/build/output_pump.h"
#include "layers/scope.h"

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

/* --- performing --------------------------------------------------------------------------------- */

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

/* Run it, its output being the step's. */
static int run_heard(struct building *b, struct task *t, struct sandbox_run *run,
                     struct sandbox_result *result, struct error *e)
{
	struct output_pump pump;
	int outcome;

	if (output_pump_begin(&pump, t->vertex, e) < 0)
		return -1;
	run->out = pump.to[0];
	run->err = pump.to[1];
	outcome = sandbox_run(b->sandbox, run, result, e);
	output_pump_end(&pump);
	return outcome;
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
	if (rootfs_user(store, root, step->user, &user, e) < 0)
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
		outcome = environment_make(b, step, user.home, &env, e);
	run.env = (const char *const *)env.item;
	if (outcome == 0)
		outcome = run_heard(b, t, &run, &result, e);
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
		upper = rootfs_upper(b, root.stack, &upper_temp, e);
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
