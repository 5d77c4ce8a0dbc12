#include <stdlib.h>
#include <string.h>

#include "builder/plan/planner.h"
#include "layers/scope.h"

/* The ARGs that the target's stages declare or use, for --call=outline. */

struct list {
	struct planner *planner;
	struct names added;
	struct names globals;            /* the last ARG before the first FROM: its instruction */
	int result;
};

static int add(struct list *l, const char *name, const char *value, const struct instruction *in)
{
	struct planner *p = l->planner;
	struct plan *plan = p->plan;

	if (names_find(&l->added, name) != NO_PLACE)
		return 0;
	plan->arg = arena_room(p->memory, plan->arg, plan->arg_count, sizeof *plan->arg);
	if (!plan->arg || !names_set(&l->added, p->memory, name, plan->arg_count))
		return plan_no_memory(p);
	plan->arg[plan->arg_count++] = (struct plan_arg){ name, value ? value : "", in };
	return 0;
}

static int find_globals(struct list *l)
{
	const struct dockerfile *file = l->planner->file;

	for (size_t i = 0; file->instruction[i].keyword == KEYWORD_ARG; i++) {
		const struct pairs *pairs = &file->instruction[i].pairs;

		for (size_t k = 0; k < pairs->count; k++)
			if (!names_set(&l->globals, l->planner->memory, pairs->item[k].name, i))
				return plan_no_memory(l->planner);
	}
	return 0;
}

static int add_global(struct list *l, const char *name)
{
	const struct planner *p = l->planner;
	size_t i = names_find(&l->globals, name);
	const struct instruction *in = i == NO_PLACE ? NULL : &p->file->instruction[i];

	/* The name is borrowed from where it stays. */
	for (size_t k = 0; in && k < in->pairs.count; k++)
		if (strcmp(in->pairs.item[k].name, name) == 0)
			return add(l, in->pairs.item[k].name, variables_get(&p->global, name), in);
	return 0;
}

static const char *look_up(void *context, const char *name)
{
	struct list *l = context;

	if (l->result == 0)
		l->result = add_global(l, name);
	return variables_get(&l->planner->global, name);
}

/* The globals that WORD uses. */
static int add_used(struct list *l, const char *word)
{
	struct expansion how = { look_up, l, l->planner->file->escape };

	free(expand(word, &how, NULL));
	return l->result;
}

/* The globals that defaults of globals in the list are made of; each is added once. */
static int add_used_by_used(struct list *l)
{
	const struct planner *p = l->planner;

	for (size_t i = 0; i < p->plan->arg_count; i++) {
		const struct plan_arg arg = p->plan->arg[i]; /* the array may move */
		size_t place = names_find(&l->globals, arg.name);

		if (place == NO_PLACE || &p->file->instruction[place] != arg.in ||
		    variables_have(&p->build_args, arg.name))
			continue;
		for (size_t k = 0; k < arg.in->pairs.count; k++) {
			const struct pair *pair = &arg.in->pairs.item[k];

			if (strcmp(pair->name, arg.name) == 0 && pair->value &&
			    add_used(l, pair->value) < 0)
				return -1;
		}
	}
	return 0;
}

static int add_declared(struct list *l, const struct draft *d, const struct clause *c)
{
	const struct planner *p = l->planner;

	for (size_t i = 0; i < c->in->pairs.count; i++) {
		const struct pair *arg = &c->in->pairs.item[i];
		bool own = arg->value || variables_have(&p->build_args, arg->name);
		bool automatic = !own && variables_have(&p->global, arg->name);
		int result = automatic ? add_global(l, arg->name) :
		             add(l, arg->name, variables_get(&d->args, arg->name), c->place);

		if (result < 0)
			return -1;
	}
	return 0;
}

/* Which of its line ARG is. */
static size_t number(const struct plan_arg *arg)
{
	size_t i = 0;

	while (arg->in->keyword == KEYWORD_ARG && i < arg->in->pairs.count &&
	       strcmp(arg->in->pairs.item[i].name, arg->name) != 0)
		i++;
	return i;
}

static int by_line(const void *a, const void *b)
{
	const struct plan_arg *x = a, *y = b;
	size_t x_number, y_number;

	if (x->in->first_line != y->in->first_line)
		return x->in->first_line < y->in->first_line ? -1 : 1;
	x_number = number(x);
	y_number = number(y);
	return (x_number > y_number) - (x_number < y_number);
}

int plan_args(struct planner *p)
{
	struct list l = { .planner = p };

	if (find_globals(&l) < 0)
		return -1;
	for (size_t i = p->named_count; i-- > 0;) {
		const struct stage *s = &p->plan->stage[i];
		const struct draft *d = &p->draft[i];

		if (!s->needed)
			continue;
		if (add_used(&l, s->from->from.image) < 0 ||
		    (s->from->from.platform && add_used(&l, s->from->from.platform) < 0))
			return -1;
		for (size_t j = 0; j < d->clause_count; j++)
			if (d->clause[j].in->keyword == KEYWORD_ARG &&
			    add_declared(&l, d, &d->clause[j]) < 0)
				return -1;
	}
	if (add_used_by_used(&l) < 0)
		return -1;
	if (p->plan->arg_count > 1)
		qsort(p->plan->arg, p->plan->arg_count, sizeof *p->plan->arg, by_line);
	return 0;
}
