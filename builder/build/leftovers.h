/* Leftovers: the work directories of overlays that are gone.
 *
 * Removing one waits for the disk, for nothing that anybody waits for: workers do it who have no step
 * to perform. Threads: any.
 */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "layers/store.h"

/* Somebody has to keep up with them. */
#define LEFTOVERS_MAX 2

struct leftover {
	struct store_temp temp;
	int dir;                /* the same, open */
};

struct leftovers {
	pthread_mutex_t lock;
	struct leftover item[LEFTOVERS_MAX];
	size_t count;
};

void leftovers_init(struct leftovers *l);

/* TEMP in S, open as DIR, which becomes L's, is to be removed: later, as S's waste or when a worker is idle,
 * or at once when there is no room for it, and when it is not an overlay's: a copied tree may be
 * large. REMAINS (or -1) is what has it mounted yet. */
void leftovers_add(struct leftovers *l, struct store *s, const struct store_temp *temp, int dir,
                   int remains);

/* Remove one. False: there was none. */
bool leftovers_remove(struct leftovers *l);
size_t leftovers_count(struct leftovers *l);

/* Remove all. */
void leftovers_release(struct leftovers *l);
