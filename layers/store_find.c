/* What is in the store: found by name, and small things read and written at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/checksum.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "layers/store_parts.h"

/* Records and names are small; a larger file in their place is not ours. */
#define RECORD_SIZE_MAX (64 << 20)

/* Every record ends in this line, by which one that is cut or changed is known. */
#define SEAL "\nCRC-32 %08x"
#define SEAL_SIZE 16

/* NAME in DIR: a descriptor of it when it is to be OPENED, else 0. -1 and errno. */
static int look(int dir, const char *name, bool opened, struct stat *st)
{
	int fd;

	if (!opened)
		return fstatat(dir, name, st, AT_SYMLINK_NOFOLLOW);
	/* Whatever stands there is not waited for. */
	fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && fstat(fd, st) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

static int look_unsynced(struct store *s, enum store_room room, const char *name, bool opened,
                         struct stat *st)
{
	struct error ignored;
	int dir, found = -1, number;

	pthread_mutex_lock(&s->mutex);
	dir = store_boot_room(s, room, false, &ignored);
	if (dir >= 0)
		found = look(dir, name, opened, st);
	number = errno;
	if (found >= 0)
		store_remember(s, room, name, false, &ignored);
	pthread_mutex_unlock(&s->mutex);
	errno = number;
	return found;
}

bool store_replaces(enum store_room room)
{
	return room == STORE_STEPS || room == STORE_IMAGES || room == STORE_BASES ||
	       room == STORE_CONTEXTS;
}

/* Where it is final, else where it is not synced yet; the other way round where that is newer. What
 * this process made counts before what has the name already, of which nobody knows whether it is
 * whole. */
static int look_at_both(struct store *s, enum store_room room, const char *name, bool opened,
                        struct stat *st)
{
	bool unsynced_first = store_replaces(room) || store_made(s, room, name);
	int found = unsynced_first ? look_unsynced(s, room, name, opened, st) : -1;

	if (found < 0)
		found = look(s->final[room], name, opened, st);
	if (found < 0 && errno == ENOENT)
		found = look_unsynced(s, room, name, opened, st);
	/* Another process may have flushed it between the two looks. */
	if (found < 0 && errno == ENOENT)
		found = look(s->final[room], name, opened, st);
	return found;
}

int store_set_aside(struct store *s, enum store_room room, const char *name, const char *why,
                    struct error *e)
{
	struct error failed;

	if (!s->spared && store_remove(s, room, name, &failed) < 0)
		return error_set(e, failed.kind, "%s/%s/%s is damaged (%s) and in the way: %s", s->path,
		                 store_room_name(room), name, why, failed.text);
	error_set(e, ERROR_DAMAGED, s->spared ? "%s/%s/%s is damaged (%s)"
	                                      : "%s/%s/%s was damaged (%s) and is removed",
	          s->path, store_room_name(room), name, why);
	if (s->notice)
		s->notice(s->notice_context, e->text);
	return -1;
}

/* Is what cannot be opened for NUMBER damaged? What belongs to others is only theirs. */
static bool is_damage(const struct store *s, enum store_room room, const char *name, int number)
{
	struct stat st;

	if (number == EACCES)
		return fstatat(s->final[room], name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		       st.st_uid == geteuid();
	return number == ELOOP || number == ENXIO || number == EIO;
}

static int find_file(struct store *s, enum store_room room, const char *name, bool opened,
                     struct stat *st, struct error *e)
{
	int found = look_at_both(s, room, name, opened, st), number = errno;

	if (found >= 0 && S_ISREG(st->st_mode))
		return found;
	if (found >= 0 && opened)
		close(found);
	if (found >= 0)
		return store_set_aside(s, room, name, "it is no file", e);
	if (is_damage(s, room, name, number))
		return store_set_aside(s, room, name, strerror(number), e);
	errno = number;
	return error_errno(e, "%s/%s/%s", s->path, store_room_name(room), name);
}

static int find_folder(struct store *s, enum store_room room, const char *name, bool opened,
                       struct stat *st, struct error *e)
{
	char mark[STORE_NAME];
	int found;

	snprintf(mark, sizeof mark, "%s" STORE_WHOLE, name);
	found = look_at_both(s, room, mark, false, st);
	if (found == 0)
		found = look(s->final[room], name, opened, st);
	else
		return error_errno(e, "%s/%s/%s", s->path, store_room_name(room), mark);
	if (found >= 0 && S_ISDIR(st->st_mode))
		return found;
	if (found >= 0 && opened)
		close(found);
	if (found >= 0 || errno == ENOENT || errno == ELOOP || errno == ENXIO)
		return store_set_aside(s, room, name, "it is no folder", e);
	return error_errno(e, "%s/%s/%s", s->path, store_room_name(room), name);
}

int store_find(struct store *s, enum store_room room, const char *name, struct stat *st,
               struct error *e)
{
	struct stat unwanted;

	return (store_holds_folders(room) ? find_folder : find_file)(s, room, name, true,
	                                                             st ? st : &unwanted, e);
}

bool store_look(struct store *s, enum store_room room, const char *name, struct stat *st)
{
	struct error ignored;

	return (store_holds_folders(room) ? find_folder : find_file)(s, room, name, false, st,
	                                                             &ignored) >= 0;
}

bool store_has(struct store *s, enum store_room room, const char *name)
{
	struct stat unwanted;

	return store_look(s, room, name, &unwanted);
}

/* --- records ---------------------------------------------------------------------------------- */

int store_write(struct store *s, enum store_room room, const char *name, const void *bytes,
                size_t size, struct error *e)
{
	auto_free char *sealed = malloc(size + SEAL_SIZE + 1);
	struct store_temp t;
	int fd;

	if (!sealed)
		return error_memory(e);
	memcpy(sealed, bytes, size);
	snprintf(sealed + size, SEAL_SIZE + 1, SEAL, checksum_add(0, bytes, size));
	fd = store_temp_file(s, &t, e);
	if (fd < 0)
		return -1;
	if (path_write_all(fd, sealed, size + SEAL_SIZE, e) < 0) {
		error_context(e, "%s/%s/%s", s->path, store_room_name(room), name);
		close(fd);
		store_discard(&t);
		return -1;
	}
	if (close(fd) < 0) {
		store_discard(&t);
		return error_errno(e, "write %s/%s/%s", s->path, store_room_name(room), name);
	}
	return store_keep(s, &t, room, name, e);
}

/* The bytes of a record of SIZE, without its seal. NULL and WHY, or NULL for memory. */
static char *read_sealed(int fd, size_t size, const char **why)
{
	auto_free char *data = malloc(size + 1);
	char seal[SEAL_SIZE + 1];
	ssize_t n = data ? path_read_at(fd, data, size, 0) : -1;

	*why = !data ? NULL : n < 0 ? strerror(errno) : "it was cut short";
	if (n < SEAL_SIZE || (size_t)n != size)
		return NULL;
	data[size] = '\0';
	size -= SEAL_SIZE;
	snprintf(seal, sizeof seal, SEAL, checksum_add(0, data, size));
	*why = "its checksum is wrong";
	if (memcmp(data + size, seal, SEAL_SIZE) != 0)
		return NULL;
	data[size] = '\0';
	return take_pointer(&data);
}

char *store_read(struct store *s, enum store_room room, const char *name, size_t *size,
                 struct error *e)
{
	struct stat st;
	auto_close int fd = store_find(s, room, name, &st, e);
	const char *why = "it is too large";
	char *data;

	if (fd < 0)
		return NULL;
	data = st.st_size <= RECORD_SIZE_MAX ? read_sealed(fd, (size_t)st.st_size, &why) : NULL;
	if (!data && !why)
		error_memory(e);
	else if (!data)
		store_set_aside(s, room, name, why, e);
	else if (size)
		*size = (size_t)st.st_size - SEAL_SIZE;
	return data;
}
