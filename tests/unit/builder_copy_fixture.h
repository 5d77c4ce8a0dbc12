/* A folder to copy from, a store, and a COPY as its layer's entries, one line each:
 *
 *     d 0755 0:0 app
 *     f 0644 0:0 app/main.c hello
 *     l 0:0 app/link -> main.c
 *     h app/again -> app/main.c
 */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "builder/copy/copy.h"
#include "layers/path.h"

struct fixture {
	char path[64];               /* holds "context" and "store" */
	int dir;                     /* "context" */
	struct store *store;
	struct context *context;     /* opened when first needed; closed by reopen */
	const char *ignore;          /* text of .dockerignore, or NULL */
	struct layer layer[8];       /* what the COPYs so far have made */
	size_t layers;
	struct digest key;           /* of the last one */
	struct error e;
};

static inline int fixture_begin(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	strcpy(f->path, "/tmp/cairn-copy-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	int root = open(f->path, O_RDONLY | O_DIRECTORY);

	f->dir = path_make_dirs(root, "context", 0755, &f->e);
	assert_true(f->dir >= 0);
	close(root);
	char *store;

	assert_true(asprintf(&store, "%s/store", f->path) > 0);
	f->store = store_open(store, &f->e);
	assert_non_null(f->store);
	free(store);
	*state = f;
	return 0;
}

/* The next COPY sees the context as another build would. */
static inline void reopen(struct fixture *f)
{
	assert_int_equal(context_close(f->context, &f->e), 0);
	f->context = NULL;
}

static inline int fixture_end(void **state)
{
	struct fixture *f = *state;
	int tmp = open("/tmp", O_RDONLY | O_DIRECTORY);

	reopen(f);
	store_close(f->store);
	close(f->dir);
	assert_int_equal(path_remove(tmp, strrchr(f->path, '/') + 1, &f->e), 0);
	close(tmp);
	free(f);
	return 0;
}

static inline struct context *the_context(struct fixture *f)
{
	struct ignore *ignore = NULL;
	struct syntax_error wrong;
	char *path;

	if (f->context)
		return f->context;
	if (f->ignore)
		ignore = ignore_parse(f->ignore, strlen(f->ignore), &wrong);
	assert_true(asprintf(&path, "%s/context", f->path) > 0);
	f->context = context_open(f->store, path, ignore, &f->e);
	assert_non_null(f->context);
	free(path);
	return f->context;
}

/* Make a file of the context, with its folders. */
static inline void put(struct fixture *f, const char *path, const char *text, mode_t mode)
{
	const char *slash = strrchr(path, '/');
	char *parent = strndup(path, slash ? (size_t)(slash - path) : 0);
	int dir = path_make_dirs(f->dir, parent, 0755, &f->e);

	assert_true(dir >= 0);
	assert_int_equal(path_write(dir, slash ? slash + 1 : path, text, strlen(text), mode, &f->e),
	                 0);
	close(dir);
	free(parent);
}

/* --- archives --------------------------------------------------------------------------------- */

/* A member: '0' file (TEXT is its content), '1' hard link and '2' symlink (to TEXT), '5' folder. */
struct tar_member {
	const char *name;
	char type;
	const char *text;
	unsigned mode, uid;
};

static inline void write_member(int fd, const struct tar_member *m)
{
	size_t size = m->type == '0' && m->text ? strlen(m->text) : 0;
	unsigned char block[512] = { 0 }, padding[512] = { 0 };
	unsigned sum = 8 * ' ';

	strncpy((char *)block, m->name, 99);
	snprintf((char *)block + 100, 8, "%07o", m->mode ? m->mode & 07777 : 0644);
	snprintf((char *)block + 108, 8, "%07o", m->uid & 07777);
	snprintf((char *)block + 116, 8, "%07o", m->uid & 07777);
	snprintf((char *)block + 124, 12, "%011o", (unsigned)size);
	snprintf((char *)block + 136, 12, "%011o", 1700000000);
	memset(block + 148, ' ', 8);
	block[156] = (unsigned char)m->type;
	if (m->type == '1' || m->type == '2')
		strncpy((char *)block + 157, m->text, 99);
	memcpy(block + 257, "ustar\00000", 8);
	for (size_t i = 0; i < 512; i++)
		sum += i < 148 || i >= 156 ? block[i] : 0;
	snprintf((char *)block + 148, 8, "%06o", sum);
	assert_int_equal(write(fd, block, 512), 512);
	if (size > 0) {
		assert_int_equal(write(fd, m->text, size), size);
		assert_int_equal(write(fd, padding, -size % 512), -size % 512);
	}
}

static inline void write_tar(struct fixture *f, const char *name, const struct tar_member *m)
{
	int fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_TRUNC, 0644);
	char end[1024] = { 0 };

	for (; m->name; m++)
		write_member(fd, m);
	assert_int_equal(write(fd, end, sizeof end), sizeof end);
	close(fd);
}

