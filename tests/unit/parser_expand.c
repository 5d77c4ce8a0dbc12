/* Words and their values, compared to the letter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "parser/expand.h"

static const char *const variables[][2] = {
	{ "PWD", "/home" },
	{ "SHELL", "bash" },
	{ "NULL", "" },
	{ "KOREAN", "한국어" },
	{ "größe", "XL" },
	{ "SPACES", " a  b " },
	{ "PORTS", "80 443/udp" },
	{ "QUOTED", "'$PWD' \\\"x\\\"" },
	{ "FILE", "pkg-1.2.tar.gz" },
	{ "LIB", "/usr/local/lib/libz.so.1.2" },
	{ "SIGNS", "a+b*c?d" },
	{ "GLOB", ".*" },
	{ "BYTES", "a\xff\xfe" "b" },
	{ "LINES", "one\ntwo" },
};

static const char *lookup(void *names, const char *name)
{
	int *misses = names;

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		if (strcmp(variables[i][0], name) == 0)
			return variables[i][1];
	}
	*misses += 1;
	return NULL;
}

struct row {
	const char *word, *value;       /* value: of the error, after "!" */
};

static void check_rows(const struct row *rows, size_t count, char escape,
                       char *(*with)(const char *, const struct expansion *,
                                     struct syntax_error *))
{
	for (size_t i = 0; i < count; i++) {
		int misses = 0;
		struct expansion how = { lookup, &misses, escape };
		struct syntax_error e = { 0 };
		char *value = with(rows[i].word, &how, &e);
		char told[600];

		if (value)
			snprintf(told, sizeof told, "%s", value);
		else
			snprintf(told, sizeof told, "!%s",
				 strstr(e.text, "\": ") ? strstr(e.text, "\": ") + 3 : "");
		if (strcmp(told, rows[i].value) != 0)
			print_message("of the word: %s\n", rows[i].word);
		assert_string_equal(told, rows[i].value);
		free(value);
	}
}

#define CHECK(rows) check_rows(rows, sizeof(rows) / sizeof *(rows), '\\', expand)

static void names_end_where_they_should(void **state)
{
	static const struct row rows[] = {
		{"hello", "hello"},
		{"", ""},
		{"$PWD", "/home"},
		{"$PWD.", "/home."},
		{"$PWDx", ""},
		{"${PWD}x", "/homex"},
		{"$pwd", ""},
		{"x$", "x$"},
		{"$.", "$."},
		{"$$", ""},
		{"$1x", "x"},
		{"$999aaa", "aaa"},
		{"$@@@", "@@"},
		{"${@:-b}", "b"},
		{"${-:+b}c", "c"},
		{"$größe", "XL"},
		{"$PWD…", "/home…"},
		{"안녕$KOREAN", "안녕한국어"},
		{"$PWD-$SHELL", "/home-bash"},
		{"${aaa}}", "}"},
		{"$_f-x", "-x"},
		{"$(PWD)", "$(PWD)"},
	};

	CHECK(rows);
}

static void quotes_and_escapes_are_removed(void **state)
{
	static const struct row rows[] = {
		{"he'll'o", "hello"},
		{"he\\'llo", "he'llo"},
		{"abc\\tdef", "abctdef"},
		{"\"abc\\tdef\"", "abc\\tdef"},
		{"\"abc\\\\tdef\"", "abc\\tdef"},
		{"'abc\\tdef'", "abc\\tdef"},
		{"hello\\", "hello"},
		{"hello\\\\", "hello\\"},
		{"\"hel'lo\"", "hel'lo"},
		{"'hello\\'", "hello\\"},
		{"\"''\"", "''"},
		{"\\$PWD", "$PWD"},
		{"\"\\$PWD\"", "$PWD"},
		{"'\\$PWD'", "\\$PWD"},
		{"'$PWD'", "$PWD"},
		{"\"'$PWD'\"", "'/home'"},
		{"\\${}", "${}"},
		{"a\"$PWD\"'$PWD'", "a/home$PWD"},
		{"\"a\\", "!unexpected end of statement while "
			  "looking for matching double-quote"},
	};

	CHECK(rows);
}

static void the_escape_can_be_a_backtick(void **state)
{
	static const struct row rows[] = {
		{"C:\\tools\\", "C:\\tools\\"},
		{"`$PWD", "$PWD"},
		{"\"say `\"hi`\"\"", "say \"hi\""},
		{"\\$PWD", "\\/home"},
		{"${x:-`}}", "}"},
	};

	check_rows(rows, sizeof rows / sizeof *rows, '`', expand);
}

