#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "builder/command/human.h"
#include "builder/command/listing.h"
#include "builder/command/template.h"
#include "layers/scope.h"

static const char document[] =
	"{\"Id\":\"sha256:0123456789abcdef\",\"RepoTags\":[\"a:1\",\"b:2\"],\"Size\":1234,"
	"\"Config\":{\"Env\":[\"A=1\"],\"Labels\":{\"x.y\":\"z\",\"b\":\"c\"},\"Tty\":false,\"User\":null},"
	"\"Empty\":[]}";

static char *written(const char *template, struct error *e)
{
	json_t *value = json_loads(document, 0, NULL);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int result = template_write(template, value, f, e);

	fclose(f);
	json_decref(value);
	if (result == 0)
		return text;
	free(text);
	return NULL;
}

static void templates_print_as_go_does(void **state)
{
	static const struct {
		const char *template, *wanted;
	} cases[] = {
		{ "plain", "plain" },
		{ "{{.Size}}, {{ .Config.Tty }}", "1234, false" },
		{ "{{.RepoTags}} {{.Config.Labels}} {{.Config.User}}", "[a:1 b:2] map[b:c x.y:z] <nil>" },
		{ "{{.Config.Nothing.Deep}}", "<no value>" },
		{ "{{json .Config.Env}} {{.RepoTags | json}}", "[\"A=1\"] [\"a:1\",\"b:2\"]" },
		{ "{{index .Config.Labels \"x.y\"}} {{index .RepoTags 1}}", "z b:2" },
		{ "{{join .RepoTags \", \"}} {{len .RepoTags}} {{slice .Id 7 11}}", "a:1, b:2 2 0123" },
		{ "{{.Id | upper | lower}}", "sha256:0123456789abcdef" },
		{ "{{range .RepoTags}}<{{.}}>{{end}}", "<a:1><b:2>" },
		{ "{{range .Config.Labels}}{{println .}}{{end}}", "z\nc\n" },
		{ "{{range .Empty}}x{{else}}none{{end}}", "none" },
		{ "{{if .Config.Tty}}yes{{else}}no{{end}}{{if .Size}}!{{end}}", "no!" },
		{ "{{if .Size}}{{range .RepoTags}}{{if .}}{{.}} {{end}}{{end}}{{end}}", "a:1 b:2 " },
		{ "a  {{- .Size -}}  b", "a1234b" },
		{ "{{with", NULL },
	};

	for (size_t i = 0; cases[i].wanted; i++) {
		struct error e = { .text = "" };
		auto_free char *text = written(cases[i].template, &e);

		if (!text || strcmp(text, cases[i].wanted) != 0)
			fail_msg("%s: \"%s\" %s", cases[i].template, text ? text : "", e.text);
	}
}

static void what_is_not_understood_is_said(void **state)
{
	static const struct {
		const char *template, *wanted;
	} cases[] = {
		{ "{{.Size", "template parsing error: unclosed action" },
		{ "{{frobnicate .Size}}", "template parsing error: function \"frobnicate\" not defined" },
		{ "{{}}", "template parsing error: missing value for command" },
		{ "{{.Size .Id}}", "template parsing error: missing value for command" },
		{ "{{range .RepoTags}}x", "template parsing error: unexpected EOF" },
		{ "{{if .Size}}x", "template parsing error: unexpected EOF" },
		{ "x{{end}}", "template parsing error: unexpected {{end}}" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct error e;

		assert_null(written(cases[i].template, &e));
		assert_string_equal(e.text, cases[i].wanted);
	}
}

static void columns_are_as_wide_as_docker_makes_them(void **state)
{
	json_t *rows = json_loads("[{\"A\":\"x\",\"B\":\"y\"},{\"A\":\"longer than ten\",\"B\":\"z\"}]", 0, NULL);
	json_t *headings = json_loads("{\"A\":\"FIRST\",\"B\":\"SECOND\"}", 0, NULL);
	auto_free char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct error e;

	assert_int_equal(listing_print(rows, headings, NULL, "table {{.A}}\t{{.B}}", f, &e), 0);
	assert_int_equal(listing_print(rows, headings, "{{.A}}\\t{{.B}}", "", f, &e), 0);
	assert_int_equal(listing_print(rows, headings, "json", "", f, &e), 0);
	assert_int_equal(listing_print(rows, headings, "table {{.B}}\\t{{.B}}", "", f, &e), 0);
	fclose(f);
	assert_string_equal(text, "FIRST             SECOND\n"
	                          "x                 y\n"
	                          "longer than ten   z\n"
	                          "x\ty\n"
	                          "longer than ten\tz\n"
	                          "{\"A\":\"x\",\"B\":\"y\"}\n"
	                          "{\"A\":\"longer than ten\",\"B\":\"z\"}\n"
	                          "SECOND    SECOND\n"
	                          "y         y\n"
	                          "z         z\n");
	json_decref(rows);
	json_decref(headings);
}

static void sizes_and_times_are_worded_as_docker_does(void **state)
{
	char text[HUMAN_TEXT];

	assert_string_equal(human_size(0, text), "0B");
	assert_string_equal(human_size(999, text), "999B");
	assert_string_equal(human_size(1500, text), "1.5kB");
	assert_string_equal(human_size(77812345, text), "77.8MB");
	assert_string_equal(human_size(999900, text), "1000kB");
	assert_string_equal(human_duration(0, text), "Less than a second");
	assert_string_equal(human_duration(61, text), "About a minute");
	assert_string_equal(human_duration(7200, text), "2 hours");
	assert_string_equal(human_duration(3 * 86400, text), "3 days");
	assert_string_equal(human_duration(800 * 86400LL, text), "2 years");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(templates_print_as_go_does),
		cmocka_unit_test(what_is_not_understood_is_said),
		cmocka_unit_test(columns_are_as_wide_as_docker_makes_them),
		cmocka_unit_test(sizes_and_times_are_worded_as_docker_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
