/* cairn build: from a command line to an image.
 *
 *     flags -> Dockerfile -> contexts -> plan -> build -> outputs -> what is told of it
 */
#include "builder/command/command.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/build/base.h"
#include "builder/build/build.h"
#include "builder/build/enter.h"
#include "builder/command/build_flags.h"
#include "builder/command/build_result.h"
#include "builder/plan/call.h"
#include "builder/copy/context.h"
#include "builder/command/context_source.h"
#include "builder/command/contexts.h"
#include "builder/command/dockerfile_source.h"
#include "builder/image/packer.h"
#include "builder/interrupt.h"
#include "builder/plan/plan.h"
#include "builder/command/report.h"
#include "builder/command/rights.h"
#include "layers/scope.h"

/* The last lines of a failed step that are shown again. */
#define TAIL_SHOWN 10

struct session {
	struct build_flags flags;
	struct store *store;
	struct progress *progress;
	struct remote remote;
	struct bases *bases;
	struct build_result result;
	struct context_source place;
	struct dockerfile_source source;
	struct dockerfile *file;
	struct contexts contexts;
	struct plan *plan;
	struct image image;
	bool again;                     /* the second attempt */

	/* What a failure leaves to report. */
	struct mistakes mistakes;
	char *tail, *step_name;
	int first_line, last_line;
	char kept[KEPT_ID];
};

/* --- the Dockerfile ------------------------------------------------------------------------- */

/* The file has mistakes that the parser saw; those that only the planner sees are told with them. */
static int syntax_errors(struct session *s, struct error *e)
{
	struct plan_options options = s->flags.plan;

	options.resolve = NULL;
	plan_free(plan_make(s->file, &options, &s->mistakes));
	return mistakes_error(&s->mistakes, e);
}

/* "# syntax=" or BUILDKIT_SYNTAX name the image of a frontend. Nothing is fetched: what it would do
 * is built in when it is docker/dockerfile, and otherwise people should hear that it is not done. */
static void warn_of_frontend(struct session *s)
{
	const struct plan_options *o = &s->flags.plan;
	const char *wanted = s->file->syntax, *hub = "docker.io/", *ours = "docker/dockerfile";
	auto_free char *name = NULL, *text = NULL;
	const char *at;

	for (size_t i = 0; i < o->arg_count; i++)
		if (strcmp(o->arg[i].name, "BUILDKIT_SYNTAX") == 0)
			wanted = o->arg[i].value;
	name = wanted ? strndup(wanted, strcspn(wanted, " ")) : NULL;
	if (!name || !*name || strcmp(name, "dockerfile.v0") == 0)
		return;
	at = name + (strncmp(name, hub, strlen(hub)) == 0 ? strlen(hub) : 0);
	if (strncmp(at, ours, strlen(ours)) == 0 && strcspn(at, ":@-") == strlen(ours))
		return;
	if (asprintf(&text, "frontend %s is not used: Dockerfiles are read by the one that is "
	             "built in", name) > 0)
		progress_warn(s->progress, text);
}

static int read_dockerfile(struct session *s, struct error *e)
{
	const struct build_flags *f = &s->flags;
	struct vertex *v = progress_vertex(s->progress, "[internal] load build definition from "
	                                                "Dockerfile");
	int result;

	vertex_start(v);
	if (s->place.dockerfile && !f->file)
		result = dockerfile_source_take(&s->source, &s->place.dockerfile,
		                                s->place.dockerfile_size, e);
	else
		result = dockerfile_source_read(s->place.folder, s->place.temporary, f->file, s->store,
		                                &s->source, e);
	if (result == 0) {
		s->file = dockerfile_parse(s->source.text, s->source.size);
		if (!s->file)
			result = error_memory(e);
		else
			warn_of_frontend(s);
		if (result == 0 && s->file->error_count > 0 && !f->call)
			result = syntax_errors(s, e);
	}
	if (result == 0) {
		vertex_done(v);
	} else {
		auto_free char *first = strndup(e->text, strcspn(e->text, "\n"));

		vertex_failed(v, first ? first : "");
	}
	return result;
}

static int open_contexts(struct session *s, struct error *e)
{
	struct ignore *ignore = s->source.ignore;

	s->source.ignore = NULL;
	return contexts_open(&s->contexts, s->store, &s->flags.plan, &s->place, ignore, e);
}

/* --- the plan ------------------------------------------------------------------------------- */

/* What the planner asks for from outside. */
static bool is_ignored(void *session, const char *path)
{
	const struct session *s = session;
	const struct ignore *rules = context_ignore(s->contexts.item[0].context);

	return rules && !ignore_has_exceptions(rules) && ignore_excludes(rules, path);
}

static int resolve(void *session, const char *image, const char *platform,
                   const struct base **base, struct error *e)
{
	struct session *s = session;

	return bases_resolve(s->bases, image, platform, base, e);
}

