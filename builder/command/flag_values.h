/* Flags whose values have a grammar of their own: sizes, limits, hosts, secrets, agents.
 *
 * What a flag names is looked at once, before the build starts: a secret is read, an agent's socket
 * is found, so that a mistake is told before any step runs.
 *
 * Source: docker buildx build; docker/go-units.
 */
#pragma once
#include <stdint.h>

#include "builder/build/build.h"

/* BuildKit's limit of one secret. */
#define SECRET_SIZE_MAX (500 << 10)

/* "64m", "1.5GiB", "2097152": bytes, in powers of 1024. */
int size_value(const char *text, int64_t *size, struct error *e);

/* "nofile=1024:2048"; -1 is unlimited. */
int ulimit_value(const char *text, struct build_ulimit *limit, struct error *e);

/* "name:ip", "name=ip", "name=[ip]", "name:host-gateway": checked, not changed. */
int host_value(const char *text, struct error *e);

/* "id=X[,src=FILE|env=NAME][,type=file|env]". SECRET needs secret_release in every case. */
int secret_value(const char *text, struct build_secret *secret, struct error *e);
void secret_release(struct build_secret *secret);

/* "default", "ID=SOCKET"; without a socket it is $SSH_AUTH_SOCK's. SSH needs ssh_release in every case. */
int ssh_value(const char *text, struct build_ssh *ssh, struct error *e);
void ssh_release(struct build_ssh *ssh);
