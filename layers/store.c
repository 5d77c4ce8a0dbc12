#include "layers/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "layers/path.h"
#include "layers/reserve.h"
#include "layers/scope.h"
#include "layers/store_parts.h"

static const char *const rooms[STORE_ROOMS] = {
	[STORE_BLOBS] = "blobs/sha256", [STORE_TABLES] = "tables",     [STORE_TREES] = "trees",
	[STORE_STEPS] = "steps",        [STORE_IMAGES] = "images",     [STORE_CONTEXTS] = "contexts",
	[STORE_BASES] = "bases",
	[STORE_MOUNTS] = "mounts",      [STORE_LOCKS] = "locks",       [STORE_FAILED] = "failed",
	[STORE_PACKED] = "packed",      [STORE_SEARCHED] = "searched",
};

const char *store_room_name(enum store_room room)
{
	return rooms[room];
}

bool store_holds_folders(enum store_room room)
{
	return room == STORE_TREES || room == STORE_MOUNTS || room == STORE_FAILED;
}

/* PATH as it is from everywhere; it need not exist. */
static char *absolute_path(const char *path)
{
	auto_free char *here = NULL;
	char *absolute;

	if (path[0] == '/')
		return strdup(path);
	here = getcwd(NULL, 0);
	return here && asprintf(&absolute, "%s/%s", here, path) >= 0 ? absolute : NULL;
}

char *store_default_path(void)
{
	const char *root = getenv("CAIRN_ROOT"), *data = getenv("XDG_DATA_HOME"), *home = getenv("HOME");
	char *path = NULL;

	if (root && *root)
		return absolute_path(root);
	if (geteuid() == 0)
		return strdup("/var/lib/cairn");
	if (data && data[0] == '/')
		return asprintf(&path, "%s/cairn", data) < 0 ? NULL : path;
	if (home && home[0] == '/')
		return asprintf(&path, "%s/.local/share/cairn", home) < 0 ? NULL : path;
	return NULL;
}

int store_no_place(struct error *e)
{
	return error_set(e, ERROR_INPUT, "no place for the store: set HOME or CAIRN_ROOT, or name one "
	                 "with --root");
}

static int open_room(int at, const char *name, struct error *e)
{
	int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	if (errno != ENOENT)
		return error_errno(e, "open %s", name);
	return path_make_dirs(at, name, 0700, e);
}

/* What processes that are gone left behind: their folders are not locked any more, and other
 * boots' unsynced files cannot be trusted. */