static void expect(void *session, const char *const *images, size_t count, const char *platform)
{
	struct session *s = session;

	bases_expect(s->bases, images, count, platform);
}

static int time_of(void *session, const struct time_source *source, int64_t *seconds,
                   struct error *e)
{
	struct session *s = session;

	return contexts_time(&s->contexts, source, seconds, e);
}

static void set_callbacks(struct session *s, struct plan_options *options)
{
	options->ignored = is_ignored;
	options->resolve = resolve;
	options->expect = expect;
	options->time_of = time_of;
	options->context_pointer = s;
}

static int make_plan(struct session *s, struct error *e)
{
	struct plan_options options = s->flags.plan;

	set_callbacks(s, &options);
	s->plan = plan_make(s->file, &options, &s->mistakes);
	return s->plan ? plan_check_findings(s->plan, e) : mistakes_error(&s->mistakes, e);
}

/* --- the build ------------------------------------------------------------------------------ */

static int perform(struct session *s, struct error *e)
{
	struct build_options options = s->flags.build;
	struct build_failure failure;
	struct packer *packer = NULL;
	struct packing how;
	struct error ignored;
	int result;

	if (contexts_fetch(&s->contexts, s->plan, e) < 0)
		return -1;
	options.store = s->store;
	options.progress = s->progress;
	options.plan = s->plan;
	options.context = s->contexts.item;
	options.context_count = s->contexts.count;
	options.identity = s->source.identity;
	options.fetch = bases_fetch;
	options.confirm = bases_confirm;
	options.confirm_context = s->bases;
	if (interrupted_check(e) < 0)
		return -1;
	if (build_result_packs(&s->result, &how))
		packer = packer_begin(s->store, &how, &ignored);
	options.layer_done = packer ? packer_add : NULL;
	options.layer_context = packer;
	result = build_perform(&options, &s->image, &failure);
	packer_end(packer, result == 0);
	if (result == 0)
		return 0;
	*e = failure.error;
	/* What succeeded before the failure is worth keeping. */
	store_flush(s->store, &ignored);
	if (e->kind == ERROR_STALE || e->kind == ERROR_CANCELLED ||
	    (e->kind == ERROR_DAMAGED && !s->again))
		return -1; /* nobody's step failed */
	memcpy(s->kept, failure.kept, sizeof s->kept);
	if (failure.vertex) {
		s->step_name = strdup(vertex_name(failure.vertex));
		s->tail = vertex_tail(failure.vertex, TAIL_SHOWN);
	}
	if (failure.step && failure.step->in) {
		s->first_line = failure.step->in->first_line;
		s->last_line = failure.step->in->last_line;
		return error_context(e, "%s:%d: %s", s->source.name, s->first_line,
		                     keyword_name(failure.step->in->keyword));
	}
	return -1;
}

/* --check, --call: told instead of built. Returns the exit status, or -1 and E. */
static int answer_call(struct session *s, struct error *e)
{
	struct plan_options options = s->flags.plan;
	struct call call = { .what = s->flags.call, .json = s->flags.call_json,
	                     .name = s->source.name, .text = s->source.text,
	                     .size = s->source.size, .file = s->file,
	                     .mistakes = &s->mistakes };
	int status;

	set_callbacks(s, &options);
	if (strcmp(s->flags.call, "targets") == 0)
		options.resolve = NULL; /* the text alone tells them */
	call.plan = s->plan = plan_make(s->file, &options, &s->mistakes);
	progress_free(s->progress, true);
	s->progress = NULL;
	status = call_print(&call, stdout, e);
	return status > 0 && s->flags.call_ignores_status ? 0 : status;
}

static int attempt(struct session *s, struct error *e)
{
	struct built built = { .store = s->store, .progress = s->progress, .remote = &s->remote,
	                       .image = &s->image };

	if (make_plan(s, e) < 0 || perform(s, e) < 0)
		return e->kind == ERROR_STALE ? -1 : error_context(e, "failed to solve");
	built.bases = s->bases;
	built.epoch = s->plan->epoch;
	return build_result_deliver(&s->result, &built, e);
}

/* The plan stands on remembered bases, and on what the store had: when a tag turns out to have moved,
 * all is planned again on what the registries say now; when something was damaged, which is not there
 * any more, again on what is left. */
static int attempt_twice(struct session *s, struct error *e)
{
	int result = attempt(s, e);
	bool moved = e->kind == ERROR_STALE;

	if (result == 0 || (!moved && e->kind != ERROR_DAMAGED))
		return result;
	progress_warn(s->progress, moved ? e->text : "building again without what was damaged");
	s->again = true;
	image_release(&s->image);
	image_init(&s->image);
	plan_free(s->plan);
	s->plan = NULL;
	bases_close(s->bases);
	s->bases = bases_open(s->store, s->progress, &s->remote, moved || s->flags.pull, e);
	return s->bases ? attempt(s, e) : -1;
}

