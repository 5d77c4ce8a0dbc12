#include "layers_fixture.h"

#include <stdio.h>

#include "layers/blob.h"
#include "layers/layer.h"
#include "layers/scope.h"

static void finish(struct fixture *f, struct layer_writer *w, struct layer *layer)
{
	assert_ok(f, layer_finish(w, layer, &f->error));
	assert_true(layer_is_whole(f->store, layer));
}

/* The whole tar of LAYER, the caller frees it. */
static char *tar_of(struct fixture *f, const struct layer *layer)
{
	char *bytes = blob_read(f->store, &layer->blob, 64 << 20, NULL, &f->error);

	assert_non_null(bytes);
	return bytes;
}

static void add_text(struct fixture *f, struct layer_writer *w, struct entry entry, const char *text)
{
	struct content content = { .memory = text };

	entry.size = (int64_t)strlen(text);
	assert_ok(f, layer_add(w, &entry, &content, &f->error));
}

static void the_empty_layer_is_1024_zero_bytes(void **state)
{
	struct fixture *f = *state;
	struct layer layer;
	char text[DIGEST_TEXT];

	finish(f, layer_begin(f->store, &f->error), &layer);
	assert_int_equal(layer.blob_size, 1024);
	assert_string_equal(digest_format(&layer.diff_id, text),
	        "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef");
}

static void one_file_is_one_block_and_its_content(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);
	struct layer layer;
	auto_free char *tar = NULL;

	add_text(f, w, (struct entry){ .path = "a", .mode = 04755, .uid = 1000, .mtime = 8 }, "text");
	finish(f, w, &layer);
	tar = tar_of(f, &layer);
	assert_int_equal(layer.blob_size, 4 * 512);
	assert_memory_equal(tar, "a\0", 2);
	assert_memory_equal(tar + 100, "0004755\0" "0001750\0" "0000000\0" "00000000004\0" "00000000010\0",
	                    48);
	assert_memory_equal(tar + 156, "0\0", 2);
	assert_memory_equal(tar + 257, "ustar\0" "00", 8);
	assert_memory_equal(tar + 512, "text\0", 5);
}

static void names_and_numbers_that_do_not_fit_get_records(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);
	struct layer layer;
	auto_free char *tar = NULL;
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	assert_ok(f, layer_add(w, &(struct entry){ .path = name, .type = ENTRY_SYMLINK, .link = name,
	                       .uid = 3000000000U, .mtime = -5, .xattrs = "user.a\0\1\0\0\0v",
	                       .xattrs_size = 12 }, NULL, &f->error));
	finish(f, w, &layer);
	tar = tar_of(f, &layer);
	assert_int_equal(tar[156], 'x');
	assert_memory_equal(tar + 512, "25 SCHILY.xattr.user.a=v\n", 25);
}

static void a_layer_knows_where_its_contents_are(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);
	struct digest want;
	struct layer layer;
	struct entry entry;
	struct table *t;
	auto_free char *tar = NULL;

	assert_ok(f, layer_add(w, &(struct entry){ .path = "d", .type = ENTRY_DIR }, NULL, &f->error));
	add_text(f, w, (struct entry){ .path = "d/one" }, "first");
	add_text(f, w, (struct entry){ .path = "d/two" }, "second");
	finish(f, w, &layer);
	tar = tar_of(f, &layer);
	t = table_open(f->store, &layer.diff_id, &f->error);
	assert_int_equal(table_count(t), 3);
	table_get(t, 2, &entry);
	assert_string_equal(entry.path, "d/two");
	assert_memory_equal(tar + entry.offset, "second", 6);
	digest_of("second", 6, &want);
	assert_memory_equal(&entry.digest, &want, sizeof want);
	assert_int_equal(table_tar_size(t), layer.blob_size);
	table_close(t);
}

static void whiteouts_and_opaque_folders_are_written_as_marks(void **state)
{
	struct fixture *f = *state;
	struct layer_writer *w = layer_begin(f->store, &f->error);
	struct layer layer;
	auto_free char *tar = NULL;

	assert_ok(f, layer_add(w, &(struct entry){ .path = "d", .type = ENTRY_OPAQUE, .mode = 0755 },
	                       NULL, &f->error));
	assert_ok(f, layer_add(w, &(struct entry){ .path = "e/gone", .type = ENTRY_WHITEOUT, .mode = 7 },
	                       NULL, &f->error));
	finish(f, w, &layer);
	tar = tar_of(f, &layer);
	assert_string_equal(tar, "d/");
	assert_string_equal(tar + 512, "d/.wh..wh..opq");
	assert_string_equal(tar + 1024, "e/.wh.gone");
	assert_string_equal(tar + 1024 + 100, "0000000");
}

