/* What is in the store: found by name, and small things read and written at once. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "layers/path.h"
#include "layers/scope.h"
#include "layers/store_parts.h"

/* Records and names are small; a larger file in their place is not ours. */
#define RECORD_SIZE_MAX (64 << 20)

static int find_file(struct store *s, enum store_room room, const char *name, int flags,
                     struct error *e)
{
	int fd = openat(s->final[room], name, flags | O_NOFOLLOW | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno == ENOENT) {
		pthread_mutex_lock(&s->mutex);
		int dir = store_boot_room(s, room, false, e);

		fd = dir < 0 ? -1 : openat(dir, name, flags | O_NOFOLLOW | O_CLOEXEC);
		if (fd >= 0)
			store_remember(s, room, name, e);
		pthread_mutex_unlock(&s->mutex);
		/* Another process may have flushed it between the two looks. */
		if (fd < 0 && dir >= 0)
			fd = openat(s->final[room], name, flags | O_NOFOLLOW | O_CLOEXEC);
	}
	if (fd < 0)
		return error_errno(e, "%s/%s/%s", s->path, store_room_name(room), name);
	return fd;
}

int store_find(struct store *s, enum store_room room, const char *name, int flags, struct error *e)
{
	char mark[STORE_NAME];
	int fd;

	if (!store_holds_folders(room))
		return find_file(s, room, name, flags, e);
	snprintf(mark, sizeof mark, "%s" STORE_WHOLE, name);
	fd = find_file(s, room, mark, O_PATH, e);
	if (fd < 0)
		return -1;
	close(fd);
	fd = openat(s->final[room], name, flags | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? error_errno(e, "%s/%s/%s", s->path, store_room_name(room), name) : fd;
}

bool store_has(struct store *s, enum store_room room, const char *name)
{
	struct error ignored;
	auto_close int fd = store_find(s, room, name, O_PATH, &ignored);

	return fd >= 0;
}

int store_write(struct store *s, enum store_room room, const char *name, const void *bytes,
                size_t size, struct error *e)
{
	struct store_temp t;
	int fd = store_temp_file(s, &t, e);

	if (fd < 0)
		return -1;
	if (path_write_all(fd, bytes, size, e) < 0) {
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

char *store_read(struct store *s, enum store_room room, const char *name, size_t *size,
                 struct error *e)
{
	auto_close int fd = store_find(s, room, name, O_RDONLY, e);
	auto_free char *data = NULL;
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return NULL;
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > RECORD_SIZE_MAX) {
		error_set(e, ERROR_CORRUPT, "%s/%s/%s is not a record", s->path, store_room_name(room), name);
		return NULL;
	}
	data = malloc((size_t)st.st_size + 1);
	if (!data) {
		error_memory(e);
		return NULL;
	}
	n = pread(fd, data, (size_t)st.st_size, 0);
	if (n != st.st_size) {
		error_set(e, ERROR_CORRUPT, "%s/%s/%s was cut short", s->path, store_room_name(room), name);
		return NULL;
	}
	data[n] = '\0';
	if (size)
		*size = (size_t)n;
	return take_pointer(&data);
}
