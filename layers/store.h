/* The store: what cairn keeps on this machine, as plain files.
 *
 *     blobs/sha256/HEX   layers, configs, manifests, named by their digest
 *     tables/HEX         what is in a layer, by diff_id (layers/table.h)
 *     packed/HEX         which blob is a layer compressed (layers/packed.h)
 *     trees/HEX          a layer unpacked, by diff_id; disposable
 *     steps/HEX          results of build steps, by key
 *     images/HEX         names of images, by the digest of the name
 *     bases/HEX          what names at registries stood for, by the digest of name and platform
 *     contexts/HEX       digests of context files, by the digest of the context's path
 *     searched/HEX       which secrets a layer was searched for, as salted digests, by diff_id
 *     mounts/HEX         cache mounts, by the digest of their id
 *     failed/ID          failed steps that were kept to be entered (builder/build/kept.h)
 *     locks/HEX          flock files; freed by the kernel when a process dies
 *     pieces             where compressed pieces of layers lie (layers/reuse.h)
 *     users              locked by every process that has the store open
 *     version            what all this is called together, STORE_VERSION
 *     tmp/               files under way, and what is not synced yet
 *
 * A file is absent or complete, and what turns out not to be what was kept (disks rot, people edit)
 * is removed and so absent: whoever needs it makes it again, as if it had never been.
 *
 * New files are written in tmp/PID.N (removed by the next process when their owner died), then kept:
 * moved to tmp/BOOT/, a store of the same shape that is trusted until this boot ends, because the
 * page cache tells every process the truth as long as the machine is up. store_flush syncs once,
 * moves them to their final names, and syncs those. So a final name means: complete, and on the
 * disk. Folders, those of trees/, mounts/ and failed/, cannot be moved while a command has them
 * mounted: they get their final name at once, and it is an empty file NAME.whole beside them that is
 * kept and flushed like all others.
 *
 * A file of its own that a flush replaces, and other small things that are of no use any more, are not
 * removed while somebody waits but when a command makes cairn wait in any case. Threads may share a
 * store.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

#include "layers/digest.h"
#include "layers/error.h"

/* Raised when an older cairn would misread, or remove, what a newer one keeps. */
#define STORE_VERSION 1

enum store_room {
	STORE_BLOBS,
	STORE_TABLES,
	STORE_PACKED,
	STORE_TREES,
	STORE_STEPS,
	STORE_IMAGES,
	STORE_BASES,
	STORE_CONTEXTS,
	STORE_SEARCHED,
	STORE_MOUNTS,
	STORE_FAILED,
	STORE_LOCKS,
	STORE_ROOMS
};

struct store;

/* Open the store at PATH, making it (mode 0700) when absent; NULL for the default place:
 * $CAIRN_ROOT, else /var/lib/cairn for root, else ${XDG_DATA_HOME:-~/.local/share}/cairn. */
struct store *store_open(const char *path, struct error *e);

/* The default place, absolute; the caller frees it. NULL when the environment tells none, which
 * store_no_place says. */
char *store_default_path(void);
int store_no_place(struct error *e);
void store_close(struct store *s);

/* The store's absolute path, for messages. */
const char *store_path(const struct store *s);

/* Where E has come of writing to the store, and its disk is full: say of what. */
void store_explain(const struct store *s, struct error *e);

/* Open NAME in ROOM (its final or its unsynced form) for reading: a file, or a folder where the room
 * holds folders. *ST, which may be NULL, is its status. ERROR_NOT_FOUND when absent, ERROR_DAMAGED
 * when something else stood there. What is used stays: an unsynced file that this process did not
 * make is flushed together with its own. */
int store_find(struct store *s, enum store_room room, const char *name, struct stat *st,
               struct error *e);

/* The same without opening it. */
bool store_look(struct store *s, enum store_room room, const char *name, struct stat *st);
bool store_has(struct store *s, enum store_room room, const char *name);

/* Did this process make NAME, and has it not flushed since? Then its bytes are what they should be. */
bool store_made(struct store *s, enum store_room room, const char *name);

/* NAME in ROOM is not what was kept there, which WHY says: it is removed, so that it can be made
 * again, and a notice is given. Returns -1 and ERROR_DAMAGED, or how removing it failed. Lookups do
 * so with what is no file or cannot be read, store_read with what is not whole; never is a link
 * followed. */
int store_set_aside(struct store *s, enum store_room room, const char *name, const char *why,
                    struct error *e);

/* Who is told of it, from any thread. */
typedef void store_notice(void *context, const char *text);
void store_on_damage(struct store *s, store_notice *notice, void *context);

/* Is what is damaged only told of from now on, and stays? For looking without touching. */
void store_spare_damage(struct store *s, bool spared);

/* The file NAME beside the rooms, made when it is not there, open for reading and writing: for what
 * processes share and can do without. */
int store_shared_file(struct store *s, const char *name, struct error *e);

/* Is no other process using the store? Then none begins to until this one closes it, so that what
 * nothing refers to can be taken for unused. */
bool store_is_alone(struct store *s);

/* A name for a new file or directory in this process's own folder below tmp/. */
struct store_temp {
	int dir;        /* borrowed: the folder */
	char name[24];
};
int store_temp(struct store *s, struct store_temp *t, struct error *e);

/* The same, created: a file open for reading and writing, or a directory of mode 0700. */
int store_temp_file(struct store *s, struct store_temp *t, struct error *e);
int store_temp_dir(struct store *s, struct store_temp *t, struct error *e);
void store_discard(struct store_temp *t);

/* The same for what is small, without waiting for the disk: T waits in tmp/BOOT/waste/ until a process has
 * time for store_remove_waste. False: there is no room, and T is still there. */
bool store_discard_later(struct store *s, const struct store_temp *t);

/* Remove a piece of waste, whoever left it. False: there is none. */
bool store_remove_waste(struct store *s);

/* T becomes NAME in ROOM, until now unsynced. A file replaces what is there; where a folder is
 * there already, T is removed and that one counts. A folder is at ROOM/NAME below the store's path
 * from now on, for as long as anybody has the store open. */
int store_keep(struct store *s, struct store_temp *t, enum store_room room, const char *name,
               struct error *e);

/* Small things at once: BYTES become NAME in ROOM, and back (NUL added, the caller frees). They are
 * stored with a checksum; ERROR_DAMAGED when it is wrong. */
int store_write(struct store *s, enum store_room room, const char *name, const void *bytes,
                size_t size, struct error *e);
char *store_read(struct store *s, enum store_room room, const char *name, size_t *size,
                 struct error *e);
int store_remove(struct store *s, enum store_room room, const char *name, struct error *e);

/* All that was kept becomes durable and gets its final name. Nothing kept: nothing done. When the
 * disk refuses, all that was not durable yet is removed: it would be taken for good by the next
 * flush, which is not told any more (H241). */
int store_flush(struct store *s, struct error *e);

/* Every name in ROOM, synced or not, to VISIT; it returns 0 to go on. Of folders also those that a
 * process did not live to finish. */
int store_list(struct store *s, enum store_room room,
               int (*visit)(const char *name, void *context), void *context, struct error *e);

/* An exclusive lock named by KEY, waited for; closing the descriptor frees it. With WAIT false,
 * ERROR_CANCELLED when somebody else has it. */
int store_lock(struct store *s, const struct digest *key, bool wait, struct error *e);
