/* Cases of plans: a Dockerfile and options in, a text out, compared to the letter.
 *
 * A file holds some of them, one after the other:
 *
 *     --- Dockerfile
 *     FROM busybox
 *     --- with --target x --build-arg A=1
 *     --- shows steps history
 *     what is expected
 *
 * "with" may be missing. What can be shown, in this order: steps, from (its line of progress) and
 * history, of all needed stages; config (the target's); findings; or else one of check, outline,
 * targets and subrequests.describe, perhaps with -json. Base images are those of the table below,
 * and .dockerignore leaves out what begins with "ignored".
 */
#pragma once
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs the five above. */
#include <cmocka.h>

#include "builder/plan/call.h"
#include "builder/plan/plan.h"
#include "layers/scope.h"

#define OF(array) (sizeof(array) / sizeof *(array))

static const struct {
	const char *image, *config;
} base_images[] = {
	{"busybox", "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"sh\"],"
		    "\"Env\":[\"PATH=/bin\"],\"Entrypoint\":null}}"},
	{"dressed",
	 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"created\":\"2020-01-01T00:00:00Z\","
	 "\"config\":{\"User\":\"app\",\"WorkingDir\":\"/srv\",\"Cmd\":[\"base\"],"
	 "\"Entrypoint\":[\"/bin/echo\"],\"Env\":[\"PATH=/bin\",\"BASE=yes\"],"
	 "\"Shell\":[\"/bin/bash\",\"-c\"],\"Labels\":{\"from\":\"base\"},"
	 "\"StopTimeout\":7,\"Volumes\":{\"/vol\":{}},\"ExposedPorts\":{\"80/tcp\":{}}}}"},
	{"onbuild", "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"OnBuild\":"
		    "[\"COPY a /on/\",\"RUN cp /on/a /on/ran\"]}}"},
	{"badonbuild", "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"OnBuild\":"
		       "[\"COPY --badflag a b\"]}}"},
	{"arm", "{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\",\"config\":{}}"},
	{"bent",
	 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{\"Env\":{\"A\":\"1\"}}}"},
	{"oci-layout:///srv/layout:v1", "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":"
					"{\"Cmd\":[\"layout\"]}}"},
};

struct fixture {
	const char *text;
	struct dockerfile *file;
	struct plan_options options;
	struct plan *plan;
	struct mistakes mistakes;
	struct base base[16];
	size_t base_count;
	char *words;                     /* of the options */
	struct build_arg arg[16];
	struct named_context context[8];
	const char *label[8], *filter[8];
};

static int resolve_base(void *context, const char *image, const char *platform,
                        const struct base **base, struct error *e)
{
	struct fixture *f = context;
	struct base *b = &f->base[f->base_count];

	(void)platform;
	for (size_t i = 0; i < OF(base_images); i++)
		if (strcmp(base_images[i].image, image) == 0) {
			b->name = strdup(image);
			b->config = json_loads(base_images[i].config, 0, NULL);
			assert_non_null(b->config);
			f->base_count++;
			*base = b;
			return 0;
		}
	return error_set(e, ERROR_NOT_FOUND, "%s: not found", image);
}

static bool is_ignored(void *context, const char *path)
{
	(void)context;
	return strncmp(path, "ignored", 7) == 0;
}

/* Cut "name=value" in two, in place. VALUE is "" without '='. */
static const char *cut(char *pair)
{
	char *equals = strchr(pair, '=');

	if (!equals)
		return "";
	*equals = '\0';
	return equals + 1;
}

static void take_option(struct fixture *f, const char *name, char **rest)
{
	struct plan_options *o = &f->options;
	char *value;

	if (strcmp(name, "--check") == 0) {
		o->checks_only = true;
		return;
	}
	if (strcmp(name, "--offline") == 0) {
		o->resolve = NULL;
		return;
	}
	if (strcmp(name, "--no-cache") == 0) {
		o->no_cache = true;
		return;
	}
	if (strcmp(name, "--name-platform") == 0) {
		o->name_platform = true;
		return;
	}
	value = strtok_r(NULL, " ", rest);
	if (strcmp(name, "--target") == 0)
		o->target = value;
	else if (strcmp(name, "--platform") == 0)
		o->platform = value;
	else if (strcmp(name, "--network") == 0)
		o->network = value;
	else if (strcmp(name, "--allow") == 0)
		o->allow_insecure = o->allow_network_host = true;
	else if (strcmp(name, "--label") == 0)
		f->label[o->label_count++] = value;
	else if (strcmp(name, "--no-cache-filter") == 0)
		f->filter[o->no_cache_filter_count++] = value;
	else if (strcmp(name, "--build-arg") == 0)
		f->arg[o->arg_count++] = (struct build_arg){ value, cut(value) };
	else if (strcmp(name, "--build-context") == 0)
		f->context[o->context_count++] = (struct named_context){ value, cut(value) };
	else
		fail_msg("no such option: %s", name);
}

static void fixture_plan(struct fixture *f, const char *text, const char *options)
{
	char *rest;

	*f = (struct fixture){ .text = text, .words = strdup(options ? options : "") };
	f->options = (struct plan_options){
		.arg = f->arg,
		.context = f->context,
		.label = f->label,
		.no_cache_filter = f->filter,
		.resolve = resolve_base,
		.ignored = is_ignored,
		.context_pointer = f,
	};
	for (char *name = strtok_r(f->words, " ", &rest); name; name = strtok_r(NULL, " ", &rest))
		take_option(f, name, &rest);
	f->file = dockerfile_parse(text, strlen(text));
	assert_non_null(f->file);
	f->plan = plan_make(f->file, &f->options, &f->mistakes);
}

static void fixture_release(struct fixture *f)
{
	plan_free(f->plan);
	dockerfile_free(f->file);
	for (size_t i = 0; i < f->base_count; i++) {
		free(f->base[i].name);
		json_decref(f->base[i].config);
	}
	free(f->words);
}

/* --- a plan as text --------------------------------------------------------------------------- */

static void print_origin(FILE *out, const struct plan *plan, const struct origin *o)
{
	if (o->kind == ORIGIN_STAGE)
		fprintf(out, " from=stage:%s", plan->stage[o->stage].name);
	else if (o->context)
		fprintf(out, " from=context:%s", o->context);
}

static void print_flag(FILE *out, const char *name, const char *value)
{
	if (value)
		fprintf(out, " %s=%s", name, value);
}

static void print_mount(FILE *out, const struct plan *plan, const struct run_mount *rm)
{
	const struct mount *m = &rm->mount;

	fprintf(out, "   %s", mount_type_name(m->type));
	print_flag(out, "target", m->target);
	print_flag(out, "source", m->source);
	print_flag(out, "id", m->id);
	print_flag(out, "env", m->env);
	if (rm->has_from)
		print_origin(out, plan, &rm->from);
	if (m->mode >= 0)
		fprintf(out, " mode=%o", (unsigned)m->mode);
	fprintf(out, "%s%s\n", m->read_only ? " ro" : "", m->required ? " required" : "");
}

static void print_words(FILE *out, const char *name, const char *const *words)
{
	fprintf(out, "   %s", name);
	for (size_t i = 0; words[i]; i++)
		fprintf(out, " [%s]", words[i]);
	fputc('\n', out);
}

static void print_run(FILE *out, const struct plan *plan, const struct run_step *run)
{
	print_words(out, "argv", run->argv);
	print_words(out, "env", run->env);
	if (run->proxies[0])
		print_words(out, "proxies", run->proxies);
	fprintf(out, "   cwd=%s user=%s%s%s%s\n", run->cwd, run->user,
		run->network_none ? " net=none" : "", run->network_host ? " net=host" : "",
		run->insecure ? " insecure" : "");
	if (run->script)
		fprintf(out, "   script %s: %s", run->script_path, run->script);
	for (size_t i = 0; i < run->mount_count; i++)
		print_mount(out, plan, &run->mount[i]);
}

static void print_copy(FILE *out, const struct plan *plan, const struct copy_step *copy)
{
	static const char *const kinds[] = { "path", "document", "url", "git" };

	fprintf(out, "   %s", copy->add ? "add" : "copy");
	print_origin(out, plan, &copy->from);
	for (size_t i = 0; i < copy->source_count; i++) {
		fprintf(out, " %s:%s", kinds[copy->source[i].kind], copy->source[i].text);
		if (copy->source[i].document)
			fprintf(out, "(%s)", copy->source[i].document);
	}
	fprintf(out, " -> %s", copy->destination);
	print_flag(out, "chown", copy->chown);
	print_flag(out, "chmod", copy->chmod);
	for (size_t i = 0; i < copy->exclude_count; i++)
		print_flag(out, "exclude", copy->excludes[i]);
	fprintf(out, "%s%s\n", copy->link ? " link" : "", copy->parents ? " parents" : "");
}

static void print_step(FILE *out, const struct plan *plan, const struct step *step)
{
	fprintf(out, "  %s (line %d)%s\n", step->name, step->in->first_line,
	        step->no_cache ? " no-cache" : "");
	switch (step->kind) {
	case STEP_RUN:
		print_run(out, plan, &step->run);
		break;
	case STEP_COPY:
		print_copy(out, plan, &step->copy);
		break;
	case STEP_WORKDIR:
		fprintf(out, "   workdir %s user=%s\n", step->workdir.path, step->workdir.user);
		break;
	}
}

static void print_stage(FILE *out, const struct plan *plan, const struct stage *s,
                        const char *show)
{
	static const char *const bases[] = { "scratch", "image", "stage", "context" };

	if (strstr(show, "steps"))
		fprintf(out, " %s on %s %s\n", s->name, bases[s->base_kind],
		        s->base_kind == BASE_IMAGE ? s->base ? s->base->name : "?" :
		        s->base_kind == BASE_STAGE ? plan->stage[s->base_stage].name :
		        s->base_kind == BASE_CONTEXT ? s->base_context : s->platform);
	if (strstr(show, "from") && s->from_name)
		fprintf(out, "  %s\n", s->from_name);
	for (size_t i = 0; strstr(show, "steps") && i < s->step_count; i++)
		print_step(out, plan, &s->step[i]);
	for (size_t i = 0; strstr(show, "history") && i < s->history_count; i++)
		fprintf(out, "  %s %s\n", s->history[i].step ? "layer" : "empty",
		        s->history[i].created_by);
}

static void print_call(const struct fixture *f, const char *show, FILE *out)
{
	auto_free char *what = strdup(show);
	struct call call = {
		.what = what, .json = strstr(show, "-json"), .name = "Dockerfile", .text = f->text,
		.size = strlen(f->text), .file = f->file, .plan = f->plan,
		.mistakes = &f->mistakes,
	};
	struct error e;
	int status;

	what[strcspn(what, "-")] = '\0';
	status = call_print(&call, out, &e);
	if (status < 0)
		fprintf(out, "error: %s\n", e.text);
	else
		fprintf(out, "status %d\n", status);
}

static void print_plan(const struct fixture *f, const char *show, FILE *out)
{
	for (size_t i = 0; i < f->plan->count; i++)
		if (f->plan->stage[i].needed)
			print_stage(out, f->plan, &f->plan->stage[i], show);
	if (strstr(show, "config")) {
		const json_t *config = f->plan->stage[f->plan->target].config;
		auto_free char *text = json_dumps(config, JSON_INDENT(1) | JSON_SORT_KEYS);

		fprintf(out, "%s\n", text);
	}
}

static void print_findings(const struct fixture *f, FILE *out)
{
	struct error e;

	for (size_t i = 0; f->plan && i < f->plan->finding_count; i++) {
		const struct finding *finding = &f->plan->finding[i];

		fprintf(out, "%d", finding->first_line);
		if (finding->last_line > finding->first_line)
			fprintf(out, "-%d", finding->last_line);
		fprintf(out, " %s: %s\n", finding->rule, finding->message);
	}
	if (f->plan && plan_check_findings(f->plan, &e) < 0)
		fprintf(out, "error: %s\n", e.text);
}

/* "2:6: ...", or "2-4:3:6: ..." when it is in line 3 of an instruction of lines 2 to 4. */
static void print_mistakes(const struct fixture *f, FILE *out)
{
	for (size_t i = 0; i < f->mistakes.count; i++) {
		const struct mistake *m = &f->mistakes.item[i];

		fprintf(out, "%d", m->first_line);
		if (m->last_line > m->first_line)
			fprintf(out, "-%d:%d", m->last_line, m->line);
		fprintf(out, ":%d: %s\n", m->column, m->error.text);
	}
	if (f->mistakes.unreported > 0)
		fprintf(out, "and %zu more\n", f->mistakes.unreported);
}

/* The caller frees it. */
static char *printed(const struct fixture *f, const char *show)
{
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	if (strncmp(show, "check", 5) == 0 || strncmp(show, "outline", 7) == 0 ||
	    strncmp(show, "targets", 7) == 0 || strncmp(show, "subrequests", 11) == 0)
		print_call(f, show, out);
	else if (f->mistakes.count > 0)
		print_mistakes(f, out);
	else
		print_plan(f, show, out);
	if (strstr(show, "findings"))
		print_findings(f, out);
	fclose(out);
	return text;
}

/* --- files of cases --------------------------------------------------------------------------- */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = NULL;
	size_t size = 0;

	if (!f || getdelim(&text, &size, '\0', f) < 0)
		fail_msg("cannot read %s", path);
	fclose(f);
	return text;
}

