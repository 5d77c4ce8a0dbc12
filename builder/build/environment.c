#include "builder/build/environment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "builder/build/step_run.h"

static bool has_variable(const struct environment *env, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < env->count; i++)
		if (strncmp(env->item[i], name, length) == 0 && env->item[i][length] == '=')
			return true;
	return false;
}

static int add_variable(struct environment *env, const char *name, const char *value)
{
	return asprintf(&env->item[env->count], "%s=%s", name, value) < 0 ? -1 : (int)env->count++;
}

/* But an empty HOME, which is none: as runc has it. */
static int add_words(struct environment *env, const char *const *words)
{
	for (size_t i = 0; words && words[i]; i++) {
		char *word;

		if (strcmp(words[i], "HOME=") == 0)
			continue;
		word = strdup(words[i]);
		if (!word)
			return -1;
		env->item[env->count++] = word;
	}
	return 0;
}

static size_t count_words(const char *const *words)
{
	size_t count = 0;

	while (words && words[count])
		count++;
	return count;
}

int environment_make(const struct building *b, const struct run_step *run, const char *home,
                     struct environment *env, struct error *e)
{
	bool agent = false;
	int result = 0;

	env->item = calloc(count_words(run->env) + count_words(run->proxies) + run->mount_count + 3,
	                   sizeof *env->item);
	if (!env->item)
		return error_memory(e);
	if (add_words(env, run->env) < 0 || add_words(env, run->proxies) < 0)
		return error_memory(e);
	if (!has_variable(env, "HOME"))
		result |= add_variable(env, "HOME", home);
	for (size_t i = 0; i < run->mount_count; i++) {
		const struct mount *m = &run->mount[i].mount;

		if (m->type == MOUNT_SECRET && m->env) {
			const struct build_secret *secret = find_secret(b, m->id);

			result |= add_variable(env, m->env, secret ? secret->value : "");
		}
		if (m->type == MOUNT_SSH && !agent && find_ssh(b, m->id) &&
		    !has_variable(env, "SSH_AUTH_SOCK")) {
			agent = true;
			result |= add_variable(env, "SSH_AUTH_SOCK", m->target);
		}
	}
	return result < 0 ? error_memory(e) : 0;
}

void environment_release(struct environment *env)
{
	for (size_t i = 0; i < env->count; i++)
		free(env->item[i]);
	free(env->item);
}
