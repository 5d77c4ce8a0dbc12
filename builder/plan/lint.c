#include "builder/plan/lint.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan/lint_rules.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "registry/reference.h"

/* --- findings --------------------------------------------------------------------------------- */

static bool is_wanted(const struct planner *p, const struct rule_row *rule,
                      const struct instruction *in)
{
	if (rule->experimental)
		return check_wants(&p->check, rule->name) || check_wants(&in->check, rule->name);
	return !check_skips(&p->check, rule->name) && !check_skips(&in->check, rule->name);
}

static void __attribute__((format(printf, 4, 5)))
report(struct planner *p, enum rule which, const struct instruction *in, const char *fmt, ...)
{
	const struct rule_row *rule = &lint_rules[which];
	struct plan *plan = p->plan;
	struct finding *finding;
	auto_free char *message = NULL;
	va_list ap;
	int size;

	if (!is_wanted(p, rule, in))
		return;
	va_start(ap, fmt);
	size = vasprintf(&message, fmt, ap);
	va_end(ap);
	if (size < 0) {
		message = NULL;
		return;
	}
	finding = arena_room(p->memory, plan->finding, plan->finding_count, sizeof *finding);
	if (!finding)
		return;
	plan->finding = finding;
	finding += plan->finding_count;
	*finding = (struct finding){
		.rule = rule->name, .url = rule->url, .description = rule->description,
		.message = arena_text(p->memory, message, (size_t)size),
		.first_line = in->first_line, .last_line = in->last_line,
	};
	plan->finding_count += finding->message != NULL;
}

int lint_begin(struct planner *p)
{
	const char *text = variables_get(&p->build_args, "BUILDKIT_DOCKERFILE_CHECK");
	struct syntax_error wrong;

	p->check = p->file->check;
	if (text && check_parse(text, &p->check, &wrong) < 0)
		return plan_fail(p, NULL, "failed to parse check options: %s", wrong.text);
	return 0;
}

static int by_line(const void *a, const void *b)
{
	const struct finding *x = a, *y = b;
	int rule = strcmp(x->rule, y->rule);

	if (x->first_line != y->first_line)
		return x->first_line < y->first_line ? -1 : 1;
	return rule ? rule : strcmp(x->message, y->message);
}

void lint_end(struct planner *p)
{
	struct plan *plan = p->plan;

	if (plan->finding_count > 1)
		qsort(plan->finding, plan->finding_count, sizeof *plan->finding, by_line);
	plan->findings_fail = p->check.error && plan->finding_count > 0;
}

