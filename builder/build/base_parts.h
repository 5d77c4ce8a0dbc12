/* The inside of struct bases: base.c finds what names stand for, base_layers.c brings the layers. */
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "builder/build/base.h"
#include "layers/image.h"
#include "registry/platform.h"
#include "registry/registry.h"

/* A name for a platform, and what it stands for; or that nothing was found. */
struct known_base {
	STAILQ_ENTRY(known_base) next;
	struct bases *bases;
	char *text;                  /* the name as asked for */
	struct platform platform;

	pthread_mutex_t lock;        /* held while it is resolved or fetched */
	bool tried;
	struct error error;          /* when it failed */
	struct base base;
	struct image image;          /* owns what the base lends */
	struct reference reference;
	bool has_reference;          /* false: of an OCI layout, all of it is here */

	struct digest named;         /* what the tag named when it was remembered */
	pthread_t checker;           /* asks whether it still does */
	bool checking;
	atomic_bool moved;           /* it does not */
};

struct bases {
	struct store *store;
	struct progress *progress;
	struct remote *way;
	struct remote quick;         /* the same for checking tags: one try, nobody waits for more */
	bool fresh;
	pthread_mutex_t lock;        /* guards the list, and HURRIED */
	pthread_cond_t hurry;        /* HURRIED becomes true: */
	bool hurried;                /* no check waits for steps to begin any more */
	pthread_mutex_t joining;     /* held by who waits for checks */
	STAILQ_HEAD(, known_base) known;
};

/* Several at a time, as many as a registry likes: each takes the next until none is left. */
struct crew {
	struct known_base *of;          /* fetching: the layers of one */
	struct known_base **each;       /* resolving: these */
	const struct tree_rules *trees; /* fetching: how a RUN will want them; or NULL */
	struct registry *registry;      /* NULL: there is none to ask */
	struct vertex *vertex;
	struct error *error;            /* one for each layer */
	atomic_size_t next;
	size_t count;
};

void base_crew_run(struct crew *c, void *(*work)(void *));
