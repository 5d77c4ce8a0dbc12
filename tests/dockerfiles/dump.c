/* Prints what the parser makes of the Dockerfile on standard input: a line of JSON for each
 * instruction with the fields that are set, or the mistakes, with status 1. With an argument, what
 * stands there is parsed as an ONBUILD trigger.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "parser/dockerfile.h"

static void put_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		if (*text == '\n')
			fputs("\\n", stdout);
		else if (*text == '\t')
			fputs("\\t", stdout);
		else if ((unsigned char)*text < ' ')
			printf("\\u%04x", *text);
		else
			printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
	}
	putchar('"');
}

static void put_text(const char *name, const char *text)
{
	if (!text)
		return;
	printf(", \"%s\": ", name);
	put_string(text);
}

static void put_number(const char *name, long long number)
{
	if (number)
		printf(", \"%s\": %lld", name, number);
}

static void put_true(const char *name, bool set)
{
	if (set)
		printf(", \"%s\": true", name);
}

static void put_list(const char *name, const struct words *words)
{
	printf(", \"%s\": [", name);
	for (size_t i = 0; i < words->count; i++) {
		fputs(i ? ", " : "", stdout);
		put_string(words->item[i]);
	}
	putchar(']');
}

static void put_words(const char *name, const struct words *words)
{
	if (words->count)
		put_list(name, words);
}

static void put_choice(const char *name, enum choice choice)
{
	if (choice != CHOICE_NOT_MADE)
		printf(", \"%s\": %s", name, choice == CHOICE_YES ? "true" : "false");
}

static void put_command(const struct command *command)
{
	if (command->exec)
		put_list("exec", &command->words);
	else
		put_text("shell", command->text);
}

static void put_pairs(const struct pairs *pairs)
{
	put_true("legacy", pairs->legacy);
	fputs(", \"pairs\": [", stdout);
	for (size_t i = 0; i < pairs->count; i++) {
		fputs(i ? ", [" : "[", stdout);
		put_string(pairs->item[i].name);
		if (pairs->item[i].value) {
			fputs(", ", stdout);
			put_string(pairs->item[i].value);
		}
		putchar(']');
	}
	putchar(']');
}

static void put_copy(const struct copy *copy)
{
	fputs(", \"sources\": [", stdout);
	for (size_t i = 0; i < copy->source_count; i++) {
		fputs(i ? ", " : "", stdout);
		put_string(copy->source[i].word);
		if (copy->source[i].heredoc)
			fputs(", \"(here-document)\"", stdout);
	}
	putchar(']');
	put_text("destination", copy->destination);
	put_text("from", copy->from);
	put_text("chown", copy->chown);
	put_text("chmod", copy->chmod);
	put_text("checksum", copy->checksum);
	put_words("excludes", &copy->excludes);
	put_true("link", copy->link);
	put_true("parents", copy->parents);
	put_choice("keep_git_dir", copy->keep_git_dir);
	put_choice("unpack", copy->unpack);
}

static void put_run(const struct run *run)
{
	put_command(&run->command);
	put_words("mounts", &run->mounts);
	put_text("network", run->network);
	put_text("security", run->security);
	put_words("devices", &run->devices);
	put_text("script", run->script);
	put_true("script_is_program", run->script_is_program);
}

static void put_healthcheck(const struct healthcheck *check)
{
	put_words("test", &check->test);
	put_number("interval_ns", check->interval_ns);
	put_number("timeout_ns", check->timeout_ns);
	put_number("start_period_ns", check->start_period_ns);
	put_number("start_interval_ns", check->start_interval_ns);
	put_number("retries", check->retries);
}

static void put_heredocs(const struct heredocs *docs)
{
	for (size_t i = 0; i < docs->count; i++) {
		const struct heredoc *doc = &docs->item[i];

		fputs(i ? ", {" : ", \"heredocs\": [{", stdout);
		printf("\"first_line\": %d", doc->first_line);
		put_text("name", doc->name);
		put_text("body", doc->body);
		put_text("content", doc->content == doc->body ? NULL : doc->content);
		put_number("descriptor", doc->descriptor);
		put_true("expand", doc->expand);
		putchar('}');
	}
	if (docs->count)
		putchar(']');
}

static void put_check(const struct check *check)
{
	if (check->skip)
		printf(", \"skip\": \"%.*s\"", (int)strcspn(check->skip, ";"), check->skip);
	if (check->experimental)
		printf(", \"experimental\": \"%.*s\"", (int)strcspn(check->experimental, ";"),
		       check->experimental);
	put_true("error", check->error);
}

static void put_arguments(const struct instruction *in)
{
	switch (in->keyword) {
	case KEYWORD_FROM:
		put_text("image", in->from.image);
		put_text("platform", in->from.platform);
		put_text("as", in->from.as);
		put_text("name", in->from.name);
		if (in->from.name && strcmp(in->from.name, in->from.typed_name) != 0)
			put_text("typed_name", in->from.typed_name);
		break;
	case KEYWORD_RUN:
		put_run(&in->run);
		break;
	case KEYWORD_CMD: case KEYWORD_ENTRYPOINT:
		put_command(&in->command);
		break;
	case KEYWORD_COPY: case KEYWORD_ADD:
		put_copy(&in->copy);
		break;
	case KEYWORD_ENV: case KEYWORD_LABEL: case KEYWORD_ARG:
		put_pairs(&in->pairs);
		break;
	case KEYWORD_EXPOSE: case KEYWORD_VOLUME: case KEYWORD_SHELL:
		put_list("words", &in->words);
		break;
	case KEYWORD_HEALTHCHECK:
		put_healthcheck(&in->healthcheck);
		break;
	case KEYWORD_ONBUILD:
		put_text("trigger", in->trigger);
		break;
	default:
		put_text("argument", in->argument);
	}
}

static void put_instruction(const struct instruction *in)
{
	printf("{\"%s\": [%d, %d]", keyword_name(in->keyword), in->first_line, in->last_line);
	if (strcmp(in->name, keyword_name(in->keyword)) != 0)
		put_text("typed", in->name);
	put_text("text", in->text);
	put_words("flags", &in->flags);
	put_words("comments", &in->comments);
	put_check(&in->check);
	put_number("empty_line", in->empty_line);
	put_arguments(in);
	put_heredocs(&in->heredocs);
	puts("}");
}

static void put_directives(const struct dockerfile *d)
{
	if (d->syntax)
		printf("{\"syntax\": \"%s\", \"line\": %d}\n", d->syntax, d->syntax_line);
	if (d->escape_line)
		printf("{\"escape\": \"%s\", \"line\": %d}\n", d->escape == '`' ? "`" : "\\\\",
		       d->escape_line);
	if (d->check_text) {
		printf("{\"check\": \"%s\", \"line\": %d", d->check_text, d->check_line);
		put_check(&d->check);
		puts("}");
	}
}

/* "2:6: ...", or "2-4:3:6: ..." when it is in line 3 of an instruction of lines 2 to 4. */
static void put_error(const struct syntax_error *e)
{
	printf("%d", e->line);
	if (e->last_line > e->line)
		printf("-%d:%d", e->last_line, e->column_line);
	printf(":%d: %s\n", e->column, e->text);
}

int main(int argc, char **argv)
{
	static char text[DOCKERFILE_SIZE_MAX + 1];
	size_t size = fread(text, 1, sizeof text, stdin);
	struct dockerfile *d =
		argc > 1 ? dockerfile_parse_trigger(argv[1]) : dockerfile_parse(text, size);
	int status;

	if (!d)
		return 2;
	for (size_t i = 0; i < d->error_count; i++)
		put_error(&d->error[i]);
	if (d->unreported)
		printf("and %zu more\n", d->unreported);
	status = d->error_count > 0;
	if (!status)
		put_directives(d);
	for (size_t i = 0; !status && i < d->count; i++)
		put_instruction(&d->instruction[i]);
	dockerfile_free(d);
	return status;
}