/* --- layers ----------------------------------------------------------------------------------- */

static inline void describe_entry(FILE *out, const struct entry *entry, const char *text)
{
	static const char letters[] = "fdlhcbpwo";

	fprintf(out, "%c ", letters[entry->type]);
	if (entry->type == ENTRY_HARDLINK)
		fprintf(out, "%s -> %s\n", entry->path, entry->link);
	else if (entry->type == ENTRY_SYMLINK)
		fprintf(out, "%u:%u %s -> %s\n", entry->uid, entry->gid, entry->path, entry->link);
	else
		fprintf(out, "%04o %u:%u %s%s%s\n", entry->mode, entry->uid, entry->gid,
		        entry->path, *text ? " " : "", text);
}

/* The entries of LAYER; the caller frees them. */
static inline char *described(struct fixture *f, const struct layer *layer)
{
	struct table *t = table_open(f->store, &layer->diff_id, &f->e);
	int tar = layer_open_tar(f->store, layer, &f->e);
	char *text;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(t);
	for (size_t i = 0; i < table_count(t); i++) {
		char content[64] = "";
		struct entry entry;

		table_get(t, i, &entry);
		if (entry.type == ENTRY_FILE && entry.size < 60)
			assert_int_equal(pread(tar, content, (size_t)entry.size, entry.offset),
			                 entry.size);
		describe_entry(out, &entry, content);
	}
	fclose(out);
	close(tar);
	table_close(t);
	return text;
}

/* Perform STEP upon the layers so far; FROM (may be NULL) is a stack to take from. */
static inline int perform(struct fixture *f, const struct copy_step *step, struct stack *from,
                          int64_t epoch)
{
	struct copy_world world = { .store = f->store, .from = from, .epoch = epoch };
	struct key *key = key_new(&f->e);
	struct selection *c;
	int result = -1;

	world.onto = stack_new(f->store, f->layer, f->layers, NULL, NULL, &f->e);
	if (!from)
		world.context = the_context(f);
	c = copy_select(step, &world, key, &f->e);
	if (c) {
		assert_int_equal(key_digest(key, &f->key, &f->e), 0);
		result = copy_write(c, &f->layer[f->layers], &f->e);
		f->layers += result == 0;
	}
	copy_free(c);
	key_free(key);
	stack_free(world.onto);
	return result;
}

/* COPY of the words in LINE, separated by one blank; the last one is the destination. */
struct line {
	struct copy_step step;
	struct copy_source source[8];
	char *text;
};

static inline void line_begin(struct line *l, const char *text)
{
	char *word = l->text = strdup(text), *next = strchr(word, ' ');

	l->step.source = l->source;
	for (; next; word = next + 1, next = strchr(word, ' ')) {
		*next = '\0';
		l->source[l->step.source_count++] = (struct copy_source){ .text = word };
	}
	l->step.destination = word;
}

/* The layer that COPY LINE with FLAGS makes is as EXPECTED. */
static inline void copies(struct fixture *f, const char *text, struct copy_step flags,
                          const char *expected)
{
	struct line l = { .step = flags };
	char *entries;

	line_begin(&l, text);
	if (perform(f, &l.step, NULL, -1) < 0)
		fail_msg("COPY %s: %s", text, f->e.text);
	entries = described(f, &f->layer[f->layers - 1]);
	assert_string_equal(entries, expected);
	free(entries);
	free(l.text);
}

/* COPY LINE fails and says EXPECTED. */
static inline void refuses(struct fixture *f, const char *text, struct copy_step flags,
                           const char *expected)
{
	struct line l = { .step = flags };

	line_begin(&l, text);
	assert_int_equal(perform(f, &l.step, NULL, -1), -1);
	if (!strstr(f->e.text, expected))
		fail_msg("COPY %s: \"%s\" does not say \"%s\"", text, f->e.text, expected);
	free(l.text);
}

#define PLAIN ((struct copy_step){ 0 })