/* If AT is a marker called NAME: cut its line off, and return the rest of it; else NULL. */
static char *marker(char **at, const char *name)
{
	size_t size = strlen(name);
	char *rest, *end;

	if (strncmp(*at, "--- ", 4) != 0 || strncmp(*at + 4, name, size) != 0)
		return NULL;
	rest = *at + 4 + size;
	end = strchrnul(rest, '\n');
	*at = *end ? end + 1 : end;
	*end = '\0';
	return rest + strspn(rest, " ");
}

/* Cut off everything before the next marker. */
static char *body(char **at)
{
	char *start = *at, *end = start;
	static const char *const markers[] = { "--- Dockerfile", "--- with", "--- shows" };

	for (; *end; end = strchrnul(end, '\n'), end += *end != '\0')
		for (size_t i = 0; i < OF(markers); i++)
			if (strncmp(end, markers[i], strlen(markers[i])) == 0)
				goto found;
found:
	*at = end;
	return strndup(start, (size_t)(end - start));
}

static void run_file(void **state)
{
	const char *path = *state;
	auto_free char *text = read_file(path);
	char *at = text;

	while (*at) {
		auto_free char *dockerfile = NULL, *expected = NULL, *is = NULL;
		char *with = NULL, *show = NULL;
		struct fixture f;

		if (!marker(&at, "Dockerfile"))
			fail_msg("%s: no Dockerfile at: %s", path, at);
		dockerfile = body(&at);
		with = marker(&at, "with");
		show = marker(&at, "shows");
		assert_non_null(show);
		expected = body(&at);
		fixture_plan(&f, dockerfile, with);
		is = printed(&f, show);
		if (strcmp(is, expected) != 0)
			fail_msg("%s:\n%s--- with %s\n--- shows %s\n%s--- but should show\n%s",
				 path, dockerfile, with ? with : "", show, is, expected);
		fixture_release(&f);
	}
}

#define FILES_MAX 200

static int by_name(const void *a, const void *b)
{
	const struct CMUnitTest *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Every file of FOLDER is a test. */
static int run_folder(const char *folder)
{
	struct CMUnitTest tests[FILES_MAX] = { 0 };
	DIR *dir = opendir(folder);
	size_t count = 0;
	int failed;

	for (struct dirent *file; dir && count < FILES_MAX && (file = readdir(dir));) {
		char *path = NULL;

		if (*file->d_name == '.' || asprintf(&path, "%s/%s", folder, file->d_name) < 0)
			continue;
		tests[count++] = (struct CMUnitTest){
			.name = path, .test_func = run_file, .initial_state = path,
		};
	}
	if (!dir || count == 0) {
		fprintf(stderr, "%s: no cases\n", folder);
		return 1;
	}
	closedir(dir);
	qsort(tests, count, sizeof *tests, by_name);
	failed = _cmocka_run_group_tests(folder, tests, count, NULL, NULL);
	while (count > 0)
		free((char *)tests[--count].name);
	return failed;
}
