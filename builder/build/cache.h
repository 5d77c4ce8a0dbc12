/* The cache: what a step depends on, as a key with named ingredients, and what came of it.
 *
 * A key is the digest of its ingredients in order. They are stored with the result, so that a miss
 * is explained by comparing with the last record of the same place in the same Dockerfile: the
 * first ingredient that differs is the reason.
 *
 * A record is trusted only if the layer it names is there with the right size. Nothing that is
 * loaded or pulled ever becomes a record (H035).
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/digest.h"
#include "layers/error.h"
#include "layers/layer.h"
#include "layers/store.h"

struct key;

struct key *key_new(struct error *e);
void key_free(struct key *k);

/* Add an ingredient. NAME is what a miss says ("command", "ARG REV", "src/a.py"), VALUE is what is
 * compared; a secret is never one. Memory running out is remembered until key_digest. */
void key_add(struct key *k, const char *name, const char *value);
void key_add_digest(struct key *k, const char *name, const struct digest *value);
void key_add_number(struct key *k, const char *name, int64_t value);

/* Many files under one ingredient: only their joint digest is stored. Between begin and end each
 * file's facts are hashed in the order given. */
void key_files_begin(struct key *k, const char *name);
void key_file(struct key *k, const void *facts, size_t size);
void key_files_end(struct key *k);

int key_digest(const struct key *k, struct digest *d, struct error *e);

struct record {
	struct layer layer;
	bool has_layer;         /* false: the step changed nothing and makes no layer (WORKDIR /) */
	int64_t created;        /* seconds since 1970 */
};

/* 1 hit, 0 miss, -1 and E. */
int cache_find(struct store *s, const struct digest *key, struct record *r, struct error *e);
int cache_save(struct store *s, const struct key *k, const struct digest *slot,
               const struct record *r, struct error *e);

/* Why K was not found: "src/a.py changed", "ARG REV: 1 -> 2", "first build". SLOT is the place:
 * the same for the same step of the same stage of the same Dockerfile. FILES, when not NULL, is
 * asked to name what differs between the old layer and now when the joint digest of files is what
 * differs. The caller frees the text. */
char *cache_explain(struct store *s, const struct key *k, const struct digest *slot,
                    char *(*files)(void *context, const struct layer *old), void *context);
