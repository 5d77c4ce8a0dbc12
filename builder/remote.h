/* The way to registries, for one command: opened when first needed, closed at its end.
 *
 * Opening talks to nobody, but loads what talking needs. An interrupt (interrupt.h) ends its
 * transfers. Threads: may be shared.
 */
#pragma once
#include <pthread.h>

#include "registry/auth.h"
#include "registry/http.h"

struct remote {
	pthread_mutex_t lock;
	struct http *http;
	struct auth *auth;
	unsigned attempts;      /* of each request; 0: as many as registry/http.h deems right */
};

void remote_init(struct remote *r);
void remote_release(struct remote *r);

/* Borrowed; NULL and E. */
struct auth *remote_auth(struct remote *r, struct error *e);
