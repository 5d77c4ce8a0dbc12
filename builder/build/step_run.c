#include "builder/build/step_run.h"

#include <stdlib.h>
#include <string.h>

#include "builder/build/kept.h"
#include "builder/build/output_pump.h"
#include "builder/build/scene.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "parser/duration.h"

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
	key_add(key, "hostname", scene_hostname(b));
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
	/* What a command makes of owners it cannot see is not for those who could. */
	if (!b->trees.keep_owners)
		key_add(key, "owners", "one user");
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

/* --- what is said of a failure ------------------------------------------------------------------ */

/* The way BuildKit shows a command: arguments joined, newlines and quotes escaped as in Go. */
static char *quote_command(const char *const *argv)
{
	char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

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

/* Which limit of the build's was hit, in words. */
static void say_overtime(const struct build_options *o, enum sandbox_overtime why, char *text,
                         size_t size)
{
	char limit[DURATION_TEXT];

	if (why == SANDBOX_TOO_LONG)
		snprintf(text, size, "still running after %s (--run-timeout)",
		         duration_format(o->run_timeout_ms * DURATION_MS, limit));
	else
		snprintf(text, size, "nothing printed for %s (--run-idle-timeout)",
		         duration_format(o->run_idle_timeout_ms * DURATION_MS, limit));
}

/* How a command ended, when it did not end well. */
static void say_end(const struct build_options *o, const struct sandbox_result *result, char *text,
                    size_t size)
{
	if (result->overtime)
		say_overtime(o, result->overtime, text, size);
	else if (result->out_of_memory)
		snprintf(text, size, "cannot allocate memory");
	else
		snprintf(text, size, "exit code: %d%s%s", result->exit_code,
		         *result->reason ? ": " : "", result->reason);
}

static int fail(const struct task *t, const char *end, struct error *e)
{
	auto_free char *command = quote_command(t->step->run.argv);

	return error_set(e, ERROR_FAILED, "process \"%.1200s\" did not complete successfully: %s",
	                 command ? command : "", end);
}

/* --- one try ------------------------------------------------------------------------------------ */

struct listening {
	struct building *building;
	struct vertex *vertex;
};

/* A command took too long: what it was doing is told before it is killed. */
static void show_processes(void *context, const struct process_tree *tree)
{
	const struct listening *l = context;
	auto_free char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

	if (!f)
		return;
	fputs("still running:\n", f);
	process_tree_print(tree, l->building->options->mask, f);
	if (fclose(f) == 0)
		vertex_output(l->vertex, 2, text, size);
}

static bool remove_waste(void *store)
{
	return store_remove_waste(store);
}

/* Run it, its output being the step's. */
static int run_heard(struct building *b, struct task *t, struct sandbox_run run,
                     struct sandbox_result *result, struct error *e)
{
	const struct build_options *o = b->options;
	struct listening listening = { b, t->vertex };
	struct output_pump pump;
	int outcome;

	if (output_pump_begin(&pump, t->vertex, e) < 0)
		return -1;
	run.leave = true;
	run.out = pump.to[0];
	run.err = pump.to[1];
	run.ear = &pump.ear;
	run.meanwhile = remove_waste;
	run.meanwhile_context = b->store;
	run.patience = (struct sandbox_patience){
		.whole_ms = o->run_timeout_ms, .silent_ms = o->run_idle_timeout_ms,
		.heard_ms = &pump.heard_ms, .over = show_processes, .context = &listening,
	};
	outcome = sandbox_run(b->sandbox, &run, result, e);
	output_pump_end(&pump);
	return outcome;
}

static int take_layer(struct building *b, const struct scene *scene, struct attempt *a,
                      struct record *record, struct error *e)
{
	const struct owner maker = { scene->run.uid, scene->run.gid };
	const struct tree_base base = { scene->root.stack, scene->run.store, scene->root.tree };
	struct layer_writer *w = layer_begin(b->store, e);

	if (!w)
		return -1;
	if (tree_changes(a->upper, &base, &b->trees, &maker, b->plan->epoch, w, e) < 0) {
		layer_abandon(w);
		return -1;
	}
	if (layer_finish(w, &record->layer, e) < 0)
		return -1;
	record->has_layer = true;
	if (tree_adopt(b->store, &a->upper_temp, &record->layer.diff_id, &b->trees, e) < 0)
		return -1;
	a->upper_temp.name[0] = '\0';
	return 0;
}

/* --- performing --------------------------------------------------------------------------------- */

/* No more tries: this is how the last one ended. */
static int give_up(struct building *b, struct task *t, const struct scene *scene,
                   struct attempt *a, const char *end, struct error *e)
{
	struct error lost;

	if (b->options->keep_failed && kept_save(b, t, scene, a, end, t->kept, &lost) < 0)
		vertex_note(t->vertex, lost.text);
	return fail(t, end, e);
}

/* From the pristine parent, however far the try before came. 1 when there is to be another. */
static int try_once(struct building *b, struct task *t, const struct scene *scene, bool last,
                    struct record *record, char *end, size_t end_size, struct error *e)
{
	struct sandbox_run run = scene->run;
	struct sandbox_result result;
	struct attempt a;
	int outcome = attempt_begin(b, scene, &a, e);

	run.upper = a.upper;
	run.work = a.work;
	if (outcome == 0)
		outcome = run_heard(b, t, run, &result, e);
	if (outcome == 0 && result.remains >= 0) {
		t->has_remains = true;
		t->remains = a.remains = result.remains;
	}
	if (outcome == 0 && result.exit_code != 0) {
		say_end(b->options, &result, end, end_size);
		/* What the kernel says to it ("Invalid argument") explains nothing. */
		if (!b->trees.keep_owners && !result.overtime && !*result.reason)
			vertex_note(t->vertex, "with a single id a RUN can neither chown nor become "
			            "another user: give this user more of them in /etc/subuid and "
			            "/etc/subgid");
		/* What cannot be started is not there the next time, either. */
		outcome = *result.reason || last ? give_up(b, t, scene, &a, end, e) : 1;
	} else if (outcome == 0) {
		outcome = take_layer(b, scene, &a, record, e);
	}
	attempt_release(b, &a);
	return outcome;
}

static int run_perform(struct building *b, struct task *t, void *work, struct record *record,
                       struct error *e)
{
	unsigned attempts = b->options->run_retries + 1;
	struct scene scene;
	char end[600], note[700];
	int outcome = scene_open(b, t, work, &scene, e);

	for (unsigned i = 1; outcome == 0; i++) {
		outcome = try_once(b, t, &scene, i == attempts, record, end, sizeof end, e);
		if (outcome <= 0)
			break;
		snprintf(note, sizeof note, "%s; attempt %u of %u", end, i + 1, attempts);
		vertex_note(t->vertex, note);
		outcome = 0;
	}
	scene_release(&scene);
	return outcome;
}

const struct step_kind_row run_row = { run_prepare, run_perform, run_release, NULL };
