#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "builder/image/output_spec.h"

static void a_word_is_a_folder_and_a_dash_is_a_tar(void **state)
{
	struct output_spec spec;
	struct error e;

	assert_int_equal(output_spec_parse("out/dir", &spec, &e), 0);
	assert_int_equal(spec.kind, OUTPUT_LOCAL);
	assert_string_equal(spec.dest, "out/dir");
	output_spec_release(&spec);
	assert_int_equal(output_spec_parse("-", &spec, &e), 0);
	assert_int_equal(spec.kind, OUTPUT_TAR);
	assert_string_equal(spec.dest, "-");
	output_spec_release(&spec);
}

static void fields_are_csv_and_the_type_may_come_last(void **state)
{
	struct output_spec spec;
	struct error e;

	assert_int_equal(output_spec_parse("\"name=a:1,b:2\",\"dest=x,\"\"y\"\".tar\",compression=zstd,"
	                                   "compression-level=19,force-compression=true,"
	                                   "oci-mediatypes=0,tar=false,name=*,source-date-epoch=7,"
	                                   "type=oci", &spec, &e), 0);
	assert_int_equal(spec.kind, OUTPUT_OCI);
	assert_int_equal(spec.name_count, 2);
	assert_string_equal(spec.name[0], "a:1");
	assert_string_equal(spec.name[1], "b:2");
	assert_true(spec.names_from_build);
	assert_string_equal(spec.dest, "x,\"y\".tar");
	assert_int_equal(spec.compression, COMPRESSION_ZSTD);
	assert_int_equal(spec.level, 19);
	assert_true(spec.force_compression);
	assert_false(spec.oci_types);
	assert_false(spec.archive);
	assert_int_equal(spec.epoch, 7);
	output_spec_release(&spec);
}

static void what_is_not_said_is_as_docker_has_it(void **state)
{
	struct output_spec spec;
	struct error e;

	assert_int_equal(output_spec_parse("type=oci", &spec, &e), 0);
	assert_string_equal(spec.dest, "-");
	assert_int_equal(spec.compression, COMPRESSION_GZIP);
	assert_int_equal(spec.level, -1);
	assert_true(spec.oci_types && spec.archive && !spec.push && !spec.force_compression);
	output_spec_release(&spec);
	assert_int_equal(output_spec_parse("type=docker", &spec, &e), 0);
	assert_null(spec.dest);
	output_spec_release(&spec);
	assert_int_equal(output_spec_parse("type=registry", &spec, &e), 0);
	assert_true(spec.push);
	output_spec_release(&spec);
}

static void annotations_have_a_level_and_perhaps_a_platform(void **state)
{
	static const struct {
		enum annotation_level level;
		const char *platform, *key, *value;
	} wanted[] = {
		{ ANNOTATE_MANIFEST, NULL, "a.b", "1" },
		{ ANNOTATE_MANIFEST_DESCRIPTOR, NULL, "c.d", "2=3" },
		{ ANNOTATE_INDEX, "linux/arm64", "e", "" },
		{ ANNOTATE_MANIFEST, NULL, "f", "x:y" },
		{ ANNOTATE_INDEX, NULL, "g", "h" },
		{ ANNOTATE_MANIFEST, "linux/amd64", "g", "h" },
	};
	struct output_spec spec;
	struct error e;

	assert_int_equal(output_spec_parse("type=image,annotation.a.b=1,"
	                                   "annotation-manifest-descriptor.c.d=2=3,"
	                                   "annotation-index[linux/arm64].e=", &spec, &e), 0);
	assert_int_equal(output_spec_annotate(&spec, "f=x:y", &e), 0);
	assert_int_equal(output_spec_annotate(&spec, "index,manifest[linux/amd64]:g=h", &e), 0);
	assert_int_equal(spec.annotation_count, sizeof wanted / sizeof *wanted);
	for (size_t i = 0; i < spec.annotation_count; i++) {
		const struct annotation *a = &spec.annotation[i];

		assert_int_equal(a->level, wanted[i].level);
		assert_string_equal(a->key, wanted[i].key);
		assert_string_equal(a->value, wanted[i].value);
		if (wanted[i].platform)
			assert_string_equal(a->platform, wanted[i].platform);
		else
			assert_null(a->platform);
	}
	output_spec_release(&spec);
}

static void what_is_wrong_is_said(void **state)
{
	static const struct {
		const char *text, *error;
	} cases[] = {
		{ "dest=x", "type is required for output" },
		{ "type=oic,dest=x", "exporter \"oic\" could not be found: use image, registry, oci, docker, "
		                     "local, tar or cacheonly" },
		{ "type=local", "dest=DIR is missing" },
		{ "type=oci,tar=false", "dest=DIR is missing" },
		{ "type=local,dest=-", "dest=-: a folder cannot go to standard output" },
		{ "type=oci,dset=x", "unknown option \"dset\"" },
		{ "type=oci,compression=bzip2",
		  "compression=bzip2: it is gzip, zstd or uncompressed" },
		{ "type=oci,compression=estargz",
		  "compression=estargz is not supported: use gzip or zstd" },
		{ "type=oci,compression-level=x", "compression-level=x: not a number" },
		{ "type=oci,tar=maybe", "tar=maybe: it is true or false" },
		{ "type=oci,\"dest=x", "a double quote is not closed, or something follows it" },
		{ "type=oci,annotation-x.a=b", "unknown annotation type \"x\"" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct output_spec spec;
		char text[512];
		struct error e;

		assert_int_equal(output_spec_parse(cases[i].text, &spec, &e), -1);
		snprintf(text, sizeof text, "--output %s: %s", cases[i].text, cases[i].error);
		assert_string_equal(e.text, text);
		output_spec_release(&spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_word_is_a_folder_and_a_dash_is_a_tar),
		cmocka_unit_test(fields_are_csv_and_the_type_may_come_last),
		cmocka_unit_test(what_is_not_said_is_as_docker_has_it),
		cmocka_unit_test(annotations_have_a_level_and_perhaps_a_platform),
		cmocka_unit_test(what_is_wrong_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