static void modifiers_choose(void **state)
{
	static const struct row rows[] = {
		{"${X:-w}", "w"},
		{"${X-w}", "w"},
		{"${NULL:-w}", "w"},
		{"${NULL-w}", ""},
		{"${PWD:-w}", "/home"},
		{"${X:+w}", ""},
		{"${NULL:+w}", ""},
		{"${NULL+w}", "w"},
		{"${PWD:+w}", "w"},
		{"${PWD:?w}", "/home"},
		{"${NULL?w}", ""},
		{"${X:?w}", "!X: w"},
		{"${X?}", "!X: is not allowed to be unset"},
		{"${X:?}", "!X: is not allowed to be unset"},
		{"${NULL:?}", "!NULL: is not allowed to be empty"},
		{"${X?need $SHELL}", "!X: need bash"},
		{"${X:-}", ""},
		{"<${X:+gone}>", "<>"},
		{"${X:+a}b", "b"},
	};

	CHECK(rows);
}

static void inner_words_nest_and_are_unquoted(void **state)
{
	static const struct row rows[] = {
		{"${X:-${Y:-${PWD}}}", "/home"},
		{"${X:-'$PWD'}", "$PWD"},
		{"${X:-\"$PWD b\"}}", "/home b}"},
		{"${X:-\\}}", "}"},
		{"\"${X:-${Y:-in quotes}}\"", "in quotes"},
		{"${PWD:+${PWD}:}xx", "/home:xx"},
		{"${X:-\\${PWD}z}xx", "${PWDz}xx"},
		{"${X:-a:b-c}", "a:b-c"},
		{"${aaa:-bbb}}", "bbb}"},
		{"${X:-${PWD:+yes}${X:+no}}", "yes"},
	};

	CHECK(rows);
}

static void what_comes_out_is_final(void **state)
{
	static const struct row rows[] = {
		{ "$QUOTED", "'$PWD' \\\"x\\\"" }, { "\"<$QUOTED>\"", "<'$PWD' \\\"x\\\">" },
		{ "${X:-$QUOTED}", "'$PWD' \\\"x\\\"" }, { "$BYTES", "a\xff\xfe" "b" },
	};

	CHECK(rows);
}

static void trimming_takes_shortest_or_longest(void **state)
{
	static const struct row rows[] = {
		{"${LIB#*/}", "usr/local/lib/libz.so.1.2"},
		{"${LIB##*/}", "libz.so.1.2"},
		{"${LIB#usr}", "/usr/local/lib/libz.so.1.2"},
		{"${LIB#?usr?}", "local/lib/libz.so.1.2"},
		{"${LIB##*}", ""},
		{"${X#x}", ""},
		{"${LIB#}", "/usr/local/lib/libz.so.1.2"},
		{"${LIB%.*}", "/usr/local/lib/libz.so.1"},
		{"${LIB%%.*}", "/usr/local/lib/libz"},
		{"${LIB%/*}", "/usr/local/lib"},
		{"${LIB%%/*}", ""},
		{"${LIB%.?}", "/usr/local/lib/libz.so.1"},
		{"${SIGNS#a+}", "b*c?d"},
		{"${SIGNS#*\\*}", "c?d"},
		{"${SIGNS##*\\?}", "d"},
		{"${SIGNS%\\**}", "a+b"},
		{"${SIGNS%\\??}", "a+b*c"},
		{"${LIB%1?3}", "/usr/local/lib/libz.so.1.2"},
		{"${FILE#$X}", "pkg-1.2.tar.gz"},
		{"${FILE%%$GLOB}", "pkg-1"},
		{"${FILE%$GLOB}", "pkg-1.2.tar"},
		{"${KOREAN#?}", "국어"},
		{"${KOREAN%?}", "한국"},
		{"${BYTES#a?}", "\xfe"
				"b"},
		{"${PWD#\\/}", "home"},
		{"${SHELL#*s*h}", ""},
		{"${SHELL%\"s\"*}", "ba"},
		{"${SHELL#\\x}", "!invalid pattern (\\x) in substitution: invalid escape"},
		{"${LINES#*w}", "o"},
	};

	CHECK(rows);
}

