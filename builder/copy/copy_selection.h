/* A selection: what a COPY or ADD will put where; for copy*.c and add_*.c only.
 *
 * Sources become items in the order of the line; copy_arrange then sorts them by path, lets later
 * sources win, and holds them against what the image has. An item is small (16 bytes, for there are
 * contexts of half a million files) and points to where its facts are; copy_entry puts them
 * together.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "builder/copy/context.h"
#include "builder/copy/copy.h"
#include "builder/copy/copy_mode.h"
#include "builder/copy/git.h"
#include "parser/arena.h"
#include "parser/ignore.h"

enum item_kind {
	ITEM_PARENT,  /* a folder made because something goes below it */
	ITEM_CONTEXT, /* FILE */
	ITEM_ARRIVED, /* ARRIVED: out of a stage, an archive, a URL */
	ITEM_BYTES,   /* SOURCE: a here-document */
};

/* Facts that are not in a context. */
struct arrived {
	struct entry entry;   /* its path is where it was */
	size_t layer;         /* of the stage's stack, when FD is -1 */
	int fd;               /* else the content is here, from entry.offset on */
};

struct copy_item {
	union {
		const struct context_file *file;
		const struct arrived *arrived;
		const struct copy_source *source;
	};
	uint32_t anchor;      /* where it is in the image, and why */
	uint16_t mode;
	uint8_t kind;
	uint8_t type;         /* enum entry_type */
};

/* A place in the image. A tree of a context has one: what is below its FOLDER is below PATH, under
 * the names that it has in the context. */
struct copy_anchor {
	const char *path;                  /* a table path */
	const struct context_file *folder; /* NULL: there is one item only */
	uint32_t match;                    /* which source brought it: later ones win */
};

/* The path of one item after the other, in the same memory. */
struct item_path {
	char *text;
	const struct context_file *folder; /* of the last one */
	uint32_t anchor;
	size_t size;                       /* of the part that FOLDER gives */
};

/* Items as entries. */
struct item_reader {
	const struct selection *copy;
	struct item_path path, link;
};

/* Where the files of one match are. */
struct copy_match {
	struct context *context; /* of its ITEM_CONTEXT items */
	struct stack *stack;     /* of its ITEM_ARRIVED items without a descriptor */
	bool replaces;           /* an archive: what is in its way goes, whatever it is */
};

/* An archive of ADD: its members become items when the layer is written. */
struct copy_archive {
	uint32_t match;
	const char *name;                /* for messages */
	const struct context_file *file; /* of the context; or NULL and */
	int fd;                          /* lent */
	struct digest digest;            /* of FD's bytes */
};

/* A repository of ADD: fetched when the layer is written. */
struct copy_repository {
	uint32_t match;
	struct git_place place;
	char commit[GIT_COMMIT];
	struct store_temp folder;
	struct context *context;         /* its files; NULL until fetched */
};

struct selection {
	const struct copy_step *step;
	const struct copy_world *world;
	struct stack *onto;      /* NULL: nothing is known of what is below (--link) */
	struct copy_mode chmod;
	bool has_owner;
	uint32_t uid, gid;
	struct ignore *excludes; /* NULL: none */

	char *destination;       /* resolved: a table path */
	bool is_folder;          /* it is one, is written like one, or a source has made it one */
	bool is_there;
	enum entry_type there;   /* what it is now, when IS_THERE */

	struct copy_archive *archive;
	size_t archive_count, archive_capacity;
	struct copy_repository *repository;
	size_t repository_count;
	int spool;               /* what was in archives, unnamed; -1 until needed */
	int *open;               /* descriptors lent to items and archives */
	size_t open_count;

	struct copy_match *match;
	size_t match_count, match_capacity;
	uint32_t match_now;      /* the one that is under way */
	struct copy_anchor *anchor;
	size_t anchor_count, anchor_capacity;
	struct copy_item *item;
	size_t count, capacity;
	size_t path_max;         /* the longest path of an item */
	uint32_t *hard_link;     /* for each item 1 + the index of the one whose content it shares, 0:
	                          * its own; NULL: all have their own */
	struct arena *memory;
};

/* --- what is where it comes from: copy_source.c ----------------------------------------------- */

static inline struct copy_match *copy_match_of(const struct selection *c,
                                               const struct copy_item *item)
{
	return &c->match[c->anchor[item->anchor].match];
}

/* A file of a context or a stage. */
struct place {
	struct entry entry;              /* its path is lent until the next look-up */
	const struct context_file *file; /* of CONTEXT; else NULL */
	struct context *context;
	size_t layer;                    /* stage */
};