static int by_rule(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int plan_check_findings(const struct plan *plan, struct error *e)
{
	auto_free const char **rules = calloc(plan->finding_count + 1, sizeof *rules);
	auto_free char *list = NULL;
	size_t size;
	FILE *f = NULL;

	if (!plan->findings_fail)
		return 0;
	if (!rules || !(f = memory_stream_open(&list, &size)))
		return error_memory(e);
	for (size_t i = 0; i < plan->finding_count; i++)
		rules[i] = plan->finding[i].rule;
	qsort(rules, plan->finding_count, sizeof *rules, by_rule);
	for (size_t i = 0; i < plan->finding_count; i++)
		if (i == 0 || strcmp(rules[i], rules[i - 1]) != 0)
			fprintf(f, i ? ", %s" : "%s", rules[i]);
	if (fclose(f) != 0)
		return error_memory(e);
	return error_set(e, ERROR_FAILED, "lint violation found for rules: %s", list);
}

/* --- what the text tells ---------------------------------------------------------------------- */

static bool is_lower(const char *text)
{
	for (; *text; text++)
		if (isupper((unsigned char)*text))
			return false;
	return true;
}

static bool is_upper(const char *text)
{
	for (; *text; text++)
		if (islower((unsigned char)*text))
			return false;
	return true;
}

/* Instructions before the first FROM have no case of their own to keep. */
static const struct instruction *first_from(const struct dockerfile *file)
{
	const struct instruction *in = file->instruction;

	while (in < file->instruction + file->count && in->keyword != KEYWORD_FROM)
		in++;
	return in;
}

static void check_casing(struct planner *p)
{
	const struct instruction *start = first_from(p->file);
	const struct instruction *end = p->file->instruction + p->file->count;
	size_t lower = 0, upper = 0;
	bool want_lower;

	for (const struct instruction *in = start; in < end; in++) {
		lower += is_lower(in->name);
		upper += is_upper(in->name);
	}
	want_lower = lower > upper;
	for (const struct instruction *in = start; in < end; in++)
		if (!(want_lower ? is_lower(in->name) : is_upper(in->name)))
			report(p, CONSISTENT_INSTRUCTION_CASING, in,
			       "Command '%s' should match the case of the command majority (%s)",
			       in->name, want_lower ? "lowercase" : "uppercase");
}

/* SEEN are the names of the stages before. */
static void check_stage_name(struct planner *p, const struct instruction *in, struct names *seen)
{
	const char *name = in->from.name;

	if (!is_lower(in->from.typed_name))
		report(p, STAGE_NAME_CASING, in, "Stage name '%s' should be lowercase",
		       in->from.typed_name);
	if ((is_lower(in->name) && !is_lower(in->from.as)) ||
	    (is_upper(in->name) && !is_upper(in->from.as)))
		report(p, FROM_AS_CASING, in, "'%s' and '%s' keywords' casing do not match",
		       in->from.as, in->name);
	if (strcmp(name, "scratch") == 0 || strcmp(name, "context") == 0)
		report(p, RESERVED_STAGE_NAME, in,
		       "Stage name should not use the same name as reserved stage \"%s\"", name);
	if (names_find(seen, name) != NO_PLACE)
		report(p, DUPLICATE_STAGE_NAME, in,
		       "Duplicate stage name \"%s\", stage names should be unique", name);
	names_set(seen, p->memory, name, 0);
}

static bool starts_with_word(const char *text, const char *word)
{
	size_t size = strlen(word);

	return strncmp(text, word, size) == 0 && (text[size] == ' ' || !text[size]);
}

/* The comment right above FROM and ARG describes what they define, and begins with its name. */
static void check_description(struct planner *p, const struct instruction *in)
{
	const char *comment = in->comments.count ? in->comments.item[in->comments.count - 1] : NULL;
	const char *keyword = keyword_name(in->keyword), *name = NULL;

	if (!comment)
		return;
	if (in->keyword == KEYWORD_FROM && in->from.name) {
		name = in->from.name;
		if (!starts_with_word(comment, name))
			report(p, INVALID_DEFINITION_DESCRIPTION, in,
			       "Comment for %s should follow the format: `# %s <description>`",
			       keyword, name);
	} else if (in->keyword == KEYWORD_ARG) {
		for (size_t i = 0; i < in->pairs.count; i++)
			if (starts_with_word(comment, in->pairs.item[i].name))
				return;
		name = in->pairs.count > 1 ? "<arg_key>" : in->pairs.item[0].name;
		report(p, INVALID_DEFINITION_DESCRIPTION, in,
		       "Comment for %s should follow the format: `# %s <description>`", keyword,
		       name);
	}
}

void lint_file(struct planner *p)
{
	struct names stages = { 0 };

	check_casing(p);
	for (size_t i = 0; i < p->file->count; i++) {
		const struct instruction *in = &p->file->instruction[i];

		if (in->empty_line) {
			struct instruction blank = *in;

			blank.first_line = blank.last_line = in->empty_line;
			report(p, NO_EMPTY_CONTINUATION, &blank, "Empty continuation line");
		}
		if (in->keyword == KEYWORD_FROM && in->from.name)
			check_stage_name(p, in, &stages);
		if (in->keyword == KEYWORD_MAINTAINER)
			report(p, MAINTAINER_DEPRECATED, in,
			       "Maintainer instruction is deprecated in favor of using label");
		check_description(p, in);
	}
}

/* --- FROM ------------------------------------------------------------------------------------- */

void lint_default_image(struct planner *p, const struct instruction *in, const char *image)
{
	struct reference ignored;
	struct error e;

	/* A layout is a place and no reference. */
	if (strncmp(image, "oci-layout://", 13) != 0 && reference_parse(image, &ignored, &e) < 0)
		report(p, INVALID_DEFAULT_ARG_IN_FROM, in,
		       "Default value for ARG %s results in empty or invalid base image name",
		       in->from.image);
}

static bool declared_globally(const struct planner *p, const char *name)
{
	for (const struct instruction *in = p->file->instruction; in->keyword == KEYWORD_ARG; in++)
		for (size_t i = 0; i < in->pairs.count; i++)
			if (strcmp(in->pairs.item[i].name, name) == 0)
				return true;
	return false;
}

void lint_from_names(struct planner *p, const struct instruction *in,
                     const struct variables *missing)
{
	for (size_t i = 0; i < missing->count; i++) {
		const char *name = missing->item[i].name, *near;

		if (declared_globally(p, name))
			continue;
		near = variables_nearest(&p->global, name);
		if (near)
			report(p, UNDEFINED_ARG_IN_FROM, in,
			       "FROM argument '%s' is not declared (did you mean %s?)", name, near);
		else
			report(p, UNDEFINED_ARG_IN_FROM, in, "FROM argument '%s' is not declared",
			       name);
	}
}

void lint_platform(struct planner *p, const struct instruction *in, const char *value,
                   const struct variables *found, const struct variables *missing)
{
	static const char name[] = "TARGETPLATFORM";
	const char *target = variables_get(&p->global, name), *stage = in->from.name;
	struct platform platform;
	struct error e;

	if (found->count == 1 && missing->count == 0 && variables_have(found, name) && target &&
	    strcmp(target, value) == 0)
		report(p, REDUNDANT_TARGET_PLATFORM, in,
		       "Setting platform to predefined %s in FROM is redundant as this is the "
		       "default behavior", in->from.platform);
	if (found->count > 0 || missing->count > 0 || platform_parse(value, &platform, &e) < 0)
		return;
	if (!stage ||
	    (!strstr(stage, platform.os) && !strstr(stage, platform.architecture)))
		report(p, FROM_PLATFORM_FLAG_CONST_DISALLOWED, in,
		       "FROM --platform flag should not use constant value \"%s\"", value);
}

void lint_base_platform(struct planner *p, const struct draft *d, const struct platform *have)
{
	char is[PLATFORM_TEXT], wanted[PLATFORM_TEXT];

	report(p, INVALID_BASE_IMAGE_PLATFORM, d->place,
	       "Base image %s was pulled with platform \"%s\", expected \"%s\" for current build",
	       d->image, platform_format(have, is), platform_format(&d->platform, wanted));
}

/* --- in a stage ------------------------------------------------------------------------------- */

void lint_undefined(struct planner *p, const struct clause *c, const char *name,
                    const struct variables *known, size_t first)
{
	const char *near = variables_nearest(known, name);
	size_t size = strlen(name);

	for (size_t i = first; i < p->plan->finding_count; i++) {
		const char *quoted = strchr(p->plan->finding[i].message, '$');

		if (quoted && strncmp(quoted + 1, name, size) == 0 && quoted[1 + size] == '\'')
			return;
	}
	if (near)
		report(p, UNDEFINED_VAR, c->place,
		       "Usage of undefined variable '$%s' (did you mean $%s?)", name, near);
	else
		report(p, UNDEFINED_VAR, c->place, "Usage of undefined variable '$%s'", name);
}

/* Is one of the words of NAME, which '_' separates, in the NULL-terminated LIST? */
static bool has_word(const char *name, const char *const *list)
{
	for (size_t n;; name += n + 1) {
		n = strcspn(name, "_");
		for (size_t i = 0; list[i]; i++)
			if (strlen(list[i]) == n && strncasecmp(name, list[i], n) == 0)
				return true;
		if (!name[n])
			return false;
	}
}

void lint_secret_name(struct planner *p, const struct clause *c, const char *keyword,
                      const char *name)
{
	static const char *const secret[] = {
		"apikey", "auth", "credential", "credentials", "key", "password", "pword", "passwd",
		"secret", "token", NULL,
	};
	static const char *const open[] = { "public", "file", "version", NULL };

	if (has_word(name, secret) && !has_word(name, open))
		report(p, SECRETS_USED_IN_ARG_OR_ENV, c->place,
		       "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")", keyword,
		       name);
}

