/* Waste: what nobody uses any more. To remove it waits for the disk (a fifth of a millisecond for a file,
 * where the disk is told at once which blocks are free), to move it does not. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/store_parts.h"

/* So many things at a time, of all processes, and no file is larger. */
enum { WASTE_MAX = 16, WASTE_SIZE_MAX = 64 << 10 };

/* Called with the lock held. */
static bool open_waste(struct store *s, bool make)
{
	struct error ignored;
	char name[64];

	snprintf(name, sizeof name, "%s/waste", s->boot_id);
	if (s->waste < 0)
		s->waste = make ? path_make_dirs(s->tmp, name, 0700, &ignored)
		                : openat(s->tmp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->waste >= 0;
}

/* NAME of DIR, or with LINKED another name of the same file, is waste. */
static bool add_waste(struct store *s, int dir, const char *name, bool linked)
{
	bool done = false, taken;
	char place[16];

	pthread_mutex_lock(&s->waste_lock);
	taken = open_waste(s, true);
	for (; taken && s->waste_next < WASTE_MAX; s->waste_next++) {
		snprintf(place, sizeof place, "%u", s->waste_next);
		done = (linked ? linkat(dir, name, s->waste, place, 0)
		               : renameat2(dir, name, s->waste, place, RENAME_NOREPLACE)) == 0;
		taken = !done && errno == EEXIST;
	}
	pthread_mutex_unlock(&s->waste_lock);
	return done;
}

bool store_discard_later(struct store *s, const struct store_temp *t)
{
	return add_waste(s, t->dir, t->name, false);
}

void store_keep_as_waste(struct store *s, int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	    st.st_size <= WASTE_SIZE_MAX)
		add_waste(s, dir, name, true);
}

bool store_remove_waste(struct store *s)
{
	struct error ignored;
	bool any = false;
	char place[16];

	pthread_mutex_lock(&s->waste_lock);
	for (unsigned i = 0; !any && i < WASTE_MAX && open_waste(s, false); i++) {
		snprintf(place, sizeof place, "%u", i);
		any = path_is_there(s->waste, place) && path_remove(s->waste, place, &ignored) == 0;
	}
	if (any)
		s->waste_next = 0;
	pthread_mutex_unlock(&s->waste_lock);
	return any;
}