/* Everything that the path or pattern SOURCE names, as items. */
int copy_take_path(struct selection *c, const struct copy_source *source, struct error *e);

/* What is below DIR goes to TARGET. */
int copy_take_folder(struct selection *c, const struct place *dir, const char *target,
                     struct error *e);

/* ERROR_NOT_FOUND for PATH, with what may be the reason. */
int copy_missing(struct selection *c, const char *path, struct error *e);

/* --- where it goes: copy_target.c ------------------------------------------------------------- */

/* Look at the destination and at --chown. */
int copy_find_target(struct selection *c, struct error *e);

/* What comes from now on is a match of its own. */
int copy_next_match(struct selection *c, struct context *context, struct stack *stack,
                    struct error *e);

/* The folders above PATH that are not there yet (PATH, too, when INCLUSIVE). */
int copy_add_parents(struct selection *c, const char *path, bool inclusive, struct error *e);

/* P goes to the table path PATH. */
int copy_add_place(struct selection *c, const struct place *p, const char *path, struct error *e);

/* What is below FOLDER goes below PATH; returns the anchor for copy_add_below, or -1 and E. */
int64_t copy_add_anchor(struct selection *c, const char *path, const struct context_file *folder,
                        struct error *e);
/* P, a file of a context below ANCHOR's folder; its path in the image has PATH_SIZE bytes. */
int copy_add_below(struct selection *c, const struct place *p, uint32_t anchor, size_t path_size,
                   struct error *e);

/* A here-document. */
int copy_add_document(struct selection *c, const struct copy_source *source, struct error *e);

/* The path of a lone file called NAME, its parents added; lent. NULL and E. */
const char *copy_file_target(struct selection *c, const char *name, struct error *e);

/* The destination as a folder, made when it is missing. NULL and E when it is something else. */
const char *copy_folder_target(struct selection *c, struct error *e);

/* DIR and NAME put together; lent. NULL: out of memory. */
const char *copy_join(struct selection *c, const char *dir, const char *name);

/* FD (given away in every case) stays open as long as the selection. */
int copy_keep_open(struct selection *c, int fd, struct error *e);

/* --- URLs: add_url.c -------------------------------------------------------------------------- */

int copy_take_url(struct selection *c, const struct copy_source *source, struct key *key,
                  struct error *e);

/* --- archives: add_archive.c ------------------------------------------------------------------ */

/* 1 when P, a file of the context called NAME, is an archive and now part of the selection; 0 when
 * it is none. */
int copy_take_archive(struct selection *c, const struct place *p, const char *name,
                      struct error *e);

/* The same for the file FD (lent) with DIGEST. */
int copy_take_archive_fd(struct selection *c, int fd, const struct digest *digest,
                         const char *name, struct error *e);

/* What the archives depend on. */
void copy_archives_to_key(struct selection *c, struct key *key);

/* Their members become items. */
int copy_unpack(struct selection *c, struct error *e);

/* --- repositories: add_git.c ------------------------------------------------------------------ */

/* Find out which commit SOURCE means. */
int copy_take_repository(struct selection *c, const struct copy_source *source, struct error *e);
void copy_repositories_to_key(struct selection *c, struct key *key);
/* Their files become items. */
int copy_fetch_repositories(struct selection *c, struct error *e);
void copy_release_repositories(struct selection *c);

/* --- all items together: copy_arrange.c ------------------------------------------------------- */

/* Sorted, each path once, hard links found, and nothing in the way of anything in the image. */
int copy_arrange(struct selection *c, struct error *e);

/* An item for the match that is under way; NULL and E. PATH is kept. */
struct copy_item *copy_add_item(struct selection *c, const char *path, enum item_kind kind,
                                enum entry_type type, struct error *e);

/* --- items as entries: copy_item.c ------------------------------------------------------------ */

/* To be begun when all items are there. */
int item_path_begin(struct item_path *p, const struct selection *c, struct error *e);
void item_path_release(struct item_path *p);

/* Where ITEM will be in the image, lent until P is used again. */
const char *item_path(struct item_path *p, const struct selection *c, const struct copy_item *item);

int item_reader_begin(struct item_reader *r, const struct selection *c, struct error *e);
void item_reader_release(struct item_reader *r);

/* ITEM as it will be in the layer; its strings are lent until R is used again. */
void copy_entry(struct item_reader *r, const struct copy_item *item, struct entry *entry);
