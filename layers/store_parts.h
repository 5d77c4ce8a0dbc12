/* What store.c and store_*.c share; nobody else includes this. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>

#include "layers/store.h"

/* The longest are those of trees: two digests or parts of them, a form, a mark. */
#define STORE_NAME 128

/* Beside a folder: it is whole. */
#define STORE_WHOLE ".whole"

struct unsynced {
	enum store_room room;
	bool made; /* by this process, so that it knows what is in it */
	char name[STORE_NAME];
};

struct store {
	char *path;
	int root, tmp, users;
	int final[STORE_ROOMS];
	int boot[STORE_ROOMS]; /* the same rooms below tmp/BOOT, -1 until needed */
	char boot_id[40];
	store_notice *notice;  /* may be NULL */
	void *notice_context;
	bool spared;           /* damage is told of, not removed */

	pthread_mutex_t mutex; /* guards all below */
	int own;               /* tmp/PID.N with its lock, -1 until the first temporary file */
	char own_name[32];
	struct unsynced *unsynced;
	size_t count, capacity;
	atomic_uint next;

	pthread_mutex_t waste_lock; /* guards the rest; may be taken with the other one held */
	int waste;             /* tmp/BOOT/waste, -1 until needed */
	unsigned waste_next;
};

/* Where ROOM is in the store, and in tmp/BOOT/. */
const char *store_room_name(enum store_room room);

/* Does ROOM hold folders? They are put at their final place at once and never move, for a mount may
 * be made of them. */
bool store_holds_folders(enum store_room room);

/* Does a name of ROOM come to mean something else in time? The others are those of what they name. */
bool store_replaces(enum store_room room);

/* The unsynced twin of ROOM. Called with the mutex held. */
int store_boot_room(struct store *s, enum store_room room, bool make, struct error *e);

/* The file NAME of DIR is about to be replaced: what is in it stays as waste, if there is room. */
void store_keep_as_waste(struct store *s, int dir, const char *name);

/* NAME in ROOM is to be flushed. Called with the mutex held. */
int store_remember(struct store *s, enum store_room room, const char *name, bool made,
                   struct error *e);
