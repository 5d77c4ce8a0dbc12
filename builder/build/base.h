/* Base images: what the names in FROM, --from and mounts stand for.
 *
 * A name is looked for among the images of this machine, then among what earlier builds found at
 * registries, then at its registry; there config and manifest only, and layers come when somebody
 * needs them, perhaps never. One build asks for a name once: a tag that moves meanwhile cannot give
 * two stages two images (H201).
 *
 * What came from a registry earlier is taken as remembered, so that a build begins at once, while a
 * thread asks whether the tag still names it; when it does not, the build is cancelled. A registry
 * that does not answer changes nothing: what is remembered is good enough. One on this machine is
 * asked when the first steps have begun, for which it would take the processors, unless they are
 * found in the cache.
 *
 * Threads: resolving and fetching may run from several at once.
 */
#pragma once
#include <stdbool.h>

#include "builder/build/build.h"
#include "builder/plan/plan.h"
#include "builder/progress/progress.h"
#include "builder/remote.h"
#include "layers/stack.h"
#include "layers/store.h"
#include "layers/tree.h"

struct bases;

/* With FRESH (--pull) registries are asked first, whatever is known here. All three outlive it. */
struct bases *bases_open(struct store *s, struct progress *p, struct remote *r, bool fresh,
                         struct error *e);
void bases_close(struct bases *b);

/* struct plan_options.resolve: BASES is a struct bases. */
int bases_resolve(void *bases, const char *image, const char *platform, const struct base **base,
                  struct error *e);

/* struct build_options.fetch. The first layer that is asked for brings all that are missing: who
 * looks for a file looks through them to the last. With TREES a RUN will want them unpacked that
 * way, which can begin while they come; may be NULL. Nothing comes when a tag moved: ERROR_STALE. */
int bases_fetch(const struct base *base, size_t layer, const struct tree_rules *trees,
                struct error *e);

/* The same by layer, for a stack or an output (struct stack_fetch): BASES is a struct bases. */
int bases_fetch_layer(void *bases, const struct layer *layer, struct error *e);

/* The repository that LAYER came from, which can lend it to others of its registry; NULL: none. */
const struct reference *bases_lender(struct bases *b, const struct layer *layer);

/* struct build_options.confirm: all remembered tags still name what is used. ERROR_STALE when one
 * moved: plan again with FRESH bases. */
int bases_confirm(void *bases, enum confirm how, struct error *e);

/* BASE, whose layers are all here, becomes the image NAME of this machine, as it came. */
int bases_keep(const struct base *base, const char *name, struct error *e);

/* IMAGES will be asked for, for PLATFORM: resolve those side by side that need a registry. What
 * fails is told when it is asked for. */
void bases_expect(struct bases *b, const char *const *images, size_t count, const char *platform);
