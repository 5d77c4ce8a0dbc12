#include "builder/plan/call.h"

#include <stdlib.h>
#include <string.h>

#include "builder/plan/excerpt.h"
#include "builder/plan/image_config.h"
#include "builder/safe_text.h"
#include "layers/scope.h"
#include "registry/base64.h"

/* --- both forms ------------------------------------------------------------------------------- */

/* What the comments above IN say of NAME: the rest of the line that begins with it. */
static const char *description(const struct instruction *in, const char *name)
{
	size_t size = strlen(name);

	for (size_t i = 0; i < in->comments.count; i++) {
		const char *line = in->comments.item[i];

		if (size > 0 && strncmp(line, name, size) == 0 && line[size] == ' ')
			return line + size + 1;
	}
	return "";
}

static const struct instruction *last_from(const struct dockerfile *file)
{
	for (size_t i = file->count; i-- > 0;)
		if (file->instruction[i].keyword == KEYWORD_FROM)
			return &file->instruction[i];
	return NULL;
}

/* --- text ------------------------------------------------------------------------------------- */

/* How wide TEXT is: in characters. */
static int width(const char *text)
{
	int count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

#define COLUMNS_MAX 3

/* Rows of COUNT cells each; all but the last column as wide as their widest and GAP more. */
static void print_table(FILE *out, const char *const *cell, size_t rows, size_t count, int gap)
{
	int widest[COLUMNS_MAX] = { 0 };

	for (size_t i = 0; i < rows * count; i++)
		if (width(cell[i]) > widest[i % count])
			widest[i % count] = width(cell[i]);
	for (size_t i = 0; i < rows * count; i++) {
		safe_text(out, cell[i], strlen(cell[i]));
		if (i % count == count - 1)
			fputc('\n', out);
		else
			fprintf(out, "%*s", widest[i % count] + gap - width(cell[i]), "");
	}
}

static void print_place(const struct call *call, FILE *out, int first, int last)
{
	excerpt_print(out, call->name, call->text, call->size, first, last);
}

static int check_text(const struct call *call, FILE *out)
{
	size_t count = call->plan ? call->plan->finding_count : 0;
	bool wrong = call->mistakes->count > 0;

	for (size_t i = 0; i < count; i++) {
		const struct finding *f = &call->plan->finding[i];

		fprintf(out, "\nWARNING: %s%s%s\n", f->rule, *f->url ? " - " : "", f->url);
		safe_text(out, f->message, strlen(f->message));
		fputc('\n', out);
		print_place(call, out, f->first_line, f->last_line);
	}
	if (wrong) {
		if (count > 0)
			fputc('\n', out);
		mistakes_print(call->mistakes, out, call->name, call->text, call->size);
	}
	if (count == 1)
		fputs("\nCheck complete, 1 warning has been found!\n", out);
	else if (count > 1)
		fprintf(out, "\nCheck complete, %zu warnings have been found!\n", count);
	else if (!wrong)
		fputs("Check complete, no warnings found.\n", out);
	return count > 0 || wrong;
}

/* The name of the stage that IN begins; "" when it has none. */
static const char *stage_name(const struct instruction *in)
{
	return in->from.name ? in->from.name : "";
}

static int targets_text(const struct call *call, FILE *out)
{
	const struct instruction *last = last_from(call->file);
	auto_free const char **cell = calloc(2 * call->file->count + 2, sizeof *cell);
	auto_free char *shown = NULL;
	size_t rows = 1;

	if (asprintf(&shown, "%s%s(default)", stage_name(last), last->from.name ? " " : "") < 0)
		shown = NULL;
	if (!cell || !shown)
		return -1;
	cell[0] = "TARGET";
	cell[1] = "DESCRIPTION";
	for (size_t i = 0; i < call->file->count; i++) {
		const struct instruction *in = &call->file->instruction[i];

		if (in->keyword != KEYWORD_FROM)
			continue;
		cell[2 * rows] = in == last ? shown : stage_name(in);
		cell[2 * rows + 1] = description(in, stage_name(in));
		rows++;
	}
	print_table(out, cell, rows, 2, 1);
	return 0;
}

/* --- what a target takes ---------------------------------------------------------------------- */

struct wish {                           /* a secret or an ssh agent */
	const char *id;
	bool required;
	const struct instruction *in;
};

static int by_place(const void *a, const void *b)
{
	const struct wish *x = a, *y = b;

	return (x->in->first_line > y->in->first_line) - (x->in->first_line < y->in->first_line);
}

static bool wished(const struct wish *wish, size_t count, const char *id)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(wish[i].id, id) == 0)
			return true;
	return false;
}

