/* The environment of a RUN: ENV and ARG, proxies, HOME, secrets by name, the agent's socket. */
#pragma once
#include "builder/build/task.h"

struct environment {
	char **item;            /* "NAME=VALUE", NULL at the end */
	size_t count;
};

/* ENV needs environment_release in every case. */
int environment_make(const struct building *b, const struct run_step *run, const char *home,
                     struct environment *env, struct error *e);
void environment_release(struct environment *env);
