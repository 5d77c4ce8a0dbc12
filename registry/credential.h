/* Credentials: docker's config.json and the credential helpers it names.
 *
 * Looked up as the docker CLI does: credHelpers for the host, else credsStore, else auths. A helper
 * that knows nothing means anonymous; one that is missing or fails is an error, and nobody else is
 * asked in its place (H036).
 *
 * Source: docker/cli config file; docker-credential-helpers protocol.
 */
#pragma once
#include "layers/error.h"

struct credential {
	char *user, *password;        /* both NULL: none */
	char *identity_token;         /* for the OAuth2 refresh flow; instead of the password */
	char *registry_token;         /* a Bearer token, used as it is */
};

/* The credentials for DOMAIN ("docker.io", "host:5000") and, where config.json has keys with
 * paths, REPOSITORY. FOLDER as in auth_open. None: all NULL. */
int credential_find(const char *folder, const char *domain, const char *repository,
                    struct credential *c, struct error *e);
void credential_release(struct credential *c);

/* Keep USER and PASSWORD for DOMAIN: in the helper that config.json names, else in config.json
 * itself (mode 0600, replaced whole, what we do not know in it kept). */
int credential_keep(const char *folder, const char *domain, const char *user,
                    const char *password, struct error *e);
/* Remove them there. ERROR_NOT_FOUND when there are none. */
int credential_forget(const char *folder, const char *domain, struct error *e);
