#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "layers/memory_stream.h"
#include "tests/unit/layers_fixture.h"

static void bytes_are_there_when_it_was_flushed(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

	assert_non_null(f);
	assert_string_equal(text, "");
	fputs("one", f);
	fputc('\0', f);
	assert_int_equal(fflush(f), 0);
	assert_int_equal(size, 4);
	assert_memory_equal(text, "one\0", 5);
	for (int i = 0; i < 10000; i++)
		fprintf(f, "%04d", i);
	assert_int_equal(ftello(f), 40004);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(size, 40004);
	assert_string_equal(text + 40000, "9999");
	free(text);
}

static void it_is_written_again_from_its_beginning(void **state)
{
	char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

	fputs("longer", f);
	assert_int_equal(fseeko(f, 0, SEEK_SET), 0);
	fputs("new", f);
	assert_int_equal(ftello(f), 3);
	assert_int_equal(fflush(f), 0);
	assert_memory_equal(text, "new", 3);
	fclose(f);
	free(text);
}

/* A sanitizer ends a process that has no memory. */
#ifndef __SANITIZE_ADDRESS__
static void bytes_without_memory_are_an_error_though_later_ones_would_fit(void **state)
{
	static char large[1 << 20];
	struct rlimit before, little = { 256 << 20, RLIM_INFINITY };
	char *text = NULL;
	size_t size;
	FILE *f = memory_stream_open(&text, &size);

	getrlimit(RLIMIT_AS, &before);
	little.rlim_max = before.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_AS, &little), 0);
	for (int i = 0; i < 300; i++)
		fwrite(large, sizeof large, 1, f);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	fputs("small", f);
	assert_true(ferror(f));
	assert_int_not_equal(fclose(f), 0);
	free(text);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(bytes_are_there_when_it_was_flushed),
		cmocka_unit_test(it_is_written_again_from_its_beginning),
#ifndef __SANITIZE_ADDRESS__
		cmocka_unit_test(bytes_without_memory_are_an_error_though_later_ones_would_fit),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