/* The mounts of TYPE in needed stages, each id once, by line. Into WISH, if that is not NULL, which
 * has room for as many as are returned otherwise. */
static size_t find_wishes(const struct plan *plan, enum mount_type type, struct wish *wish)
{
	size_t count = 0;

	for (size_t i = plan->count; i-- > 0;) {
		const struct stage *s = &plan->stage[i];

		for (size_t j = 0; s->needed && j < s->step_count; j++) {
			const struct step *step = &s->step[j];

			for (size_t k = 0; step->kind == STEP_RUN && k < step->run.mount_count;
			     k++) {
				const struct mount *m = &step->run.mount[k].mount;

				if (m->type != type || (wish && wished(wish, count, m->id)))
					continue;
				if (wish)
					wish[count] = (struct wish){ m->id, m->required, step->in };
				count++;
			}
		}
	}
	if (wish && count > 1)
		qsort(wish, count, sizeof *wish, by_place);
	return count;
}

static int wishes_text(const struct plan *plan, enum mount_type type, const char *title, FILE *out)
{
	size_t count = find_wishes(plan, type, NULL);
	auto_free struct wish *wish = calloc(count + 1, sizeof *wish);
	auto_free const char **cell = calloc(2 * count + 2, sizeof *cell);

	if (!wish || !cell)
		return -1;
	count = find_wishes(plan, type, wish);
	cell[0] = title;
	cell[1] = "REQUIRED";
	for (size_t i = 0; i < count; i++) {
		cell[2 * i + 2] = wish[i].id;
		cell[2 * i + 3] = wish[i].required ? "true" : "";
	}
	if (count > 0) {
		print_table(out, cell, count + 1, 2, 3);
		fputc('\n', out);
	}
	return 0;
}