void lint_legacy_pairs(struct planner *p, const struct clause *c)
{
	if (c->in->pairs.legacy)
		report(p, LEGACY_KEY_VALUE_FORMAT, c->place,
		       "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
		       c->in->name, c->in->name);
}

void lint_json_args(struct planner *p, const struct clause *c)
{
	report(p, JSON_ARGS_RECOMMENDED, c->place,
	       "JSON arguments recommended for %s to prevent unintended behavior related to OS "
	       "signals",
	       c->in->name);
}

void lint_only_last(struct planner *p, const struct draft *d, const struct clause *c)
{
	const struct instruction *earlier =
		d->last_of[c->in->keyword == KEYWORD_CMD ? 0 :
		           c->in->keyword == KEYWORD_ENTRYPOINT ? 1 : 2];

	if (earlier)
		report(p, MULTIPLE_INSTRUCTIONS_DISALLOWED, earlier,
		       "Multiple %s instructions should not be used in the same stage because only "
		       "the last one will be used", c->in->name);
}

void lint_relative_workdir(struct planner *p, const struct clause *c, const char *path)
{
	report(p, WORKDIR_RELATIVE_PATH, c->place,
	       "Relative workdir \"%s\" can have unexpected results if the base image changes",
	       path);
}

void lint_port(struct planner *p, const struct clause *c, const char *word,
               const struct port_range *range)
{
	if (range->protocol_cased)
		report(p, EXPOSE_PROTO_CASING, c->place,
		       "Defined protocol '%s' in EXPOSE instruction should be lowercase", word);
	if (range->has_host)
		report(p, EXPOSE_INVALID_FORMAT, c->place,
		       "EXPOSE instruction should not define an IP address or host-port mapping, "
		       "found '%s'", word);
}

void lint_copy_ignored(struct planner *p, const struct clause *c, const char *path)
{
	const char *clean = plan_clean(p, path);

	if (!p->options->ignored || !clean)
		return;
	clean += strspn(clean, "/");
	if (*clean && strcmp(clean, ".") != 0 &&
	    p->options->ignored(p->options->context_pointer, clean))
		report(p, COPY_IGNORED_FILE, c->place,
		       "Attempting to %s file \"%s\" that is excluded by .dockerignore",
		       c->in->keyword == KEYWORD_ADD ? "Add" : "Copy", clean);
}
