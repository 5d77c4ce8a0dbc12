#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "layers/scope.h"
#include "registry/index.h"

static void names_of_architectures_are_normalised(void **state)
{
	static const struct {
		const char *text, *normal;
	} cases[] = {
		{ "linux/amd64", "linux/amd64" },     { "linux/x86_64", "linux/amd64" },
		{ "LINUX/AMD64/V1", "linux/amd64" },  { "linux/amd64/v2", "linux/amd64/v2" },
		{ "linux/aarch64", "linux/arm64" },   { "linux/arm64/v8", "linux/arm64" },
		{ "linux/arm64/8", "linux/arm64" },   { "linux/arm", "linux/arm/v7" },
		{ "linux/armhf", "linux/arm/v7" },    { "linux/armel", "linux/arm/v6" },
		{ "linux/arm/6", "linux/arm/v6" },    { "linux/i686", "linux/386" },
		{ "windows/amd64", "windows/amd64" }, { "arm64", "linux/arm64" },
		{ "macos/arm64", "darwin/arm64" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		char text[PLATFORM_TEXT];
		struct platform p;
		struct error e;

		assert_int_equal(platform_parse(cases[i].text, &p, &e), 0);
		assert_string_equal(platform_format(&p, text), cases[i].normal);
	}
}

static void what_is_no_platform_is_refused(void **state)
{
	static const char *const cases[] = { "", "/", "linux/", "/amd64", "linux//v7", "a/b/c/d",
		                             "linux/amd 64", "lin\nux/a" };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct platform p;
		struct error e;

		if (platform_parse(cases[i], &p, &e) == 0)
			fail_msg("\"%s\" was taken", cases[i]);
	}
}

