#include <stdlib.h>
#include <string.h>

#include "builder/plan/planner.h"
#include "layers/scope.h"

/* The ARGs that the target's stages declare or use, for --call=outline. */

static int add(struct planner *p, const char *name, const char *value, const struct instruction *in)
{
	struct plan *plan = p->plan;

	for (size_t i = 0; i < plan->arg_count; i++)
		if (strcmp(plan->arg[i].name, name) == 0)
			return 0;
	plan->arg = arena_room(p->memory, plan->arg, plan->arg_count, sizeof *plan->arg);
	if (!plan->arg)
		return plan_no_memory(p);
	plan->arg[plan->arg_count++] = (struct plan_arg){ name, value ? value : "", in };
	return 0;
}

/* The last ARG before the first FROM that declares NAME. */
static const struct pair *find_global(const struct planner *p, const char *name,
                                      const struct instruction **in)
{
	const struct pair *found = NULL;

	for (const struct instruction *i = p->file->instruction; i->keyword == KEYWORD_ARG; i++)
		for (size_t j = 0; j < i->pairs.count; j++)
			if (strcmp(i->pairs.item[j].name, name) == 0) {
				found = &i->pairs.item[j];
				*in = i;
			}
	return found;
}

static int add_global(struct planner *p, const char *name)
{
	const struct instruction *in = NULL;
	const struct pair *pair = find_global(p, name, &in);

	return pair ? add(p, pair->name, variables_get(&p->global, name), in) : 0;
}

struct users {
	struct planner *planner;
	int result;
};

static const char *look_up(void *context, const char *name)
{
	struct users *users = context;

	if (users->result == 0)
		users->result = add_global(users->planner, name);
	return variables_get(&users->planner->global, name);
}

/* The globals that WORD uses. */
static int add_used(struct planner *p, const char *word)
{
	struct users users = { p, 0 };
	struct expansion how = { look_up, &users, p->file->escape };

	free(expand(word, &how, NULL));
	return users.result;
}

/* The globals that defaults of globals in the list are made of; each is added once. */
static int add_used_by_used(struct planner *p)
{
	for (size_t i = 0; i < p->plan->arg_count; i++) {
		const struct plan_arg *arg = &p->plan->arg[i];
		const struct instruction *in = NULL;
		const struct pair *pair = find_global(p, arg->name, &in);

		if (pair && in == arg->in && pair->value &&
		    !variables_have(&p->build_args, arg->name) && add_used(p, pair->value) < 0)
			return -1;
	}
	return 0;
}

static int add_declared(struct planner *p, const struct draft *d, const struct clause *c)
{
	for (size_t i = 0; i < c->in->pairs.count; i++) {
		const struct pair *arg = &c->in->pairs.item[i];
		bool own = arg->value || variables_have(&p->build_args, arg->name);
		bool automatic = !own && variables_have(&p->global, arg->name);
		int result = automatic ? add_global(p, arg->name) :
		             add(p, arg->name, variables_get(&d->args, arg->name), c->place);

		if (result < 0)
			return -1;
	}
	return 0;
}

static int by_line(const void *a, const void *b)
{
	const struct plan_arg *x = a, *y = b;

	return (x->in->first_line > y->in->first_line) - (x->in->first_line < y->in->first_line);
}

int plan_args(struct planner *p)
{
	for (size_t i = p->named_count; i-- > 0;) {
		const struct stage *s = &p->plan->stage[i];
		const struct draft *d = &p->draft[i];

		if (!s->needed)
			continue;
		if (add_used(p, s->from->from.image) < 0 ||
		    (s->from->from.platform && add_used(p, s->from->from.platform) < 0))
			return -1;
		for (size_t j = 0; j < d->clause_count; j++)
			if (d->clause[j].in->keyword == KEYWORD_ARG &&
			    add_declared(p, d, &d->clause[j]) < 0)
				return -1;
	}
	if (add_used_by_used(p) < 0)
		return -1;
	if (p->plan->arg_count > 1)
		qsort(p->plan->arg, p->plan->arg_count, sizeof *p->plan->arg, by_line);
	return 0;
}
