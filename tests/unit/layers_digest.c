#include "layers_fixture.h"

#include "layers/digest.h"

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static void a_digest_is_read_as_it_was_written(void **state)
{
	char text[DIGEST_TEXT], hex[DIGEST_HEX + 1];
	struct digest d, again;
	struct error e;

	(void)state;
	digest_of("", 0, &d);
	assert_string_equal(digest_format(&d, text), "sha256:" EMPTY);
	assert_string_equal(digest_hex(&d, hex), EMPTY);
	assert_int_equal(digest_parse(text, &again, &e), 0);
	assert_true(digest_equal(&d, &again));
	assert_false(digest_is_zero(&d));
}

static void what_is_no_digest_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "sha256:", EMPTY, "sha256:" EMPTY "0", "SHA256:" EMPTY, "sha256:../../../../etc/passwd",
		"sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"sha256: 3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", "sha512:00",
	};
	struct digest d;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(digest_parse(bad[i], &d, &e), -1);
	assert_int_equal(e.kind, ERROR_UNSUPPORTED);
}

static void zeros_are_hashed_as_if_they_were_there(void **state)
{
	enum { SIZE = 300000 };
	char *zeros = calloc(1, SIZE);
	struct sha256 s;
	struct digest one, two;

	(void)state;
	digest_of(zeros, SIZE, &one);
	sha256_begin(&s);
	sha256_add_zeros(&s, SIZE);
	sha256_end(&s, &two);
	assert_true(digest_equal(&one, &two));
	free(zeros);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_digest_is_read_as_it_was_written),
		cmocka_unit_test(what_is_no_digest_is_refused),
		cmocka_unit_test(zeros_are_hashed_as_if_they_were_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
