/* WORKDIR: the folder is there afterwards. No root filesystem is needed to find out what is
 * missing: the tables know. */
#include <stdlib.h>
#include <string.h>

#include "builder/sandbox/passwd.h"
#include "builder/build/task.h"
#include "layers/scope.h"

/* What a user database may weigh; larger ones are no user databases (H021). */
#define PASSWD_SIZE_MAX (4 << 20)


static int workdir_prepare(struct building *b, struct task *t, struct key *key, void **work,
                           struct error *e)
{
	const struct workdir_step *step = &t->step->workdir;
	size_t count;
	auto_free struct layer *layers = layers_below(b, t->step->stage, t->step->number, &count);
	struct digest chain;

	*work = NULL;
	if (!layers)
		return error_memory(e);
	chain_digest(layers, count, &chain);
	key_add(key, "instruction", "WORKDIR");
	key_add(key, "path", step->path);
	key_add(key, "user", step->user);
	key_add_number(key, "SOURCE_DATE_EPOCH", b->plan->epoch);
	key_add_digest(key, "the layers below", &chain);
	return 0;
}

/* Every folder on the way to PATH that is not there, as entries of its own. */
static int add_missing(struct stack *onto, const char *path, const struct entry *like,
                       struct layer_writer *w, struct error *e)
{
	auto_free char *prefix = strdup(path);

	if (!prefix)
		return error_memory(e);
	for (char *slash = prefix;; slash++) {
		struct found found;
		struct entry entry = *like;
		char kept;
		int there;

		slash += strcspn(slash, "/");
		kept = *slash;
		*slash = '\0';
		there = stack_lookup(onto, prefix, &found, e);
		if (there < 0)
			return -1;
		entry.path = prefix;
		if (!there && layer_add(w, &entry, NULL, e) < 0)
			return -1;
		*slash = kept;
		if (!kept)
			return 0;
	}
}

static int owner_of(struct stack *onto, const char *user, uint32_t *uid, uint32_t *gid,
                    struct error *e)
{
	struct error ignored;
	auto_free char *passwd = NULL, *group = NULL;
	uid_t u = 0;
	gid_t g = 0;

	if (*user) {
		passwd = stack_read(onto, "etc/passwd", PASSWD_SIZE_MAX, NULL, &ignored);
		group = stack_read(onto, "etc/group", PASSWD_SIZE_MAX, NULL, &ignored);
		/* A user whom the image does not know is told to whoever runs something as him. */
		if (passwd_owner(passwd, group, user, &u, &g, e) < 0 && e->kind != ERROR_NOT_FOUND)
			return -1;
	}
	*uid = u;
	*gid = g;
	return 0;
}

static int workdir_perform(struct building *b, struct task *t, void *work, struct record *record,
                           struct error *e)
{
	const struct workdir_step *step = &t->step->workdir;
	struct stack *onto = stack_below(b, t->step->stage, t->step->number, e);
	struct entry like = { .type = ENTRY_DIR, .mode = 0755 };
	auto_free char *resolved = NULL;
	struct layer_writer *w = NULL;
	struct found found;
	int there = -1;

	(void)work;
	if (!onto)
		return -1;
	like.mtime = b->plan->epoch >= 0 ? b->plan->epoch : LAYER_TIME;
	there = stack_resolve(onto, step->path, true, &resolved, &found, e);
	if (there > 0 && found.entry.type != ENTRY_DIR)
		there = error_set(e, ERROR_INPUT, "%s is there and is not a directory", step->path);
	if (there >= 0 && owner_of(onto, step->user, &like.uid, &like.gid, e) < 0)
		there = -1;
	if (there >= 0)
		w = layer_begin(b->store, e);
	if (w && there == 0 && *resolved && add_missing(onto, resolved, &like, w, e) < 0) {
		layer_abandon(w);
		w = NULL;
	}
	stack_free(onto);
	record->has_layer = true;
	return w ? layer_finish(w, &record->layer, e) : -1;
}

static void workdir_release(void *work)
{
	(void)work;
}

const struct step_kind_row workdir_row = { workdir_prepare, workdir_perform, workdir_release, NULL };
