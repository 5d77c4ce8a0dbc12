#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/plan/lint.h"
#include "builder/plan/planner.h"
#include "builder/safe_text.h"
#include "layers/digest.h"
#include "layers/scope.h"

/* --- sources ---------------------------------------------------------------------------------- */

/* user@host:path, as ssh and git take it. */
static bool is_scp_style(const char *text)
{
	static const char user[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
	size_t n = strspn(text, user);
	const char *host = text + n + 1;

	if (n == 0 || text[n] != '@')
		return false;
	n = strcspn(host, ":/@");
	return n > 0 && host[n] == ':' && host[n + 1];
}

static bool has_scheme(const char *text, const char *scheme)
{
	return strncasecmp(text, scheme, strlen(scheme)) == 0;
}

/* Does the path of the URL end in ".git"? */
static bool is_git_url(const char *url)
{
	size_t size = strcspn(url, "?#");

	return size > 4 && strncmp(url + size - 4, ".git", 4) == 0;
}

enum source_kind plan_source_kind(const char *text)
{
	if (has_scheme(text, "git://") || has_scheme(text, "ssh://") ||
	    (strncmp(text, "./", 2) != 0 && strncmp(text, "../", 3) != 0 && is_scp_style(text)))
		return SOURCE_GIT;
	if (has_scheme(text, "http://") || has_scheme(text, "https://"))
		return is_git_url(text) ? SOURCE_GIT : SOURCE_URL;
	return SOURCE_PATH;
}

/* What is WRONG with the body of H, at the column that the whole of it has there. */
static int fail_document(struct planner *p, const struct clause *c, const struct heredoc *h,
                         const struct syntax_error *wrong)
{
	const char *at = h->body, *line = h->content, *end;
	size_t column = (size_t)wrong->column;

	plan_fail_expansion(p, c, "", wrong);
	if (c->trigger)
		return -1;
	p->e.line = h->first_line;
	while ((end = strchr(at, '\n')) && (size_t)(end - at) + 1 < column) {
		column -= (size_t)(end - at) + 1;
		at = end + 1;
		line = strchr(line, '\n') + 1;
		p->e.line++;
	}
	p->e.column = (int)column;
	if (h->chomp)
		p->e.column += (int)strspn(line, "\t");
	return -1;
}

/* The file name that a here-document NAME gives: one part, whatever dots and slashes lead to it. NULL
 * and p->e when that is no file of a folder. */
static const char *document_name(struct planner *p, const struct clause *c,
                                 const struct source *in)
{
	const char *rooted = plan_text(p, "/%s", in->heredoc->name);
	const char *clean = rooted ? plan_clean(p, rooted) : NULL;

	if (!clean)
		return NULL;
	if (clean[1] && !strchr(clean + 1, '/'))
		return clean + 1;
	plan_fail_at(p, c, in->word, 0, "here-document \"%s\": this is not the name of a file",
	             in->heredoc->name);
	return NULL;
}

static int add_document(struct planner *p, struct draft *d, const struct clause *c,
                        const struct heredoc *h, struct copy_source *s)
{
	struct stage_names names;
	struct expansion how;
	struct syntax_error wrong;
	auto_free char *body = NULL;

	s->kind = SOURCE_DOCUMENT;
	s->document = h->body;
	if (h->expand) {
		plan_expansion(p, d, c, &names, &how);
		how.escape = '\\'; /* whatever the file says */
		body = expand_document(h->body, &how, &wrong);
		if (!body)
			return fail_document(p, c, h, &wrong);
		s->document = plan_keep(p, body);
		if (!s->document)
			return -1;
	}
	s->document_size = strlen(s->document);
	return 0;
}

static int add_source(struct planner *p, struct draft *d, const struct clause *c,
                      const struct source *in, struct copy_step *copy)
{
	struct copy_source *s = &copy->source[copy->source_count];

	if (in->heredoc) {
		s->text = document_name(p, c, in);
		if (!s->text || add_document(p, d, c, in->heredoc, s) < 0)
			return -1;
	} else {
		s->text = plan_expand(p, d, c, in->word);
		if (!s->text)
			return -1;
		s->kind = plan_source_kind(s->text);
		if (s->kind == SOURCE_PATH && copy->from.kind == ORIGIN_CONTEXT &&
		    !copy->from.context)
			lint_copy_ignored(p, c, s->text);
	}
	if (!copy->add && s->kind == SOURCE_URL)
		return plan_fail_at(p, c, in->word, 0, "source can't be a URL for COPY: %s", s->text);
	if (!copy->add && s->kind == SOURCE_GIT)
		return plan_fail_at(p, c, in->word, 0, "source can't be a git ref for COPY: %s",
		                    s->text);
	copy->source_count++;
	return 0;
}

/* --- flags ------------------------------------------------------------------------------------ */

/* u+rwX,g=u,o-w and the like, as chmod(1) takes it. */
static bool is_symbolic_mode(const char *text)
{
	for (;; text++) {
		text += strspn(text, "ugoa");
		if (!*text || !strchr("+-=", *text))
			return false;
		while (*text && strchr("+-=", *text))
			text += 1 + strspn(text + 1, "rwxXstugo");
		if (!*text)
			return true;
		if (*text != ',')
			return false;
	}
}

static bool is_mode(const char *text)
{
	size_t digits = strspn(text, "01234567");

	if (!text[digits])
		return digits > 0 && strtoul(text, NULL, 8) <= 07777;
	return is_symbolic_mode(text);
}

static int check_checksum(struct planner *p, const struct clause *c, const struct copy_step *copy)
{
	struct digest digest;
	struct error e;

	if (!copy->checksum || !*copy->checksum)
		return 0;
	if (copy->source_count != 1)
		return plan_fail_at(p, c, "--checksum", 0,
		                    "checksum can't be specified for multiple sources");
	if (copy->source[0].kind != SOURCE_URL && copy->source[0].kind != SOURCE_GIT)
		return plan_fail_at(p, c, "--checksum", 0,
		                    "checksum requires HTTP(S) or Git sources");
	if (copy->source[0].kind == SOURCE_URL && digest_parse(copy->checksum, &digest, &e) < 0)
		return plan_fail_at(p, c, c->in->copy.checksum, 0, "--checksum: %s", e.text);
	return 0;
}

static int expand_flags(struct planner *p, struct draft *d, const struct clause *c,
                        struct copy_step *copy)
{
	const struct copy *in = &c->in->copy;
	const struct {
		const char *word;
		const char **value;
	} flags[] = {
		{ in->chown, &copy->chown },
		{ in->chmod, &copy->chmod },
		{ in->checksum, &copy->checksum },
	};

	for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
		if (!flags[i].word)
			continue;
		*flags[i].value = plan_expand(p, d, c, flags[i].word);
		if (!*flags[i].value)
			return -1;
		if (!**flags[i].value)
			*flags[i].value = NULL; /* an empty variable is no flag */
	}
	if (copy->chmod && !is_mode(copy->chmod))
		return plan_fail_at(p, c, in->chmod, 0, "invalid chmod parameter: '%s'. it should be "
		                    "octal string and between 0 and 07777", copy->chmod);
	return 0;
}

