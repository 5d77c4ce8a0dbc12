/* A bundle: the files of an OCI layout or of a docker archive, in a folder or in a tar, on their way
 * into the store.
 *
 * A tar is read once, from a file or a pipe, compressed or not: each file in it becomes a blob as it
 * comes by. A folder's files do when they are asked for. Names are looked up, never used as paths
 * outside the bundle; links of a tar stay inside it, blobs in a folder must be plain files (H042,
 * H147).
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/store.h"

struct bundle;

/* PATH is a folder or a file. */
struct bundle *bundle_open(struct store *s, const char *path, struct error *e);
/* A tar from FD (borrowed); WHAT names it in errors. */
struct bundle *bundle_read(struct store *s, int fd, const char *what, struct error *e);
void bundle_close(struct bundle *b);

bool bundle_has(struct bundle *b, const char *name);

/* The file NAME is a blob of the store afterwards. ERROR_NOT_FOUND names it and the bundle. */
int bundle_blob(struct bundle *b, const char *name, struct digest *digest, int64_t *size,
                struct error *e);

/* The whole file NAME, of at most LIMIT bytes, NUL added; the caller frees it. */
char *bundle_text(struct bundle *b, const char *name, size_t limit, size_t *size,
                  struct error *e);

/* What it is called, for errors. */
const char *bundle_name(const struct bundle *b);
