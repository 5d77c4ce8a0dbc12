#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/blob.h"
#include "layers/image.h"
#include "layers/path.h"
#include "layers/scope.h"

#define HEX "5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef"
#define DIFF_IDS "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:" HEX "\"]}"
#define LAYER(type) "{\"mediaType\":\"" type "\",\"digest\":\"sha256:" HEX "\",\"size\":1024}"
#define TAR LAYER("application/vnd.oci.image.layer.v1.tar")
#define IMAGE_TYPE "application/vnd.oci.image.config.v1+json"

static char folder[64];
static struct store *store;

static int make_store(void **state)
{
	struct error e;

	strcpy(folder, "/tmp/layers_image.XXXXXX");
	store = mkdtemp(folder) ? store_open(folder, &e) : NULL;
	return store ? 0 : -1;
}

static int remove_store(void **state)
{
	auto_close int tmp = open("/tmp", O_PATH);
	struct error e;

	store_close(store);
	return path_remove(tmp, strrchr(folder, '/') + 1, &e);
}

/* A manifest that names CONFIG rightly, with LAYERS and REST put in as they are. */
static int parse(const char *config, const char *layers, const char *rest, struct image *image,
                 struct error *e)
{
	auto_free char *manifest = NULL;
	char text[DIGEST_TEXT];
	struct digest d;

	digest_of(config, strlen(config), &d);
	if (asprintf(&manifest,
	             "{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" IMAGE_TYPE "\","
	             "\"digest\":\"%s\",\"size\":%zu},\"layers\":%s%s}",
	             digest_format(&d, text), strlen(config), layers, rest) < 0)
		abort();
	return image_parse(image, manifest, strlen(manifest), config, strlen(config), e);
}

static void a_config_with_one_layer_is_read(void **state)
{
	struct image image;
	struct error e;

	assert_int_equal(parse("{\"os\":\"linux\",\"config\":null," DIFF_IDS "}", "[" TAR "]", "",
	                       &image, &e), 0);
	assert_int_equal(image.layer_count, 1);
	assert_int_equal(image.layers[0].blob_size, 1024);
	assert_true(digest_equal(&image.layers[0].diff_id, &image.layers[0].blob));
	/* One layer without history: one entry stands for it. */
	assert_int_equal(json_array_size(json_object_get(image.config, "history")), 1);
	image_release(&image);
}

static void an_image_of_no_layers_is_an_image(void **state)
{
	static const char *const layers[] = { "[]", "null" };

	for (size_t i = 0; i < 2; i++) {
		struct image image;
		struct error e;

		assert_int_equal(parse("{\"rootfs\":{\"type\":\"layers\",\"diff_ids\":null}}", layers[i],
		                       "", &image, &e), 0);
		assert_int_equal(image.layer_count, 0);
		image_release(&image);
	}
}

static void each_wrong_field_is_named(void **state)
{
	static const struct {
		const char *config, *layers, *rest, *text;
	} cases[] = {
		{ "null", "[]", "", "image config: line 1, column 4: " },
		{ "[]", "[]", "", "image config: not an object" },
		{ "{}", "[]", "", "image config: rootfs is missing" },
		{ "{\"rootfs\":{}}", "[" TAR "]", "",
		  "image config: rootfs.diff_ids has 0 entries, but there are 1 layers" },
		{ "{" DIFF_IDS "}", "[]", "",
		  "image config: rootfs.diff_ids has 1 entries, but there are 0 layers" },
		{ "{\"rootfs\":{\"diff_ids\":[null]}}", "[" TAR "]", "", "image config: rootfs.diff_ids[0]: " },
		{ "{\"config\":{\"Env\":[null]}," DIFF_IDS "}", "[" TAR "]", "",
		  "image config: config.Env is not an array of strings" },
		{ "{\"config\":{\"Cmd\":\"str\"}," DIFF_IDS "}", "[" TAR "]", "",
		  "image config: config.Cmd is not an array of strings" },
		{ "{\"config\":{\"Labels\":{\"a\":1}}," DIFF_IDS "}", "[" TAR "]", "",
		  "image config: config.Labels is not an object of strings" },
		{ "{\"created\":\"yesterday\"," DIFF_IDS "}", "[" TAR "]", "",
		  "image config: created is not a time as in RFC 3339" },
		{ "{\"history\":[{},{}]," DIFF_IDS "}", "[" TAR "]", "",
		  "image config: history describes 2 layers, but there are 1" },
		{ "{\"history\":[1]," DIFF_IDS "}", "[" TAR "]", "", "image config: history[0] is no entry" },
		{ "{" DIFF_IDS "}", "[{}]", "", "manifest: layers[0]: " },
		{ "{" DIFF_IDS "}", "[null]", "", "manifest: layers[0]: " },
		{ "{" DIFF_IDS "}", "[" LAYER("text/plain") "]", "",
		  "manifest: layers[0]: unsupported media type text/plain" },
		{ "{" DIFF_IDS "}", "{}", "", "manifest: layers is not an array" },
		{ "{" DIFF_IDS "}", "[" TAR "]", ",\"manifests\":[]",
		  "manifest: it has \"manifests\", as an index has" },
		{ "{" DIFF_IDS "}", "[" TAR "]", ",\"mediaType\":\"application/vnd.oci.image.index.v1+json\"",
		  "manifest: unsupported media type application/vnd.oci.image.index.v1+json" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct image image;
		struct error e;

		assert_int_equal(parse(cases[i].config, cases[i].layers, cases[i].rest, &image, &e), -1);
		if (!strstr(e.text, cases[i].text))
			fail_msg("\"%s\" is not \"%s\"", e.text, cases[i].text);
		assert_null(image.config);
	}
}

static void numbers_are_exact(void **state)
{
	static const char *const sizes[] = { "1e3", "1.0", "-1", "\"10\"", "null", "9223372036854775808" };

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		auto_free char *layers = NULL;
		struct image image;
		struct error e;

		if (asprintf(&layers, "[{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\","
		                      "\"digest\":\"sha256:" HEX "\",\"size\":%s}]", sizes[i]) < 0)
			abort();
		assert_int_equal(parse("{" DIFF_IDS "}", layers, "", &image, &e), -1);
	}
}