/* --- the step --------------------------------------------------------------------------------- */

/* Absolute; a slash at the end, or a dot that means one, stays a slash. */
static const char *destination(struct planner *p, struct draft *d, const char *typed)
{
	size_t size = strlen(typed);
	bool folder = size == 0 || typed[size - 1] == '/' || strcmp(typed, ".") == 0 ||
	              (size > 1 && strcmp(typed + size - 2, "/.") == 0);
	const char *path;

	if (*typed == '/')
		return folder && typed[size - 1] == '.' ? plan_text(p, "%.*s", (int)size - 1, typed)
							: typed;
	path = plan_below_cwd(p, d, typed);
	if (!path || !folder || strcmp(path, "/") == 0)
		return path;
	return plan_text(p, "%s/", path);
}

/* "COPY --chown=app a b /to/ # buildkit": sources first, then documents. */
static const char *created_by(struct planner *p, const struct copy_step *copy, const char *typed)
{
	FILE *f = plan_pieces(p);
	auto_free char *masked = NULL;
	const char *text;

	if (!f)
		return NULL;
	fputs(copy->add ? "ADD" : "COPY", f);
	if (copy->parents)
		fputs(" --parents", f);
	if (copy->chown)
		fprintf(f, " --chown=%s", copy->chown);
	if (copy->chmod)
		fprintf(f, " --chmod=%s", copy->chmod);
	for (size_t i = 0; i < copy->source_count; i++)
		if (copy->source[i].kind != SOURCE_DOCUMENT)
			fprintf(f, " %s", copy->source[i].text);
	for (size_t i = 0; i < copy->source_count; i++)
		if (copy->source[i].kind == SOURCE_DOCUMENT)
			fprintf(f, " <<%s", copy->source[i].text);
	fprintf(f, " %s # buildkit", typed);
	text = plan_keep_pieces(p);
	if (!text)
		return NULL;
	/* The history is for all who get the image. */
	masked = mask_passwords(text);
	if (!masked)
		plan_no_memory(p);
	return masked ? plan_keep(p, masked) : NULL;
}

/* The whole line with its variables replaced, where that is possible. */
static const char *shown(struct planner *p, struct draft *d, const struct clause *c)
{
	const char *rest = c->in->text + strcspn(c->in->text, " \t");
	struct stage_names names;
	struct expansion how;
	auto_free char *expanded = NULL;

	plan_expansion(p, d, c, &names, &how);
	names.silent = true;
	expanded = expand(rest, &how, NULL);
	return plan_text(p, "%s%s", keyword_name(c->in->keyword), expanded ? expanded : rest);
}

int plan_copy(struct planner *p, struct draft *d, const struct clause *c)
{
	const struct copy *in = &c->in->copy;
	const char *text = shown(p, d, c), *typed;
	struct step *step = plan_step(p, d, c, STEP_COPY);
	struct copy_step *copy = &step->copy;

	if (!text || plan_name_step(p, d, c, step, text) < 0)
		return -1;
	*copy = (struct copy_step){
		.add = c->in->keyword == KEYWORD_ADD,
		.excludes = in->excludes.item,
		.exclude_count = in->excludes.count,
		.link = in->link,
		.parents = in->parents,
		.keep_git_dir = in->keep_git_dir,
		.unpack = in->unpack,
		.from = c->origin ? c->origin[0] : (struct origin){ORIGIN_CONTEXT, NO_STAGE, NULL},
		.source = arena_array(p->memory, in->source_count, sizeof *copy->source),
	};
	if (!copy->source)
		return plan_no_memory(p);
	for (size_t i = 0; i < in->source_count; i++)
		if (add_source(p, d, c, &in->source[i], copy) < 0)
			return -1;
	typed = plan_expand(p, d, c, in->destination);
	if (!typed || expand_flags(p, d, c, copy) < 0 || check_checksum(p, c, copy) < 0)
		return -1;
	copy->destination = destination(p, d, typed);
	step->created_by = created_by(p, copy, typed);
	return copy->destination && step->created_by ? plan_history(p, d, step->created_by, step)
						     : -1;
}
