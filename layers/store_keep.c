/* What is kept: moved to tmp/BOOT/ until it is flushed to its final name, and removed. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/store_parts.h"

/* NAME of FROM to TO, where it replaces a file, and whatever should not be there. */
static int move(int from, const char *name, int to, const char *new_name)
{
	struct error ignored;

	if (renameat(from, name, to, new_name) == 0)
		return 0;
	if (errno != EISDIR || path_remove(to, new_name, &ignored) < 0)
		return -1;
	return renameat(from, name, to, new_name);
}

/* Called with the mutex held. */
static int keep_file(struct store *s, struct store_temp *t, enum store_room room, const char *name,
                     struct error *e)
{
	int dir = store_boot_room(s, room, true, e);

	if (dir < 0)
		return -1;
	if (move(t->dir, t->name, dir, name) < 0)
		return error_errno(e, "keep %s/%s/%s", s->path, store_room_name(room), name);
	return store_remember(s, room, name, true, e);
}

/* Is there a whole folder with MARK? Marks move from DIR to their final place. */
static bool is_marked(const struct store *s, enum store_room room, int dir, const char *mark)
{
	return path_is_there(dir, mark) || path_is_there(s->final[room], mark);
}

/* A folder without a mark is used by nobody: its maker, or the machine, died. */
static int place_folder(struct store *s, struct store_temp *t, enum store_room room, int dir,
                        const char *name, const char *mark, struct error *e)
{
	int fd;

	if (path_remove(s->final[room], name, e) < 0)
		return -1;
	if (renameat(t->dir, t->name, s->final[room], name) < 0 ||
	    (fd = openat(dir, mark, O_WRONLY | O_CREAT | O_CLOEXEC, 0600)) < 0)
		return error_errno(e, "keep %s/%s/%s", s->path, store_room_name(room), name);
	close(fd);
	return 0;
}

/* Called with the mutex held. T is still there when another folder of that name is whole already. */
static int keep_folder(struct store *s, struct store_temp *t, enum store_room room,
                       const char *name, struct error *e)
{
	int dir = store_boot_room(s, room, true, e), result;
	char mark[STORE_NAME];

	if (dir < 0)
		return -1;
	snprintf(mark, sizeof mark, "%s" STORE_WHOLE, name);
	do
		result = flock(s->final[room], LOCK_EX);
	while (result < 0 && errno == EINTR);
	if (result < 0)
		return error_errno(e, "lock %s/%s", s->path, store_room_name(room));
	if (!is_marked(s, room, dir, mark))
		result = place_folder(s, t, room, dir, name, mark, e);
	flock(s->final[room], LOCK_UN);
	return result < 0 ? -1 : store_remember(s, room, mark, true, e);
}

int store_keep(struct store *s, struct store_temp *t, enum store_room room, const char *name,
               struct error *e)
{
	int result;

	pthread_mutex_lock(&s->mutex);
	result = (store_holds_folders(room) ? keep_folder : keep_file)(s, t, room, name, e);
	pthread_mutex_unlock(&s->mutex);
	if (result == 0 && store_holds_folders(room))
		store_discard(t);
	return result;
}

static int remove_file(struct store *s, enum store_room room, const char *name, struct error *e)
{
	int result = path_remove(s->final[room], name, e);

	pthread_mutex_lock(&s->mutex);
	if (store_boot_room(s, room, false, e) >= 0 && path_remove(s->boot[room], name, e) < 0)
		result = -1;
	pthread_mutex_unlock(&s->mutex);
	return result;
}

int store_remove(struct store *s, enum store_room room, const char *name, struct error *e)
{
	char mark[STORE_NAME];

	if (!store_holds_folders(room))
		return remove_file(s, room, name, e);
	snprintf(mark, sizeof mark, "%s" STORE_WHOLE, name);
	return remove_file(s, room, mark, e) < 0 ? -1 : path_remove(s->final[room], name, e);
}

/* Called with the mutex held, after the data is on the disk. */
static int publish(struct store *s, const struct unsynced *u, struct error *e)
{
	if (store_replaces(u->room))
		store_keep_as_waste(s, s->final[u->room], u->name);
	if (move(s->boot[u->room], u->name, s->final[u->room], u->name) == 0 || errno == ENOENT)
		return 0;
	return error_errno(e, "keep %s/%s/%s", s->path, store_room_name(u->room), u->name);
}

/* Called with the mutex held: the disk refused bytes, nobody knows whose, and the kernel tells of it
 * once. Whoever asked again would be told that all is well, so what is not synced is no more. Others
 * who have the store open are told at their own flush. */
static void distrust_unsynced(struct store *s)
{
	struct error ignored;

	path_remove(s->tmp, s->boot_id, &ignored);
	for (int i = 0; i < STORE_ROOMS; i++) {
		if (s->boot[i] >= 0)
			close(s->boot[i]);
		s->boot[i] = -1;
	}
	s->count = 0;
}

/* Twice, first what is in the files and then their names. Both times the whole file system: on a disk
 * with a journal that is one commit, where an fsync of each room would wait for the disk once a room. */
int store_flush(struct store *s, struct error *e)
{
	int result = 0;

	pthread_mutex_lock(&s->mutex);
	if (s->count > 0 && syncfs(s->root) < 0) {
		result = error_errno(e, "sync %s", s->path);
		distrust_unsynced(s);
	}
	for (size_t i = 0; result == 0 && i < s->count; i++)
		result = publish(s, &s->unsynced[i], e);
	if (result == 0 && s->count > 0 && syncfs(s->root) < 0)
		result = error_errno(e, "sync %s", s->path);
	if (result == 0)
		s->count = 0;
	pthread_mutex_unlock(&s->mutex);
	return result;
}