static void another_config_than_the_manifest_names_is_corrupt(void **state)
{
	static const char manifest[] =
		"{\"schemaVersion\":2,\"config\":{\"mediaType\":\"" IMAGE_TYPE "\",\"digest\":"
		"\"sha256:" HEX "\",\"size\":2},\"layers\":[]}";
	struct image image;
	struct error e;

	assert_int_equal(image_parse(&image, manifest, strlen(manifest), "{}", 2, &e), -1);
	assert_int_equal(e.kind, ERROR_CORRUPT);
}

/* CONFIG's text to an image without layers in the store. */
static void put(const char *config, struct image *image)
{
	struct error e;

	image_init(image);
	image->config = json_loads(config, 0, NULL);
	assert_non_null(image->config);
	assert_int_equal(image_put(store, image, &e), 0);
}

static void unknown_keys_stay_and_their_order_does_not_count(void **state)
{
	struct image a, b, got;
	struct error e;

	put("{\"future\":{\"x\":[1,2.5]},\"os\":\"linux\",\"config\":{\"ArgsEscaped\":true}}", &a);
	put("{\"os\":\"linux\",\"config\":{\"ArgsEscaped\":true},\"future\":{\"x\":[1,2.5]}}", &b);
	assert_true(digest_equal(&a.id, &b.id));
	assert_true(digest_equal(&a.manifest, &b.manifest));
	assert_int_equal(image_get(store, &a.manifest, &got, &e), 0);
	assert_true(digest_equal(&a.id, &got.id));
	assert_true(json_equal(json_object_get(a.config, "future"),
	                       json_object_get(got.config, "future")));
	image_release(&a);
	image_release(&b);
	image_release(&got);
}

static void layers_come_back_in_their_order_the_same_one_twice(void **state)
{
	struct image image, got;
	struct error e;

	image_init(&image);
	image.config = json_object();
	image.layers = calloc(3, sizeof *image.layers);
	image.layer_count = 3;
	for (size_t i = 0; i < 3; i++) {
		image.layers[i].blob.byte[0] = image.layers[i].diff_id.byte[0] = i == 1 ? 7 : 9;
		image.layers[i].blob_size = 512;
	}
	image.layers[2].blob.byte[0] = 11; /* the same tar in another compression (H141) */
	image.layers[2].compression = COMPRESSION_ZSTD;
	assert_int_equal(image_put(store, &image, &e), 0);
	assert_int_equal(image_get(store, &image.manifest, &got, &e), 0);
	assert_int_equal(got.layer_count, 3);
	for (size_t i = 0; i < 3; i++) {
		assert_true(digest_equal(&got.layers[i].diff_id, &image.layers[i].diff_id));
		assert_true(digest_equal(&got.layers[i].blob, &image.layers[i].blob));
		assert_int_equal(got.layers[i].compression, image.layers[i].compression);
	}
	image_release(&image);
	image_release(&got);
}

static void an_image_that_loses_its_name_stays_without_one(void **state)
{
	struct image a, b;
	struct image_name *names, got;
	size_t count;
	struct error e;

	put("{\"os\":\"linux\",\"author\":\"a\"}", &a);
	put("{\"os\":\"linux\",\"author\":\"b\"}", &b);
	assert_int_equal(image_name_set(store, "docker.io/library/x:1", &a, &e), 0);
	assert_int_equal(image_name_set(store, "docker.io/library/x:1", &b, &e), 0);
	assert_int_equal(image_name_get(store, "docker.io/library/x:1", &got, &e), 0);
	assert_true(digest_equal(&got.id, &b.id));
	image_name_release(&got);

	assert_int_equal(image_names(store, &names, &count, &e), 0);
	assert_int_equal(count, 2);
	assert_string_equal(names[0].name, "");
	assert_true(digest_equal(&names[0].id, &a.id));
	assert_string_equal(names[1].name, "docker.io/library/x:1");
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(image_name_remove(store, &names[i], &e), 0);
		image_name_release(&names[i]);
	}
	free(names);
	assert_int_equal(image_name_get(store, "docker.io/library/x:1", &got, &e), -1);
	assert_string_equal(e.text, "No such image: docker.io/library/x:1");
	assert_int_equal(e.kind, ERROR_NOT_FOUND);
	image_release(&a);
	image_release(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_config_with_one_layer_is_read),
		cmocka_unit_test(an_image_of_no_layers_is_an_image),
		cmocka_unit_test(each_wrong_field_is_named),
		cmocka_unit_test(numbers_are_exact),
		cmocka_unit_test(another_config_than_the_manifest_names_is_corrupt),
		cmocka_unit_test(unknown_keys_stay_and_their_order_does_not_count),
		cmocka_unit_test(layers_come_back_in_their_order_the_same_one_twice),
		cmocka_unit_test(an_image_that_loses_its_name_stays_without_one),
	};

	return cmocka_run_group_tests(tests, make_store, remove_store);
}
