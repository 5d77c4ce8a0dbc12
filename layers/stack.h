/* A stack of tables: what is where in an image, without unpacking it.
 *
 * Layers lie bottom first. A path is answered by the topmost layer that has it; whiteouts and
 * opaque directories hide what is below. Paths are as in tables: clean, no leading slash.
 *
 * A stack lends its layers; it opens tables when first needed and calls FETCH for a layer that is
 * not in the store yet, so that a base nobody asks about is never downloaded.
 *
 * Threads: look-ups may run at the same time.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/layer.h"
#include "layers/shelf.h"
#include "layers/store.h"
#include "layers/table.h"

/* Brings a layer's blob and table into the store. */
typedef int stack_fetch(void *context, const struct layer *layer, struct error *e);

struct stack;

/* COUNT layers, bottom first, copied. FETCH may be NULL when all are here. */
struct stack *stack_new(struct store *s, const struct layer *layers, size_t count,
                        stack_fetch *fetch, void *context, struct error *e);
void stack_free(struct stack *st);

/* Before the first look-up: tables come from SHELF, which outlives ST. */
void stack_use_shelf(struct stack *st, struct shelf *shelf);

size_t stack_count(const struct stack *st);
const struct layer *stack_layer(const struct stack *st, size_t i);
struct store *stack_store(const struct stack *st);

/* Every layer is here with its table afterwards. */
int stack_fetch_all(struct stack *st, struct error *e);

/* The lowest layer of which anything shows: an opaque root hides all that lie below it. Every table
 * must be here. */
size_t stack_floor(const struct stack *st);

/* What a look-up found. A hard link is answered with the entry whose content it shares (type
 * ENTRY_FILE), under its own path. Directories that no layer names but some entry needs are
 * answered as 0755 0:0, mtime 0. LAYER is the index of the layer that has the content,
 * NAMED of the one that has the path: a hard link may lead to a layer below its own. LINKED says that
 * it is one. */
struct found {
	struct entry entry; /* lent by the stack; never a whiteout; OPAQUE shows as DIR */
	size_t layer, named;
	bool linked;
};

/* 1 found, 0 not there, -1 and E. Links are not followed. */
int stack_lookup(struct stack *st, const char *path, struct found *found, struct error *e);

/* Follow the links in PATH (absolute or not), inside the stack, as the kernel would; the last
 * component too when FOLLOW_LAST. What does not exist stays as named. *RESOLVED is a table path the
 * caller frees. 1 when the result exists (FOUND filled), 0 when not, -1 and E (ELOOP after 40). A
 * component that is a file where a directory is needed is ERROR_INPUT. */
int stack_resolve(struct stack *st, const char *path, bool follow_last, char **resolved,
                  struct found *found, struct error *e);

/* Visit what is visible below DIR (not DIR itself) in path_order; VISIT returns 0 to go on,
 * 1 to leave out what is below this directory, -1 and E to stop. With DEEP false only the names
 * directly in DIR. */
int stack_walk(struct stack *st, const char *dir, bool deep,
               int (*visit)(void *context, const struct found *found, struct error *e),
               void *context, struct error *e);

/* Where a file's bytes are. CONTENT->fd is lent by the stack. They have been compared with the digest
 * in the table, unless this process made the layer (ERROR_DAMAGED as from layer_blame). */
int stack_content(struct stack *st, const struct found *found, struct content *content,
                  struct error *e);

/* A whole small file, links followed: for /etc/passwd. NUL added; the caller frees it. NULL and
 * ERROR_NOT_FOUND when there is none, ERROR_INPUT when it is no regular file or above LIMIT. */
char *stack_read(struct stack *st, const char *path, size_t limit, size_t *size, struct error *e);