static void replacing_takes_first_or_all(void **state)
{
	static const struct row rows[] = {
		{"${LIB/lib/X}", "/usr/local/X/libz.so.1.2"},
		{"${LIB//lib/X}", "/usr/local/X/Xz.so.1.2"},
		{"${LIB//\\//-}", "-usr-local-lib-libz.so.1.2"},
		{"${LIB//\\//\\/}", "\\/usr\\/local\\/lib\\/libz.so.1.2"},
		{"${SHELL/a/}", "bsh"},
		{"${SHELL///w}", "wbwawswhw"},
		{"${SHELL/$NULL/w}", "wbash"},
		{"${SHELL//*/w}", "w"},
		{"${SHELL//?/ab}", "abababab"},
		{"${SHELL/b*s/<$PWD>}", "</home>h"},
		{"${X//a/b}", ""},
		{"${NULL//*/b}", "b"},
		{"${SHELL/zz/b}", "bash"},
		{"${LIB/l*l/X}", "/usr/Xibz.so.1.2"},
		{"${KOREAN/국/x}", "한x어"},
		{"${SHELL/a}", "!syntax error: missing '/' in ${}"},
		{"${SHELL//a}", "!syntax error: missing '/' in ${}"},
		{"${SHELL/a/b", "!syntax error: missing '}'"},
		{"${SHELL//a*z/b}${SHELL//s*/b}", "bashbab"},
	};

	CHECK(rows);
}

static void what_is_shown_keeps_quotes_and_what_has_no_value(void **state)
{
	static const char *const rows[][2] = {
		{"a \"$SHELL\" '$SHELL'", "a \"bash\" '$SHELL'"},
		{"\\$SHELL $X ${X} ${SHELL}", "\\$SHELL $X ${X} bash"},
		{"${X:-$SHELL} ${SHELL:-w} ${SHELL:+w}", "${X:-bash} bash w"},
		{"${X#a} ${X/a/b} ${SHELL#b}", "${X#a} ${X/a/b} ash"},
	};
	int misses = 0;
	struct expansion how = { lookup, &misses, '\\' };

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char *shown = expand_shown(rows[i][0], &how, NULL);

		assert_string_equal(shown, rows[i][1]);
		free(shown);
	}
	assert_null(expand_shown("it's $SHELL", &how, NULL));
}

static void mistakes_are_named(void **state)
{
	static const struct row rows[] = {
		{"${}", "!syntax error: bad substitution"},
		{"${:}", "!syntax error: bad substitution"},
		{"${{a}", "!syntax error: bad substitution"},
		{"${:-b}", "!syntax error: bad substitution"},
		{"${PWD", "!syntax error: missing '}'"},
		{"${", "!syntax error: missing '}'"},
		{"${PWD:", "!syntax error: missing '}'"},
		{"${X:-b ${Y}", "!syntax error: missing '}'"},
		{"${X:-'b}", "!syntax error: missing '}'"},
		{"${PWD:=w}", "!unsupported modifier (:=) in substitution"},
		{"${PWD=w}", "!unsupported modifier (=) in substitution"},
		{"${PWD:#w}", "!unsupported modifier (:#) in substitution"},
		{"${PWD,,}", "!unsupported modifier (,) in substitution"},
		{"${PWD^^}", "!unsupported modifier (^) in substitution"},
		{"${PWD:0:2}", "!unsupported modifier (:0) in substitution"},
		{"${PWD@Q}", "!unsupported modifier (@) in substitution"},
		{"${PWD:}", "!unsupported modifier (:}) in substitution"},
		{"${PWD:ü}", "!unsupported modifier (:ü) in substitution"},
		{"'x", "!unexpected end of statement while looking for matching single-quote"},
		{"\"x", "!unexpected end of statement while looking for matching double-quote"},
	};

	CHECK(rows);
}

static void the_message_quotes_the_word_and_its_place(void **state)
{
	int misses = 0;
	struct expansion how = { lookup, &misses, '\\' };
	struct syntax_error e;

	assert_null(expand("/srv/${VERSION:?pass\ta number}", &how, &e));
	assert_string_equal(e.text, "failed to process \"/srv/${VERSION:?pass?a number}\": "
	                            "VERSION: pass?a number");
	assert_int_equal(e.column, 6);
	assert_null(expand("a${B:-'c'${D}\"${E:?}\"}", &how, &e));
	assert_int_equal(e.column, 15);
	assert_null(expand("ab${B:-'c'${D}", &how, &e));
	assert_int_equal(e.column, 3);
	assert_null(expand("ab'c'\"$D", &how, &e));
	assert_int_equal(e.column, 6);
	assert_true(misses > 1);
}

static void the_lookup_hears_of_every_unset_name(void **state)
{
	int misses = 0;
	struct expansion how = { lookup, &misses, '\\' };
	struct syntax_error e;
	char *value = expand("$A${B}${C:-$D}${E#x}${F/x/y}${PWD:-$G}'$H'\\$I", &how, &e);

	assert_string_equal(value, "/home$H$I");
	assert_int_equal(misses, 7);
	free(value);
}