static void names_that_would_delete_are_refused(void **state)
{
	struct fixture *f = *state;
	const char *const bad[] = { ".wh.x", "d/.wh.x", ".wh..wh..opq", ".wh.d/x" };
	const char *const good[] = { ".WH.x", ".wh", ".whale", "x.wh.y" };
	struct layer_writer *w = layer_begin(f->store, &f->error);

	for (int i = 0; i < 4; i++)
		assert_int_equal(layer_add(w, &(struct entry){ .path = bad[i] }, NULL, &f->error), -1);
	assert_string_equal(f->error.text,
	        ".wh.d/x: a name that begins with .wh. would delete files in an image");
	for (int i = 0; i < 4; i++)
		assert_ok(f, layer_add(w, &(struct entry){ .path = good[i] }, NULL, &f->error));
	layer_abandon(w);
}

/* A layer of one file of SIZE bytes, read from DESCRIPTOR. */
static int one_file(struct fixture *f, int fd, int64_t size, struct layer *layer)
{
	struct layer_writer *w = layer_begin(f->store, &f->error);
	struct content content = { .fd = fd };

	if (layer_add(w, &(struct entry){ .path = "f", .size = size }, &content, &f->error) < 0) {
		layer_abandon(w);
		return -1;
	}
	finish(f, w, layer);
	return 0;
}

/* H275. */
static void a_file_that_shrinks_is_named(void **state)
{
	struct fixture *f = *state;
	auto_close int fd = openat(f->dir, "f", O_RDWR | O_CREAT, 0600);
	struct layer layer;

	assert_int_equal(ftruncate(fd, 9), 0);
	assert_int_equal(one_file(f, fd, 10, &layer), -1);
	assert_string_equal(f->error.text, "f changed while it was read");
	assert_int_equal(f->error.kind, ERROR_INPUT);
	assert_int_equal(ftruncate(fd, 4 << 20), 0);
	assert_int_equal(one_file(f, fd, 5 << 20, &layer), -1);
	assert_string_equal(f->error.text, "f changed while it was read");
}

static void holes_give_the_same_bytes_and_take_no_room(void **state)
{
	struct fixture *f = *state;
	auto_close int sparse = openat(f->dir, "sparse", O_RDWR | O_CREAT, 0600);
	auto_close int plain = openat(f->dir, "plain", O_RDWR | O_CREAT, 0600);
	enum { SIZE = 9 << 20 };
	auto_free char *bytes = calloc(1, SIZE);
	struct layer one, two;
	struct stat st;

	memcpy(bytes + (3 << 20), "middle", 6);
	memcpy(bytes + SIZE - 3, "end", 3);
	assert_ok(f, path_write_all(plain, bytes, SIZE, &f->error));
	assert_int_equal(ftruncate(sparse, SIZE), 0);
	assert_int_equal(pwrite(sparse, "middle", 6, 3 << 20), 6);
	assert_int_equal(pwrite(sparse, "end", 3, SIZE - 3), 3);
	assert_ok(f, one_file(f, sparse, SIZE, &two));
	auto_close int fd = blob_open(f->store, &two.blob, two.blob_size, &f->error);

	assert_int_equal(fstat(fd, &st), 0);
	assert_true(st.st_blocks < SIZE / 512 / 4);
	assert_ok(f, one_file(f, plain, SIZE, &one));
	assert_true(digest_equal(&one.diff_id, &two.diff_id));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_store(the_empty_layer_is_1024_zero_bytes),
		with_store(one_file_is_one_block_and_its_content),
		with_store(names_and_numbers_that_do_not_fit_get_records),
		with_store(a_layer_knows_where_its_contents_are),
		with_store(whiteouts_and_opaque_folders_are_written_as_marks),
		with_store(names_that_would_delete_are_refused),
		with_store(a_file_that_shrinks_is_named),
		with_store(holes_give_the_same_bytes_and_take_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
