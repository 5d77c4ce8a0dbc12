#include "builder/build/leftovers.h"

#include <fcntl.h>
#include <unistd.h>

#include "builder/sandbox/sandbox.h"
#include "layers/path.h"

void leftovers_init(struct leftovers *l)
{
	*l = (struct leftovers){ .count = 0 };
	pthread_mutex_init(&l->lock, NULL);
}

/* What an overlay leaves in its work directory when it is as the kernel makes it: named outright, it
 * is gone with a tenth of the calls that looking for it takes. */
static void empty_work(int dir)
{
	unlinkat(dir, "work/incompat/volatile/dirty", 0);
	unlinkat(dir, "work/incompat/volatile", AT_REMOVEDIR);
	unlinkat(dir, "work/incompat", AT_REMOVEDIR);
	unlinkat(dir, "work", AT_REMOVEDIR);
}

static void remove_one(struct leftover *one)
{
	empty_work(one->dir);
	store_discard(&one->temp);
	close(one->dir);
}

void leftovers_add(struct leftovers *l, struct store *s, const struct store_temp *temp, int dir,
                   int remains)
{
	struct leftover one = { *temp, dir };
	bool later = path_is_there(dir, "work");

	if (later && store_discard_later(s, temp)) {
		close(dir);
		return;
	}
	if (remains >= 0)
		sandbox_bury(remains);
	pthread_mutex_lock(&l->lock);
	later = later && l->count < LEFTOVERS_MAX;
	if (later)
		l->item[l->count++] = one;
	pthread_mutex_unlock(&l->lock);
	if (!later)
		remove_one(&one);
}

bool leftovers_remove(struct leftovers *l)
{
	struct leftover one;
	bool any;

	pthread_mutex_lock(&l->lock);
	any = l->count > 0;
	if (any)
		one = l->item[--l->count];
	pthread_mutex_unlock(&l->lock);
	if (any)
		remove_one(&one);
	return any;
}

size_t leftovers_count(struct leftovers *l)
{
	size_t count;

	pthread_mutex_lock(&l->lock);
	count = l->count;
	pthread_mutex_unlock(&l->lock);
	return count;
}

void leftovers_release(struct leftovers *l)
{
	while (leftovers_remove(l))
		continue;
	pthread_mutex_destroy(&l->lock);
}