static void machines_run_older_variants_and_32_bits(void **state)
{
	static const struct {
		const char *want, *have;
		int distance;
	} cases[] = {
		{ "linux/amd64", "linux/amd64", 0 },   { "linux/amd64", "linux/amd64/v2", -1 },
		{ "linux/amd64/v3", "linux/amd64", 2 },{ "linux/amd64", "linux/386", 100 },
		{ "linux/arm/v7", "linux/arm/v6", 1 }, { "linux/arm/v6", "linux/arm/v7", -1 },
		{ "linux/arm64", "linux/arm/v7", 193 },{ "linux/arm64", "linux/amd64", -1 },
		{ "linux/amd64", "windows/amd64", -1 },{ "linux/386", "linux/amd64", -1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct platform want, have;
		struct error e;

		platform_parse(cases[i].want, &want, &e);
		platform_parse(cases[i].have, &have, &e);
		if (platform_distance(&want, &have) != cases[i].distance)
			fail_msg("%s on %s: %d", cases[i].have, cases[i].want,
			         platform_distance(&want, &have));
	}
}

/* An index whose entries have these platforms; the digest of entry N begins with N. */
static json_t *index_of(const char *const *platforms)
{
	json_t *list = json_array();

	for (size_t i = 0; platforms[i]; i++) {
		char digest[DIGEST_TEXT];
		struct platform p;
		struct error e;
		struct digest d = { { (unsigned char)i } };
		json_t *entry = json_pack("{ss si}", "digest", digest_format(&d, digest), "size", 7);

		if (strcmp(platforms[i], "attestation") == 0) {
			json_object_set_new(entry, "annotations",
			                    json_pack("{ss}", "vnd.docker.reference.type", "x"));
			platform_parse("linux/amd64", &p, &e);
		} else if (platforms[i][0]) {
			platform_parse(platforms[i], &p, &e);
		}
		if (platforms[i][0])
			json_object_set_new(entry, "platform",
			                    json_pack("{ss ss ss}", "os", p.os, "architecture",
			                              p.architecture, "variant", p.variant));
		json_array_append_new(list, entry);
	}
	return json_pack("{si so}", "schemaVersion", 2, "manifests", list);
}

static void the_best_entry_is_chosen_and_the_first_of_equals(void **state)
{
	static const struct {
		const char *want;
		const char *const have[6];
		int chosen;
	} cases[] = {
		{ "linux/amd64", { "linux/arm64", "linux/amd64", "linux/amd64" }, 1 },
		{ "linux/amd64", { "attestation", "linux/amd64" }, 1 },
		{ "linux/amd64", { "linux/386", "", "linux/amd64" }, 2 },
		{ "linux/amd64", { "", "linux/386" }, 1 },
		{ "linux/amd64", { "linux/arm64", "" }, 1 },
		{ "linux/arm/v7", { "linux/arm/v5", "linux/arm/v6" }, 1 },
		{ "linux/arm64", { "linux/arm/v6", "linux/arm/v7", "linux/arm64" }, 2 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		json_t *index = index_of(cases[i].have);
		struct index_entry entry;
		struct platform want;
		struct error e;

		platform_parse(cases[i].want, &want, &e);
		assert_int_equal(index_choose(index, &want, &entry, &e), 0);
		assert_int_equal(entry.digest.byte[0], cases[i].chosen);
		assert_int_equal(entry.size, 7);
		json_decref(index);
	}
}

static void no_match_says_what_there_is(void **state)
{
	const char *have[] = { "linux/arm64", "unknown/unknown", "attestation", "linux/arm/v6", NULL };
	json_t *index = index_of(have);
	struct index_entry entry;
	struct platform want;
	struct error e;

	platform_parse("linux/amd64", &want, &e);
	assert_int_equal(index_choose(index, &want, &entry, &e), -1);
	assert_int_equal(e.kind, ERROR_NOT_FOUND);
	assert_string_equal(e.text,
	                    "no match for platform linux/amd64; it has linux/arm64, linux/arm/v6");
	json_decref(index);
}

static void entries_that_are_none_are_refused(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "{\"manifests\":7}", "manifests is not an array" },
		{ "{\"manifests\":[null]}", "manifests[0] is not an object" },
		{ "{\"manifests\":[{\"digest\":\"sha256:../../x\",\"size\":1}]}", "is not a digest" },
		{ "{\"manifests\":[{\"digest\":7,\"size\":1}]}", "is not a digest" },
		{ "{\"manifests\":[{\"size\":\"10\"}]}", "size is no size" },
		{ "{\"manifests\":[{\"size\":-1}]}", "size is no size" },
		{ "{\"manifests\":[{\"size\":1e3}]}", "size is no size" },
		{ "{\"manifests\":[]}", "it has none" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e;
		json_t *index = json_parse(cases[i].text, strlen(cases[i].text), "it", &e);
		struct index_entry entry;
		struct platform want;

		platform_host(&want);
		assert_int_equal(index_choose(index, &want, &entry, &e), -1);
		if (!strstr(e.text, cases[i].error))
			fail_msg("%s: %s", cases[i].text, e.text);
		json_decref(index);
	}
}

#define OCI "application/vnd.oci.image."

static void a_document_is_one_thing_only(void **state)
{
	static const struct {
		const char *text, *media_type;
		int is; /* 1: index, 0: manifest, -1: refused */
	} cases[] = {
		{ "{\"manifests\":[]}", OCI "index.v1+json", 1 },
		{ "{\"manifests\":[]}", "", 1 },
		{ "{\"manifests\":[]}", "application/json", 1 },
		{ "{\"layers\":[],\"config\":{}}", OCI "manifest.v1+json", 0 },
		{ "{\"layers\":[],\"mediaType\":\"" OCI "manifest.v1+json\"}", "", 0 },
		{ "{\"layers\":[],\"manifests\":[]}", OCI "manifest.v1+json", -1 },
		{ "{\"config\":{},\"manifests\":[]}", OCI "index.v1+json", -1 },
		{ "{\"manifests\":[]}", OCI "manifest.v1+json", -1 },
		{ "{\"layers\":[]}", OCI "index.v1+json", -1 },
		{ "{\"layers\":[],\"mediaType\":\"" OCI "index.v1+json\"}", "", -1 },
		{ "{\"layers\":[],\"mediaType\":\"" OCI "manifest.v1+json\"}",
		  "application/vnd.docker.distribution.manifest.v2+json", -1 },
		{ "{\"layers\":[],\"mediaType\":7}", "", -1 },
		{ "{\"fsLayers\":[],\"schemaVersion\":1}", "", -1 },
		{ "{}", OCI "manifest.v1+json", -1 },
		{ "[]", "", -1 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e;
		json_t *json = json_parse(cases[i].text, strlen(cases[i].text), "it", &e);

		if (index_or_manifest(json, cases[i].media_type, &e) != cases[i].is)
			fail_msg("%s as %s", cases[i].text, cases[i].media_type);
		json_decref(json);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_of_architectures_are_normalised),
		cmocka_unit_test(what_is_no_platform_is_refused),
		cmocka_unit_test(machines_run_older_variants_and_32_bits),
		cmocka_unit_test(the_best_entry_is_chosen_and_the_first_of_equals),
		cmocka_unit_test(no_match_says_what_there_is),
		cmocka_unit_test(entries_that_are_none_are_refused),
		cmocka_unit_test(a_document_is_one_thing_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
