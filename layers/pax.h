/* Extended headers of a tar entry: pax records, strictly.
 *
 * "LENGTH KEY=VALUE\n", LENGTH counting all of it. Keys that are not known are skipped; values that
 * are names or numbers must be whole: a NUL or a stray digit is refused, not cut.
 *
 * Source: POSIX.1-2017, pax, "pax Header Block"; GNU tar manual, "PAX Format".
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/sparse.h"
#include "layers/xattr.h"

struct pax {
	char *text;            /* owned; what is below points into it */
	const char *path, *link;
	bool has_size, has_uid, has_gid, has_mtime;
	int64_t size, uid, gid, mtime;
	struct xattr *xattrs;  /* owned */
	size_t xattr_count;

	bool is_sparse;
	bool map_in_data;      /* form 1.0: the map stands before the content */
	const char *real_name;
	int64_t real_size;     /* -1 when not told */
	struct sparse sparse;
};

/* Understand SIZE bytes of TEXT, which becomes PAX's. PAX is all zero before. */
int pax_parse(struct pax *pax, char *text, size_t size, struct error *e);
void pax_release(struct pax *pax);

/* Decimal digits only. False when TEXT is anything else or too large. */
bool pax_number(const char *text, int64_t *number);
