/* What the cases in tests/dockerfiles cannot say: sizes, times, and what a name in C is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "parser/dockerfile.h"

/* FROM, then COUNT instructions of all common kinds. */
static char *long_file(int count, size_t *size)
{
	static const char *const lines[] = {
		"RUN --mount=type=cache,target=/c make && \\\n    # comment\n    make install\n",
		"COPY --from=base src/file.c src/other.c /usr/src/project/somewhere/deep/\n",
		"ENV NAME=\"value of the variable\" OTHER=$NAME THIRD=something-else\n",
		"RUN <<EOF\nset -e\napt-get update\nEOF\n",
	};
	char *text = NULL;
	FILE *f = open_memstream(&text, size);

	fputs("FROM scratch\n", f);
	for (int i = 0; i < count; i++)
		fputs(lines[i % 4], f);
	fclose(f);
	return text;
}

static void a_hundred_thousand_instructions_are_quick(void **state)
{
	size_t size;
	char *text = long_file(100000, &size);
	clock_t start = clock();
	struct dockerfile *d = dockerfile_parse(text, size);

	/* 0.1 s, with room for sanitizers and slow machines; square time would take minutes. */
	assert_true(clock() - start < 3 * CLOCKS_PER_SEC);
	assert_int_equal(d->error_count, 0);
	assert_int_equal(d->count, 100001);
	assert_int_equal(d->instruction[100000].last_line, 1 + 100000 / 4 * 9);
	dockerfile_free(d);
	free(text);
}

static void ten_megabytes_of_nonsense_give_few_errors(void **state)
{
	size_t size = 10 << 20;
	char *text = malloc(size);
	struct dockerfile *d;

	for (size_t i = 0; i < size; i++)
		text[i] = i % 11 == 10 ? '\n' : 'a' + i % 23;
	d = dockerfile_parse(text, size);
	assert_int_equal(d->error_count, DOCKERFILE_ERRORS_MAX);
	assert_int_equal(d->unreported, size / 11 + 1 - DOCKERFILE_ERRORS_MAX);
	dockerfile_free(d);
	free(text);
}

static void a_file_beyond_the_limit_is_refused(void **state)
{
	char *text = malloc(DOCKERFILE_SIZE_MAX + 1);
	struct dockerfile *d;

	memset(text, '#', DOCKERFILE_SIZE_MAX + 1);
	d = dockerfile_parse(text, DOCKERFILE_SIZE_MAX + 1);
	assert_int_equal(d->error_count, 1);
	assert_string_equal(d->error[0].text, "the Dockerfile is larger than 16 MiB");
	dockerfile_free(d);
	free(text);
}

static void the_longest_line_is_accepted(void **state)
{
	size_t size = 13 + DOCKERFILE_LINE_MAX;
	char *text = malloc(size);
	struct dockerfile *d;

	memcpy(text, "FROM scratch\n", 13);
	memset(text + 13, 'x', DOCKERFILE_LINE_MAX);
	memcpy(text + 13, "RUN ", 4);
	d = dockerfile_parse(text, size);
	assert_int_equal(d->error_count, 0);
	assert_int_equal(strlen(d->instruction[1].run.command.text), DOCKERFILE_LINE_MAX - 4);
	dockerfile_free(d);
	free(text);
}

static void the_text_is_not_needed_afterwards(void **state)
{
	char *text = strdup("FROM scratch\nENV A=b\n");
	struct dockerfile *d = dockerfile_parse(text, strlen(text));

	memset(text, 'x', strlen(text));
	free(text);
	assert_string_equal(d->instruction[1].pairs.item[0].value, "b");
	assert_string_equal(d->instruction[1].text, "ENV A=b");
	dockerfile_free(d);
	dockerfile_free(NULL);
}

static void keywords_have_names(void **state)
{
	assert_string_equal(keyword_name(KEYWORD_ADD), "ADD");
	assert_string_equal(keyword_name(KEYWORD_ONBUILD), "ONBUILD");
	assert_string_equal(keyword_name(KEYWORD_WORKDIR), "WORKDIR");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hundred_thousand_instructions_are_quick),
		cmocka_unit_test(ten_megabytes_of_nonsense_give_few_errors),
		cmocka_unit_test(a_file_beyond_the_limit_is_refused),
		cmocka_unit_test(the_longest_line_is_accepted),
		cmocka_unit_test(the_text_is_not_needed_afterwards),
		cmocka_unit_test(keywords_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