static void sweep(struct store *s)
{
	DIR *stream = fdopendir(openat(s->tmp, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	struct error ignored;

	if (!stream)
		return;
	for (struct dirent *entry; (entry = readdir(stream));) {
		if (entry->d_name[0] == '.' || strcmp(entry->d_name, s->boot_id) == 0)
			continue;
		auto_close int fd = openat(s->tmp, entry->d_name,
		                             O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);

		/* What cannot be opened now, for want of descriptors, may be at work. */
		if (fd < 0 ? errno == ELOOP || errno == ENXIO : flock(fd, LOCK_EX | LOCK_NB) == 0)
			path_remove(s->tmp, entry->d_name, &ignored);
	}
	closedir(stream);
}

static int read_boot_id(struct store *s)
{
	auto_close int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, s->boot_id, 36);

	/* Without /proc nobody can tell boots apart: what is unsynced is this process's only. */
	if (n != 36)
		snprintf(s->boot_id, sizeof s->boot_id, "process-%d", getpid());
	return 0;
}

/* Waste, and the rest of removals that were killed. */
static void sweep_rests(struct store *s)
{
	while (store_remove_waste(s))
		continue;
	path_remove_rest(s->tmp);
	for (int i = 0; i < STORE_ROOMS; i++) {
		path_remove_rest(s->final[i]);
		if (s->boot[i] >= 0)
			path_remove_rest(s->boot[i]);
	}
}

bool store_is_alone(struct store *s)
{
	if (s->users >= 0 && flock(s->users, LOCK_EX | LOCK_NB) == 0) {
		sweep_rests(s);
		return true;
	}
	/* The attempt gave our own share of the lock up. */
	if (s->users >= 0)
		flock(s->users, LOCK_SH);
	return false;
}

int store_shared_file(struct store *s, const char *name, struct error *e)
{
	int fd = openat(s->root, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	if (fd >= 0)
		close(fd);
	return error_set(e, ERROR_SYSTEM, "%s/%s is not a file that can be written", s->path, name);
}

/* A store of a newer cairn may mean other things by the same names, and is left alone. One without
 * the file was made before there was one; where none can be written nothing else can. */
static int check_version(struct store *s, struct error *e)
{
	auto_close int fd = openat(s->root, "version", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	auto_close int new = -1;
	char text[16] = "";
	long version;

	if (fd < 0 && errno == ENOENT) {
		new = openat(s->root, "version", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (new >= 0)
			dprintf(new, "%d\n", STORE_VERSION);
		return 0;
	}
	if (fd < 0 || read(fd, text, sizeof text - 1) < 0)
		return error_errno(e, "read version");
	version = strtol(text, NULL, 10);
	if (version <= STORE_VERSION)
		return 0;
	return error_set(e, ERROR_UNSUPPORTED, "a newer cairn made it (version %ld; this one knows %d): "
	                 "use that one, or a store of its own", version, STORE_VERSION);
}

static int open_all(struct store *s, struct error *e)
{
	s->root = path_make_user_dirs(s->path, 0700, e);
	if (s->root < 0 || check_version(s, e) < 0)
		return -1;
	/* Waits for a collection to end. */
	s->users = openat(s->root, "users", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (s->users < 0)
		s->users = openat(s->root, "users", O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (s->users >= 0 && flock(s->users, LOCK_SH) < 0)
		return error_errno(e, "lock users");
	s->tmp = open_room(s->root, "tmp", e);
	if (s->tmp < 0)
		return -1;
	for (int i = 0; i < STORE_ROOMS; i++) {
		s->final[i] = open_room(s->root, rooms[i], e);
		if (s->final[i] < 0)
			return -1;
	}
	read_boot_id(s);
	sweep(s);
	return 0;
}

struct store *store_open(const char *path, struct error *e)
{
	struct store *s = calloc(1, sizeof *s);

	if (!s) {
		error_memory(e);
		return NULL;
	}
	s->root = s->tmp = s->users = s->own = s->waste = -1;
	for (int i = 0; i < STORE_ROOMS; i++)
		s->final[i] = s->boot[i] = -1;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_mutex_init(&s->waste_lock, NULL);
	s->path = path ? realpath(path, NULL) : NULL;
	if (!s->path)
		s->path = path ? absolute_path(path) : store_default_path();
	if (!s->path) {
		store_no_place(e);
		store_close(s);
		return NULL;
	}
	if (open_all(s, e) < 0) {
		error_context(e, "the store %s", s->path);
		error_set(e, e->kind, "%.1900s (--root or CAIRN_ROOT names another place)",
		          strdupa(e->text));
		store_close(s);
		return NULL;
	}
	return s;
}

void store_close(struct store *s)
{
	struct error ignored;

	if (!s)
		return;
	if (s->own >= 0) {
		path_remove(s->tmp, s->own_name, &ignored);
		close(s->own);
	}
	for (int i = 0; i < STORE_ROOMS; i++) {
		if (s->final[i] >= 0)
			close(s->final[i]);
		if (s->boot[i] >= 0)
			close(s->boot[i]);
	}
	if (s->waste >= 0)
		close(s->waste);
	if (s->tmp >= 0)
		close(s->tmp);
	if (s->users >= 0)
		close(s->users);
	if (s->root >= 0)
		close(s->root);
	pthread_mutex_destroy(&s->mutex);
	pthread_mutex_destroy(&s->waste_lock);
	free(s->unsynced);
	free(s->path);
	free(s);
}

const char *store_path(const struct store *s)
{
	return s->path;
}

int store_boot_room(struct store *s, enum store_room room, bool make, struct error *e)
{
	char name[STORE_NAME];

	if (s->boot[room] >= 0)
		return s->boot[room];
	snprintf(name, sizeof name, "%s/%s", s->boot_id, rooms[room]);
	s->boot[room] = make ? open_room(s->tmp, name, e)
	                     : openat(s->tmp, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return s->boot[room];
}

/* Called with the mutex held. */
static struct unsynced *find_unsynced(struct store *s, enum store_room room, const char *name)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->unsynced[i].room == room && strcmp(s->unsynced[i].name, name) == 0)
			return &s->unsynced[i];
	return NULL;
}

int store_remember(struct store *s, enum store_room room, const char *name, bool made,
                   struct error *e)
{
	struct unsynced *u = find_unsynced(s, room, name);

	if (u) {
		u->made |= made;
		return 0;
	}
	if (s->count == s->capacity) {
		size_t capacity = s->capacity ? 2 * s->capacity : 32;
		struct unsynced *grown = reallocarray(s->unsynced, capacity, sizeof *grown);

		if (!grown)
			return error_memory(e);
		s->unsynced = grown;
		s->capacity = capacity;
	}
	u = &s->unsynced[s->count++];
	u->room = room;
	u->made = made;
	snprintf(u->name, STORE_NAME, "%s", name);
	return 0;
}

bool store_made(struct store *s, enum store_room room, const char *name)
{
	const struct unsynced *u;
	bool made;

	pthread_mutex_lock(&s->mutex);
	u = find_unsynced(s, room, name);
	made = u && u->made;
	pthread_mutex_unlock(&s->mutex);
	return made;
}

void store_on_damage(struct store *s, store_notice *notice, void *context)
{
	s->notice = notice;
	s->notice_context = context;
}

void store_spare_damage(struct store *s, bool spared)
{
	s->spared = spared;
}

/* Take the folder of that name, which was just made. 0 when another process's sweep has won the race to
 * its lock: next name. */
static int take_own_folder(struct store *s, struct error *e)
{
	int fd = openat(s->tmp, s->own_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC), result;

	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 && path_is_there(s->tmp, s->own_name)) {
		s->own = fd;
		return 1;
	}
	result = errno == EWOULDBLOCK || errno == ENOENT
	                 ? 0
	                 : error_errno(e, "lock %s/tmp/%s", s->path, s->own_name);
	if (fd >= 0)
		close(fd);
	return result;
}

/* Called with the mutex held: this process's own folder, locked for as long as it lives. */
static int own_folder(struct store *s, struct error *e)
{
	int taken = s->own >= 0;

	for (unsigned n = 0; taken == 0; n++) {
		snprintf(s->own_name, sizeof s->own_name, "%d.%u", getpid(), n);
		if (mkdirat(s->tmp, s->own_name, 0700) == 0)
			taken = take_own_folder(s, e);
		else if (errno != EEXIST)
			return error_errno(e, "create %s/tmp/%s", s->path, s->own_name);
	}
	return taken < 0 ? -1 : 0;
}

void store_explain(const struct store *s, struct error *e)
{
	if (strstr(e->text, s->path))
		reserve_explain(s->root, e);
}

int store_temp(struct store *s, struct store_temp *t, struct error *e)
{
	int result;

	pthread_mutex_lock(&s->mutex);
	result = own_folder(s, e);
	pthread_mutex_unlock(&s->mutex);
	t->dir = s->own;
	snprintf(t->name, sizeof t->name, "%u", atomic_fetch_add(&s->next, 1));
	return result;
}

int store_temp_file(struct store *s, struct store_temp *t, struct error *e)
{
	int fd;

	if (store_temp(s, t, e) < 0)
		return -1;
	fd = openat(t->dir, t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(e, "create a file in %s/tmp", s->path);
	return fd;
}

int store_temp_dir(struct store *s, struct store_temp *t, struct error *e)
{
	int fd;

	if (store_temp(s, t, e) < 0)
		return -1;
	if (mkdirat(t->dir, t->name, 0700) < 0 ||
	    (fd = openat(t->dir, t->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return error_errno(e, "create a folder in %s/tmp", s->path);
	return fd;
}

void store_discard(struct store_temp *t)
{
	struct error ignored;

	path_remove(t->dir, t->name, &ignored);
}

static bool is_mark(const char *name)
{
	const char *end = strrchr(name, '.');

	return end && strcmp(end, STORE_WHOLE) == 0;
}

/* UNSYNCED: the names of ROOM's twin DIR, but for those that are final by now. */
static int list_one(struct store *s, enum store_room room, int dir, bool unsynced,
                    int (*visit)(const char *, void *), void *context, struct error *e)
{
	auto_close int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *stream = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int result = 0, number;

	if (!stream)
		return error_errno(e, "list %s/%s", s->path, rooms[room]);
	take_fd(&fd);
	while (result == 0 && (errno = 0, entry = readdir(stream))) {
		if (entry->d_name[0] == '.' || (store_holds_folders(room) && is_mark(entry->d_name)))
			continue;
		if (unsynced && path_is_there(s->final[room], entry->d_name))
			continue;
		result = visit(entry->d_name, context);
	}
	number = result == 0 ? errno : 0;
	closedir(stream);
	errno = number;
	return number ? error_errno(e, "list %s/%s", s->path, rooms[room]) : result;
}

int store_list(struct store *s, enum store_room room, int (*visit)(const char *, void *),
               void *context, struct error *e)
{
	int result, unsynced;

	pthread_mutex_lock(&s->mutex);
	unsynced = store_boot_room(s, room, false, e);
	pthread_mutex_unlock(&s->mutex);
	result = list_one(s, room, s->final[room], false, visit, context, e);
	if (result == 0 && unsynced >= 0)
		result = list_one(s, room, unsynced, true, visit, context, e);
	return result;
}

int store_lock(struct store *s, const struct digest *key, bool wait, struct error *e)
{
	char name[DIGEST_HEX + 1];
	struct stat held, named;
	bool mended = false;

	digest_hex(key, name);
	for (;;) {
		int fd = openat(s->final[STORE_LOCKS], name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
		                0600);

		if (fd < 0 && (errno == EISDIR || errno == ELOOP || errno == ENXIO) && !mended) {
			mended = true;
			if (path_remove(s->final[STORE_LOCKS], name, e) < 0)
				return error_context(e, "%s/locks", s->path);
			continue;
		}
		if (fd < 0)
			return error_errno(e, "lock %s/locks/%s", s->path, name);
		if (flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB) < 0) {
			int number = errno;

			close(fd);
			if (number == EINTR)
				continue;
			errno = number;
			error_errno(e, "lock %s/locks/%s", s->path, name);
			if (number == EWOULDBLOCK)
				e->kind = ERROR_CANCELLED;
			return -1;
		}
		/* The file may have been removed while we waited: then the lock protects nothing. */
		if (fstat(fd, &held) == 0 &&
		    fstatat(s->final[STORE_LOCKS], name, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
		    held.st_ino == named.st_ino)
			return fd;
		close(fd);
	}
}