static int outline_text(const struct call *call, FILE *out)
{
	const struct plan *plan = call->plan;
	const struct stage *target = &plan->stage[plan->target];
	const char *about = target->named ? description(target->from, target->name) : "";
	auto_free const char **cell = calloc(3 * plan->arg_count + 3, sizeof *cell);
	const char *const head[] = { "TARGET:", target->name, "DESCRIPTION:", about };

	if (!cell)
		return -1;
	if (target->named) {
		print_table(out, head, *about ? 2 : 1, 2, 1);
		fputc('\n', out);
	}
	cell[0] = "BUILD ARG";
	cell[1] = "VALUE";
	cell[2] = "DESCRIPTION";
	for (size_t i = 0; i < plan->arg_count; i++) {
		cell[3 * i + 3] = plan->arg[i].name;
		cell[3 * i + 4] = plan->arg[i].value;
		cell[3 * i + 5] = description(plan->arg[i].in, plan->arg[i].name);
	}
	if (plan->arg_count > 0) {
		print_table(out, cell, plan->arg_count + 1, 3, 3);
		fputc('\n', out);
	}
	if (wishes_text(plan, MOUNT_SECRET, "SECRET", out) < 0)
		return -1;
	return wishes_text(plan, MOUNT_SSH, "SSH", out);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *location(int first, int last)
{
	json_t *ranges = json_array();

	for (int line = first; line > 0 && line <= last; line++)
		json_array_append_new(ranges, json_pack("{s:{s:i},s:{s:i}}", "start", "line", line,
		                                        "end", "line", line));
	return json_pack("{s:o}", "ranges", ranges);
}

static json_t *place(const struct instruction *in)
{
	return location(in->first_line, in->last_line);
}

/* The Dockerfile itself, as JSON carries bytes. */
static json_t *encoded(const struct call *call)
{
	auto_free char *text = base64_encode(call->text, call->size);

	return text ? json_string(text) : NULL;
}

/* Members without a value are left out, as Go does. */
static void set(json_t *object, const char *key, const char *value)
{
	if (value && *value)
		json_object_set_new(object, key, config_string(value));
}

static json_t *check_json(const struct call *call, int *status)
{
	size_t count = call->plan ? call->plan->finding_count : 0;
	const struct mistake *mistake = call->mistakes->item;
	json_t *warnings = json_array(), *root;

	for (size_t i = 0; i < count; i++) {
		const struct finding *f = &call->plan->finding[i];
		json_t *warning = json_object();

		set(warning, "ruleName", f->rule);
		set(warning, "description", f->description);
		set(warning, "url", f->url);
		set(warning, "detail", f->message);
		json_object_set_new(warning, "location", location(f->first_line, f->last_line));
		json_array_append_new(warnings, warning);
	}
	root = json_pack("{s:o,s:[{s:s,s:s,s:o}]}", "warnings", warnings, "sources", "filename",
	                 call->name, "language", "Dockerfile", "data", encoded(call));
	*status = count > 0;
	if (call->mistakes->count > 0) {
		json_object_set_new(root, "buildError",
				    json_pack("{s:o,s:o}", "message",
					      config_string(mistake->error.text), "location",
					      location(mistake->first_line, mistake->last_line)));
		*status = 1;
	}
	return root;
}

static json_t *targets_json(const struct call *call, int *status)
{
	json_t *targets = json_array();
	const struct instruction *last = last_from(call->file);

	for (size_t i = 0; i < call->file->count; i++) {
		const struct instruction *in = &call->file->instruction[i];
		json_t *target;

		if (in->keyword != KEYWORD_FROM)
			continue;
		target = json_object();
		set(target, "name", in->from.name);
		if (in == last)
			json_object_set_new(target, "default", json_true());
		set(target, "description", description(in, stage_name(in)));
		set(target, "base", in->from.image);
		set(target, "platform", in->from.platform);
		json_object_set_new(target, "location", place(in));
		json_array_append_new(targets, target);
	}
	*status = 0;
	return json_pack("{s:o,s:[o]}", "targets", targets, "sources", encoded(call));
}

static void wishes_json(const struct plan *plan, enum mount_type type, const char *key,
			json_t *root)
{
	size_t count = find_wishes(plan, type, NULL);
	auto_free struct wish *wish = calloc(count + 1, sizeof *wish);
	json_t *list = json_array();

	count = wish ? find_wishes(plan, type, wish) : 0;
	for (size_t i = 0; i < count; i++) {
		json_t *item = json_object();

		set(item, "name", wish[i].id);
		if (wish[i].required)
			json_object_set_new(item, "required", json_true());
		json_object_set_new(item, "location", place(wish[i].in));
		json_array_append_new(list, item);
	}
	if (count > 0)
		json_object_set(root, key, list);
	json_decref(list);
}

static json_t *outline_json(const struct call *call, int *status)
{
	const struct plan *plan = call->plan;
	const struct stage *target = &plan->stage[plan->target];
	json_t *root = json_object(), *args = json_array();

	if (target->named) {
		set(root, "name", target->name);
		set(root, "description", description(target->from, target->name));
	}
	for (size_t i = 0; i < plan->arg_count; i++) {
		json_t *arg = json_object();

		set(arg, "name", plan->arg[i].name);
		set(arg, "description", description(plan->arg[i].in, plan->arg[i].name));
		set(arg, "value", plan->arg[i].value);
		json_object_set_new(arg, "location", place(plan->arg[i].in));
		json_array_append_new(args, arg);
	}
	if (plan->arg_count > 0)
		json_object_set(root, "args", args);
	json_decref(args);
	wishes_json(plan, MOUNT_SECRET, "secrets", root);
	wishes_json(plan, MOUNT_SSH, "ssh", root);
	json_object_set_new(root, "sources", json_pack("[o]", encoded(call)));
	*status = 0;
	return root;
}

/* --- the calls themselves --------------------------------------------------------------------- */

/* Those that BuildKit's frontend lists: check is not among them there either. */
static const struct described {
	const char *name, *description;
	const char *opts;               /* JSON */
} described[] = {
	{ "outline", "List all parameters current build target supports",
	  "[{\"name\": \"target\", \"description\": \"Target build stage\"}]" },
	{ "targets", "List all targets current build supports", "[]" },
	{ "subrequests.describe", "List available subrequest types", "null" },
};
#define DESCRIBED (sizeof described / sizeof *described)

static int describe_text(const struct call *call, FILE *out)
{
	const char *cell[3 * DESCRIBED + 3] = { "NAME", "VERSION", "DESCRIPTION" };

	(void)call;
	for (size_t i = 0; i < DESCRIBED; i++) {
		cell[3 * i + 3] = described[i].name;
		cell[3 * i + 4] = "1.0.0";
		cell[3 * i + 5] = described[i].description;
	}
	print_table(out, cell, DESCRIBED + 1, 3, 1);
	return 0;
}

static json_t *describe_json(const struct call *call, int *status)
{
	json_t *root = json_array();

	(void)call;
	for (size_t i = 0; i < DESCRIBED; i++) {
		const struct described *d = &described[i];
		json_t *opts = json_loads(d->opts, JSON_DECODE_ANY, NULL);

		json_array_append_new(root, json_pack(
			"{s:s+,s:s,s:s,s:s,s:o,s:n,s:[{s:s,s:s},{s:s,s:s}],s:n}",
			"name", "frontend.", d->name, "version", "1.0.0", "type", "rpc",
			"description", d->description, "opts", opts, "inputs", "metadata",
			"name", "result.json", "description", "", "name", "result.txt",
			"description", "", "refs"));
	}
	*status = 0;
	return root;
}

/* --- all of them ------------------------------------------------------------------------------ */

static const struct row {
	const char *what;
	int (*text)(const struct call *call, FILE *out);  /* the status; -1: no memory */
	json_t *(*json)(const struct call *call, int *status);
	enum { NEEDS_NOTHING, NEEDS_FILE, NEEDS_PLAN } needs; /* ... without a mistake */
} rows[] = {
	{ "check", check_text, check_json, NEEDS_NOTHING },
	{ "outline", outline_text, outline_json, NEEDS_PLAN },
	{ "targets", targets_text, targets_json, NEEDS_FILE },
	{ "subrequests.describe", describe_text, describe_json, NEEDS_NOTHING },
};

static int print_json(json_t *root, FILE *out, int status)
{
	auto_free char *text = json_text_indented(root, 2, NULL);

	json_decref(root);
	if (!text)
		return -1;
	fprintf(out, "%s\n", text);
	return status;
}

int call_print(const struct call *call, FILE *out, struct error *e)
{
	const struct row *row = rows;
	int status = 0;

	while (strcmp(row->what, call->what) != 0)
		row++;
	if (call->mistakes->count > 0 &&
	    (row->needs == NEEDS_PLAN ||
	     (row->needs == NEEDS_FILE && call->file->error_count > 0)))
		return mistakes_error(call->mistakes, e);
	if (call->json) {
		json_t *root = row->json(call, &status);

		status = print_json(root, out, status);
	} else {
		status = row->text(call, out);
	}
	return status < 0 ? error_memory(e) : status;
}