static void bodies_keep_quotes_and_lose_every_escape(void **state)
{
	static const struct row rows[] = {
		{"a\\tb \\\\ \\\" 'c\\d'\nend\\\nof line\n", "atb \\ \" 'cd'\nend\nof line\n"},
		{"'$PWD' \"$PWD\"", "'/home' \"/home\""},
		{"\\$PWD", "$PWD"},
		{"it's", "it's"},
		{"${X:-'a'}", "'a'"},
	};

	check_rows(rows, sizeof rows / sizeof *rows, '\\', expand_document);
}

static void check_words(const char *text, const char *joined)
{
	int misses = 0;
	struct expansion how = { lookup, &misses, '\\' };
	struct syntax_error e;
	size_t count, n = 0;
	char **words = expand_words(text, &how, &count, &e), told[200] = "";

	assert_non_null(words);
	for (; words[n]; n++) {
		strcat(told, words[n]);
		strcat(told, "|");
	}
	assert_int_equal(n, count);
	assert_string_equal(told, joined);
	free(words);
}

static void blanks_outside_quotes_separate_words(void **state)
{
	check_words("$PORTS 90", "80|443/udp|90|");
	check_words("7${X}0${X} $X", "70|");
	check_words("a${SPACES}b", "a|a|b|b|");
	check_words("a\"$SPACES\"b", "a a  b b|");
	check_words("hello\\ there 'x y'z", "hello there|x yz|");
	check_words("", "");
	check_words("  ", "");
	check_words("''", "");
	check_words("a${X:-b c}d", "ab|cd|");
	check_words("a\xc2\xa0" "b", "a|b|");
}

/* H296 */
static void growth_has_an_end(void **state)
{
	size_t size = EXPANSION_GROWTH_MAX / 4;
	char *big = malloc(size + 1);
	struct syntax_error e;
	int misses = 0;
	struct expansion how = { lookup, &misses, '\\' };
	char *word;

	memset(big, 'x', size);
	big[size] = '\0';
	word = malloc(size + 100);
	strcpy(word, big);
	free(expand(word, &how, &e));
	memset(word, 0, size + 100);
	for (size_t i = 0; i + 4 < size; i += 4)
		memcpy(word + i, "$LIB", 4);
	assert_null(expand(word, &how, &e));
	assert_non_null(strstr(e.text, "the value is too long: it grows by more than 1 MiB"));
	strcpy(word, "${LIB///");
	memset(word + 8, 'y', size / 2);
	strcpy(word + 8 + size / 2, "}");
	assert_null(expand(word, &how, &e));
	assert_non_null(strstr(e.text, "the value is too long: it grows by more than 1 MiB"));
	free(word);
	free(big);
}

/* H296 */
static void nesting_has_an_end(void **state)
{
	enum { DEPTH = 100000 };
	char *word = malloc(6 * DEPTH + 1), *p = word;
	struct syntax_error e;
	int misses = 0;
	struct expansion how = { lookup, &misses, '\\' };

	for (int i = 0; i < DEPTH; i++)
		p = stpcpy(p, "${a:-");
	for (int i = 0; i < DEPTH; i++)
		p = stpcpy(p, "}");
	assert_null(expand(word, &how, &e));
	assert_non_null(strstr(e.text, "expansions are nested too deeply"));
	free(word);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_end_where_they_should),
		cmocka_unit_test(quotes_and_escapes_are_removed),
		cmocka_unit_test(the_escape_can_be_a_backtick),
		cmocka_unit_test(modifiers_choose),
		cmocka_unit_test(inner_words_nest_and_are_unquoted),
		cmocka_unit_test(what_comes_out_is_final),
		cmocka_unit_test(trimming_takes_shortest_or_longest),
		cmocka_unit_test(replacing_takes_first_or_all),
		cmocka_unit_test(what_is_shown_keeps_quotes_and_what_has_no_value),
		cmocka_unit_test(mistakes_are_named),
		cmocka_unit_test(the_message_quotes_the_word_and_its_place),
		cmocka_unit_test(the_lookup_hears_of_every_unset_name),
		cmocka_unit_test(bodies_keep_quotes_and_lose_every_escape),
		cmocka_unit_test(blanks_outside_quotes_separate_words),
		cmocka_unit_test(growth_has_an_end),
		cmocka_unit_test(nesting_has_an_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
