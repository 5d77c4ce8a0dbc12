/* ADD of repositories: the commit is found out for the key, the files come when they are needed. */
#include <stdlib.h>
#include <string.h>

#include "builder/copy/copy_selection.h"
#include "layers/scope.h"

static struct git_access access_of(const struct copy_world *w)
{
	return (struct git_access){ .secret = w->secret, .context = w->secret_context };
}

/* What the flags say and what the URL says must not differ. */
static int take_flags(const struct copy_step *step, struct git_place *p, struct error *e)
{
	if (step->keep_git_dir != CHOICE_NOT_MADE) {
		int keep = step->keep_git_dir == CHOICE_YES;

		if (p->keep_dir >= 0 && p->keep_dir != keep)
			return error_set(e, ERROR_INPUT,
			                 "--keep-git-dir says otherwise than the URL");
		p->keep_dir = keep;
	}
	if (!step->checksum || !*step->checksum)
		return 0;
	if (p->checksum && strcmp(p->checksum, step->checksum) != 0)
		return error_set(e, ERROR_INPUT, "--checksum says otherwise than the URL");
	free(p->checksum);
	p->checksum = strdup(step->checksum);
	return p->checksum ? 0 : error_memory(e);
}

int copy_take_repository(struct selection *c, const struct copy_source *source, struct error *e)
{
	struct git_access access = access_of(c->world);
	struct copy_repository *grown, *r;

	if (copy_next_match(c, NULL, NULL, e) < 0 || !copy_folder_target(c, e))
		return -1;
	grown = reallocarray(c->repository, c->repository_count + 1, sizeof *grown);
	if (!grown)
		return error_memory(e);
	c->repository = grown;
	r = &grown[c->repository_count++];
	*r = (struct copy_repository){ .match = c->match_now };
	if (git_place_parse(source->text, &r->place, e) < 0 ||
	    take_flags(c->step, &r->place, e) < 0)
		return error_context(e, "%s", source->text);
	return git_resolve(&r->place, &access, r->commit, e);
}

void copy_repositories_to_key(struct selection *c, struct key *key)
{
	for (size_t i = 0; i < c->repository_count; i++) {
		const struct copy_repository *r = &c->repository[i];

		key_add(key, "commit", r->commit);
		key_add(key, "subdir", r->place.subdir ? r->place.subdir : "");
		key_add_number(key, "submodules", !r->place.no_submodules);
		/* .git names where it came from. */
		if (r->place.keep_dir > 0) {
			key_add(key, "repository", r->place.remote);
			key_add(key, "ref", r->place.ref ? r->place.ref : "");
		}
	}
}

static int fetch(struct selection *c, struct copy_repository *r, struct error *e)
{
	struct git_access access = access_of(c->world);
	auto_free char *path =
		git_checkout(c->world->store, &r->place, &access, r->commit, &r->folder, NULL, e);
	struct place top = { 0 };

	if (path)
		r->context = context_open(NULL, path, NULL, e);
	if (path && !r->context)
		store_discard(&r->folder);
	if (!r->context)
		return -1;
	if (context_find(r->context, "", true, &top.file, e) < 0)
		return -1;
	c->match_now = r->match;
	top.context = c->match[r->match].context = r->context;
	return copy_take_folder(c, &top, c->destination, e);
}

int copy_fetch_repositories(struct selection *c, struct error *e)
{
	for (size_t i = 0; i < c->repository_count; i++)
		if (fetch(c, &c->repository[i], e) < 0)
			return -1;
	return 0;
}

void copy_release_repositories(struct selection *c)
{
	struct error ignored;

	for (size_t i = 0; i < c->repository_count; i++) {
		struct copy_repository *r = &c->repository[i];

		if (r->context) {
			context_close(r->context, &ignored);
			store_discard(&r->folder);
		}
		git_place_release(&r->place);
	}
	free(c->repository);
}
