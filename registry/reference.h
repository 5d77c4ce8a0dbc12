/* References: host/name:tag@digest, as people write them and as registries need them.
 *
 *     alpine                 docker.io/library/alpine, asked at registry-1.docker.io
 *     localhost/x            the registry "localhost", repository x
 *     [::1]:5000/a:b         the registry "[::1]:5000"
 *
 * A reference is a plain value: copy it by assignment, it needs no release. Whatever it holds has
 * passed the grammar, so it is safe in a URL, a header and the input of a credential helper
 * (H185); as a file name it is not.
 *
 * Source: distribution/reference (grammar and Docker's normalisation).
 */
#pragma once
#include <stdbool.h>

#include "layers/digest.h"
#include "layers/error.h"

#define REFERENCE_NAME_MAX 255
#define REFERENCE_TAG_MAX 128

struct reference {
	char domain[REFERENCE_NAME_MAX + 1];    /* "docker.io", "host:5000", "[::1]:5000" */
	char repository[REFERENCE_NAME_MAX + 1];/* "library/alpine" */
	char tag[REFERENCE_TAG_MAX + 1];        /* "" when none is written */
	bool has_digest;
	struct digest digest;
};

/* TEXT to R, normalised as Docker does. ERROR_INPUT in BuildKit's words ("invalid reference format:
 * repository name (library/Alpine) must be lowercase"); the text itself is not in E. */
int reference_parse(const char *text, struct reference *r, struct error *e);

/* Neither tag nor digest: the tag is "latest". */
void reference_default_tag(struct reference *r);

/* "docker.io/library/alpine:3.20@sha256:..."; the caller frees it, NULL when memory is out. */
char *reference_format(const struct reference *r);

/* The same as people write it: "alpine:3.20". */
char *reference_familiar(const struct reference *r);

/* The host[:port] to talk to: the domain, but registry-1.docker.io for Docker Hub. Borrowed. */
const char *reference_host(const struct reference *r);

/* Whether A and B are on one registry, so that one can lend the other its blobs. */
bool reference_same_registry(const struct reference *a, const struct reference *b);
