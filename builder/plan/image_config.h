/* The config of an image, as instructions change it.
 *
 * It is kept as the JSON document it is, so that what this program does not know of a base's config
 * stays. Members that come to nothing (an empty list, an empty text) are left out, as Docker's own
 * encoder does. Strings that are not UTF-8 cannot be JSON: each stray byte becomes U+FFFD.
 *
 * Functions that change the document return false when memory ran out.
 * Source: OCI image-spec 1.1, config.md; Docker's image config for Shell, Healthcheck, OnBuild.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

#include "layers/error.h"
#include "layers/json.h"
#include "registry/platform.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* Of an image without anything, as FROM scratch has it. A new reference, or NULL. */
json_t *config_scratch(const struct platform *platform);

/* Of an image built on one with BASE: all of it but the time of its making. A new reference, or
 * NULL and E when a member that instructions look at is of another type than it must be. */
json_t *config_inherit(const json_t *base, struct error *e);

/* The member KEY of "config", borrowed; NULL when it is not there. */
json_t *config_get(const json_t *document, const char *key);
/* The same as text; "" when it is not there. */
const char *config_text(const json_t *document, const char *key);

bool config_set_text(json_t *document, const char *key, const char *text);
bool config_set_words(json_t *document, const char *key, const char *const *words, size_t count);
bool config_set(json_t *document, const char *key, json_t *value); /* VALUE is given away */
void config_clear(json_t *document, const char *key);

/* Add NAME to a set: ExposedPorts, Volumes. */
bool config_add(json_t *document, const char *key, const char *name);
/* Add to a list: OnBuild. */
bool config_append(json_t *document, const char *key, const char *text);
bool config_label(json_t *document, const char *name, const char *value);

/* os, architecture and variant, at the top of the document. */
bool config_set_platform(json_t *document, const struct platform *platform);
void config_platform(const json_t *document, struct platform *platform);

/* A text as JSON has it. A new reference. */
json_t *config_string(const char *text);
