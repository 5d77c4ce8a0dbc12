/* Login: credentials verified, then kept.
 *
 * REGISTRY is a domain ("ghcr.io", "localhost:5000"); "" or NULL is Docker Hub. Where credentials
 * are kept: credential.h.
 */
#pragma once
#include "layers/error.h"
#include "registry/auth.h"

/* Ask the registry whether USER and PASSWORD are good. ERROR_DENIED when not; nothing is kept
 * then. */
int login(struct auth *a, const char *registry, const char *user, const char *password,
          struct error *e);

/* Forget them. ERROR_NOT_FOUND when there are none. */
int logout(struct auth *a, const char *registry, struct error *e);
