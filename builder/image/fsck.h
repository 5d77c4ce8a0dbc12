/* Looking the store over: is everything in it what it was when it was kept?
 *
 * Quickly: each name is a file or a folder as it should be, records and tables have their checksums,
 * manifests and configs their digests, layers the sizes that records and manifests say. DEEP also
 * compares every blob with its digest, and every tree with the table of its layer.
 *
 * What is missing is no damage: it is made again. Nothing is changed, unless REPAIR is wished:
 * then what is damaged is removed; nothing else may use the store meanwhile (ERROR_FAILED).
 */
#pragma once
#include <stdbool.h>

#include "layers/store.h"

struct fsck_wishes {
	bool deep, repair;
	store_notice *problem; /* is told of each, once */
	void *context;
};

/* The number of problems, or -1 and E. */
int fsck(struct store *s, const struct fsck_wishes *wishes, struct error *e);
