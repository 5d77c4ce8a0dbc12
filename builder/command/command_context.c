#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/command/command.h"
#include "builder/copy/context.h"
#include "builder/command/context_source.h"
#include "builder/command/dockerfile_source.h"
#include "builder/command/human.h"
#include "builder/command/options.h"
#include "layers/path.h"
#include "layers/scope.h"

static const struct option_row rows[] = {
	{ "all", 'a', NULL, "Every file, not only what is at the top" },
	{ "file", 'f', "path", "Name of the Dockerfile, whose own .dockerignore may count" },
	{ NULL },
};
static const struct usage usage = {
	"context ls", "[OPTIONS] PATH [FILE...]",
	"Show what a build of PATH sees, or why it does not see FILE", rows, 1, ARGUMENTS_ANY,
};

/* What is counted: all of it, and what is below the current name at the top. */
struct count {
	bool all;
	int64_t files, folders, size;
	char *top;
	bool top_is_folder;
	int64_t top_size;
};

static void print_line(int64_t size, const char *path, bool is_folder)
{
	char text[HUMAN_TEXT];

	printf("%10s  %s%s\n", human_size(size, text), path, is_folder ? "/" : "");
}

static void print_top(struct count *c)
{
	if (c->top)
		print_line(c->top_size, c->top, c->top_is_folder);
	free(c->top);
	c->top = NULL;
	c->top_size = 0;
}

static int count_file(void *context, const struct context_file *file, const char *path,
                      struct error *e)
{
	struct count *c = context;
	struct entry entry;

	context_entry(file, &entry);
	c->folders += entry.type == ENTRY_DIR;
	c->files += entry.type != ENTRY_DIR;
	c->size += entry.size;
	if (c->all) {
		if (entry.type != ENTRY_DIR)
			print_line(entry.size, path, false);
		return 0;
	}
	if (!strchr(path, '/')) {
		print_top(c);
		c->top = strdup(path);
		c->top_is_folder = entry.type == ENTRY_DIR;
		if (!c->top)
			return error_memory(e);
	}
	c->top_size += entry.size;
	return 0;
}

static int list(struct context *context, bool all, struct error *e)
{
	struct count c = { .all = all };
	const struct context_file *top;
	char text[HUMAN_TEXT];
	int result;

	if (context_find(context, "", true, &top, e) < 0)
		return -1;
	result = context_walk(context, top, true, count_file, &c, e);
	print_top(&c);
	if (result < 0)
		return -1;
	printf("%10s  in %" PRId64 " files and %" PRId64 " folders\n", human_size(c.size, text),
	       c.files, c.folders);
	return 0;
}

static int explain(struct context *context, const char *name, struct error *e)
{
	const struct ignore *ignore = context_ignore(context);
	const struct ignore_rule *rule;
	const struct context_file *file;
	auto_free char *clean = path_clean(name);
	struct entry entry;
	int there;

	if (!clean)
		return error_memory(e);
	rule = ignore && clean[1] ? ignore_match(ignore, clean + 1) : NULL;
	there = context_find(context, clean + 1, false, &file, e);
	if (there < 0)
		return -1;
	if (there)
		context_entry(file, &entry);
	if (rule && there && !rule->exception)
		printf("%s: excluded by line %d of %s (%s), but for some of what is in it\n", name,
		       rule->line, ignore_file(ignore), rule->text);
	else if (rule)
		printf("%s: %s line %d of %s (%s)\n", name,
		       rule->exception ? "included by" : "excluded by", rule->line,
		       ignore_file(ignore), rule->text);
	else
		printf("%s: %s\n", name, there ? "included, for nothing excludes it" : "not there");
	return 0;
}

/* Which rules count depends on the Dockerfile; a folder without one has rules all the same. */
static int read_rules(const struct options *o, struct ignore **rules, struct error *e)
{
	const char *file = options_value(o, "file");
	struct dockerfile_source source;
	int result;

	/* One that is not beside any file has no rules of its own. */
	if (file && (is_web_address(file) || strcmp(file, "-") == 0))
		return dockerignore_read(o->arguments[0], rules, e);
	result = dockerfile_source_read(o->arguments[0], false, file, NULL, &source, e);
	*rules = source.ignore;
	source.ignore = NULL;
	dockerfile_source_release(&source);
	if (result < 0 && !file && e->kind == ERROR_NOT_FOUND)
		result = dockerignore_read(o->arguments[0], rules, e);
	return result;
}

static int show(const struct options *o, struct error *e)
{
	struct error ignored;
	struct ignore *rules;
	struct context *context;
	int result;

	if (read_rules(o, &rules, e) < 0)
		return -1;
	context = context_open(NULL, o->arguments[0], rules, e);
	if (!context)
		return -1;
	result = o->argument_count > 1 ? 0 : list(context, options_switch(o, "all", false), e);
	for (size_t i = 1; result == 0 && i < o->argument_count; i++)
		result = explain(context, o->arguments[i], e);
	context_close(context, &ignored);
	return result;
}

int command_context_ls(int argc, char **argv, struct error *e)
{
	struct options o;
	int result = options_parse(&usage, argc, argv, &o, e);

	if (result == 0 && o.help)
		options_help(&usage, stdout);
	else if (result == 0)
		result = show(&o, e);
	options_release(&o);
	return result;
}