static int solve(struct session *s, struct error *e)
{
	s->bases = bases_open(s->store, s->progress, &s->remote, s->flags.pull, e);
	if (!s->bases || read_dockerfile(s, e) < 0 || open_contexts(s, e) < 0)
		return error_context(e, "failed to solve");
	return s->flags.call ? answer_call(s, e) : attempt_twice(s, e);
}

/* What the store removes because it is damaged. */
static void tell_damage(void *session, const char *text)
{
	struct session *s = session;

	if (s->progress)
		progress_warn(s->progress, text);
}

/* --- around it ------------------------------------------------------------------------------ */

static int begin(struct session *s, struct error *e)
{
	const struct build_flags *f = &s->flags;
	const char *no_colour = getenv("NO_COLOR");

	if (build_result_plan(f, &s->result, e) < 0 ||
	    rights_take(f->build.isolation, &s->flags.build.because, e) < 0)
		return -1;
	s->store = store_open(NULL, e);
	if (!s->store)
		return -1;
	s->progress = progress_new(f->progress, STDERR_FILENO, e);
	if (!s->progress)
		return -1;
	progress_colour(s->progress, !no_colour || !*no_colour);
	progress_hide(s->progress, &f->mask);
	store_on_damage(s->store, tell_damage, s);
	interrupt_catch(build_cancel);
	for (size_t i = 0; i < f->warnings.count; i++)
		progress_warn(s->progress, f->warnings.item[i]);
	return context_source_open(f->context, f->file, f->keep_git_dir, s->store, &s->place, e);
}

static void report(struct session *s, bool succeeded)
{
	progress_free(s->progress, succeeded);
	s->progress = NULL;
	if (!succeeded) {
		report_tail(stderr, s->step_name, s->tail);
		report_place(stderr, &s->source, s->first_line, s->last_line);
		report_mistakes(stderr, &s->source, &s->mistakes);
	}
	if (s->plan && !s->flags.quiet)
		report_findings(stderr, s->plan->finding, s->plan->finding_count);
}

/* The failed step is there to be entered: now, or by the command that is told. */
static void offer_kept(struct session *s)
{
	const struct build_flags *f = &s->flags;
	const char *root = options_value(&f->options, "root");
	const char *way = options_value(&f->options, "isolation");
	const struct enter_options o = {
		.store = s->store, .id = s->kept, .secret = f->build.secret,
		.secret_count = f->build.secret_count, .ssh = f->build.ssh,
		.ssh_count = f->build.ssh_count, .isolation = f->build.isolation,
		.because = f->build.because, .interactive = true,
	};
	struct error e;

	if (!f->enter_failed) {
		fprintf(stderr, "The failed step is kept. To enter it: cairn %s%s%sdebug %s%s%s%s\n",
		        root ? "--root " : "", root ? root : "", root ? " " : "", way ? "--isolation " : "",
		        way ? way : "", way ? " " : "", s->kept);
		return;
	}
	interrupt_catch(enter_cancel);
	if (enter(&o, &e) < 0)
		fprintf(stderr, "ERROR: %s\n", e.text);
	if (kept_remove(s->store, s->kept, &e) < 0)
		fprintf(stderr, "ERROR: %s\n", e.text);
}

static void session_release(struct session *s)
{
	progress_free(s->progress, false);
	image_release(&s->image);
	plan_free(s->plan);
	contexts_close(&s->contexts);
	dockerfile_free(s->file);
	dockerfile_source_release(&s->source);
	context_source_release(&s->place);
	bases_close(s->bases);
	remote_release(&s->remote);
	build_result_release(&s->result);
	if (s->store)
		store_close(s->store);
	build_flags_release(&s->flags);
	free(s->tail);
	free(s->step_name);
}

static int build(struct session *s, struct error *e)
{
	char id[DIGEST_TEXT];
	int result = begin(s, e);

	if (result == 0)
		result = solve(s, e);
	if (result < 0 && s->store)
		store_explain(s->store, e);
	if (s->progress)
		report(s, result == 0);
	if (*s->kept)
		offer_kept(s);
	if (result == 0 && !s->flags.call)
		result = build_result_tell(&s->result, &s->image, e);
	if (result < 0) {
		e->text[mask_text(&s->flags.mask, e->text, strlen(e->text))] = '\0';
		return error_context(e, "failed to build");
	}
	if (s->flags.quiet && !s->flags.no_id && !s->flags.call && !build_result_is_printed(&s->result))
		puts(digest_format(&s->image.id, id));
	return result;
}

int command_build(int argc, char **argv, struct error *e)
{
	struct session s = { 0 };
	int result;

	image_init(&s.image);
	remote_init(&s.remote);
	result = build_flags_read(argc, argv, &s.flags, e);
	if (result == 0)
		result = build(&s, e);
	else if (result > 0)
		result = 0; /* --help has been printed */
	session_release(&s);
	return result;
}
