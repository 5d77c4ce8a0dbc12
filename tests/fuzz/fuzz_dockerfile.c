/* Any bytes as a Dockerfile: it is good or has errors, and all that it holds can be used. */
#include <stdlib.h>
#include <string.h>
#include "parser/dockerfile.h"
#include "parser/expand.h"
#include "parser/mount.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *lookup(void *names, const char *name)
{
	(void)names;
	return *name == 'A' ? "a value/with*" : NULL;
}

static void check(bool good)
{
	if (!good)
		abort();
}

static void use_word(const char *word, const struct expansion *how)
{
	struct syntax_error e;

	free(expand(word, how, &e));
}

static void use_words(const struct words *words, const struct expansion *how)
{
	check(!words->item || !words->item[words->count]);
	for (size_t i = 0; i < words->count; i++)
		use_word(words->item[i], how);
}

static void use_run(const struct run *run, const struct expansion *how)
{
	struct syntax_error e;
	struct mount mount;

	use_words(&run->command.words, how);
	for (size_t i = 0; i < run->mounts.count; i++) {
		if (mount_parse(run->mounts.item[i], how, &mount, &e) == 0)
			mount_release(&mount);
	}
	if (run->script)
		use_word(run->script, how);
}

static void use_copy(const struct copy *copy, const struct expansion *how)
{
	struct syntax_error e;

	check(copy->source_count > 0);
	use_word(copy->destination, how);
	for (size_t i = 0; i < copy->source_count; i++) {
		use_word(copy->source[i].word, how);
		if (copy->source[i].heredoc)
			free(expand_document(copy->source[i].heredoc->body, how, &e));
	}
}

static void use(const struct instruction *in, const struct expansion *how)
{
	check(in->first_line <= in->last_line);
	check(strlen(in->rest) <= strlen(in->text));
	switch (in->keyword) {
	case KEYWORD_RUN:
		use_run(&in->run, how);
		break;
	case KEYWORD_COPY: case KEYWORD_ADD:
		use_copy(&in->copy, how);
		break;
	case KEYWORD_ENV: case KEYWORD_LABEL: case KEYWORD_ARG:
		for (size_t i = 0; i < in->pairs.count; i++) {
			use_word(in->pairs.item[i].name, how);
			if (in->pairs.item[i].value)
				use_word(in->pairs.item[i].value, how);
		}
		break;
	case KEYWORD_EXPOSE: case KEYWORD_VOLUME: case KEYWORD_SHELL:
		use_words(&in->words, how);
		break;
	case KEYWORD_HEALTHCHECK:
		check(in->healthcheck.interval_ns >= 0 && in->healthcheck.retries >= 0);
		use_words(&in->healthcheck.test, how);
		break;
	case KEYWORD_ONBUILD:
		dockerfile_free(dockerfile_parse_trigger(in->trigger));
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct dockerfile *d = dockerfile_parse((const char *)data, size);
	struct expansion how = { lookup, NULL, d->escape };

	check(d->error_count > 0 || d->count > 0);
	for (size_t i = 1; i < d->count; i++)
		check(d->instruction[i - 1].last_line < d->instruction[i].first_line);
	for (size_t i = 0; i < d->count; i++)
		use(&d->instruction[i], &how);
	dockerfile_free(d);
	return 0;
}
