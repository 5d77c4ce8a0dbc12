/* Layers: a stream of entries to a tar blob with its table, and back.
 *
 * A layer is written once, as a stream: tar writer -> SHA-256 (diff_id) -> file, and its table is
 * written beside it. Built layers stay plain tar in the store; pulled ones stay as they came,
 * compressed, and get their table when they are read for the first time.
 *
 * Equal content gives equal bytes: entries sorted, parents first, no user names, times in whole
 * seconds, PAX records only where a number or name does not fit, xattrs as SCHILY.xattr only,
 * whatever the locale.
 *
 * Source: OCI image-spec 1.1, layer.md.
 */
#pragma once
#include <stdbool.h>
#include <stdint.h>

#include "layers/compress.h"
#include "layers/digest.h"
#include "layers/store.h"
#include "layers/table.h"

/* A layer in the store, or one that a registry has (BLOB is then not in the store yet). */
struct layer {
	struct digest diff_id;         /* of the uncompressed tar */
	struct digest blob;            /* of the bytes as stored or as offered; diff_id when plain */
	int64_t blob_size;
	enum compression compression;  /* of BLOB */
};

/* Where a file's content comes from: FD from OFFSET on, or MEMORY. The size is the entry's. */
struct content {
	int fd;
	int64_t offset;
	const void *memory;
};

/* The time of entries that have none of their own (files of a context, folders made on the way) when
 * SOURCE_DATE_EPOCH is not set: 1980-01-01, the earliest that zip can say, so that a checkout's time
 * changes no digest and no tool trips over 1970. */
#define LAYER_TIME 315532800

struct layer_writer;

struct layer_writer *layer_begin(struct store *s, struct error *e);

/* Files of SIZE bytes in all are to come, as far as is known. Before anything is added. */
void layer_expect(struct layer_writer *w, int64_t size);

/* Add an entry, in path_order, each path once. CONTENT counts for files only.
 *
 * An all-zero entry->digest is computed on the way; another is taken on trust (the caller has
 * hashed the file and made sure that it did not change since). entry->offset is ignored; of a
 * whiteout only the path and the time count. A file
 * that is shorter than entry->size is ERROR_INPUT naming it ("changed while it was read"); a longer
 * one is cut. Names that begin ".wh." are refused: in a layer they would delete (H094). */
int layer_add(struct layer_writer *w, const struct entry *entry, const struct content *content,
              struct error *e);

/* End the tar, keep blob and table, fill LAYER. Consumes W in every case. */
int layer_finish(struct layer_writer *w, struct layer *layer, struct error *e);
void layer_abandon(struct layer_writer *w);

/* Reading LAYER has failed with E. When E is ERROR_CORRUPT, find out whose fault that is: a blob or
 * table that is damaged is set aside, and E says so (ERROR_DAMAGED); else it stays. Returns -1. */
int layer_blame(struct store *s, const struct layer *layer, struct error *e);

/* Is the layer here: its blob with the right size, its table, and the proof that they are of the
 * same tar? */
bool layer_is_whole(struct store *s, const struct layer *layer);

/* Read LAYER's blob to the end, verify it against blob digest and diff_id over every byte, and
 * write its table and the proof. Neither is kept of a layer that fails (ERROR_CORRUPT, or
 * ERROR_DAMAGED as from layer_blame); the blob stays until it is collected, for another image may be
 * right about it. Names,
 * link targets, types, numbers and sizes are checked as hazards B ask. */
int layer_index(struct store *s, const struct layer *layer, struct error *e);

/* A descriptor of the uncompressed tar, so that entry->offset can be used: the blob when it is
 * plain, else a copy inflated into an unnamed temporary file. */
int layer_open_tar(struct store *s, const struct layer *layer, struct error *e);

/* The content of an ENTRY whose offset is below 0 (a sparse file of GNU tar: in the uncompressed TAR
 * it is in pieces), as an unnamed temporary file. */
int layer_expand(struct store *s, int tar, const struct entry *entry, struct error *e);
