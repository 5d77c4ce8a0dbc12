/* The progress, rendered to a file in memory and compared to the letter; times are blotted out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ctype.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "builder/progress/progress.h"

static int paper(void)
{
	int fd = memfd_create("paper", MFD_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* What was written to FD, with "0.123" and "0.1s" as "T". */
static char *reading(int fd)
{
	off_t size = lseek(fd, 0, SEEK_END);
	char *text = calloc(1, (size_t)size + 1), *to = text;

	assert_int_equal(pread(fd, text, (size_t)size, 0), size);
	close(fd);
	for (const char *at = text; *at;) {
		size_t digits = strspn(at, "0123456789");

		if (digits && (at == text || at[-1] == ' ') && at[digits] == '.' &&
		    isdigit((unsigned char)at[digits + 1])) {
			size_t more = strspn(at + digits + 1, "0123456789");
			const char *end = at + digits + 1 + more;

			if (*end == 's' || (*end == ' ' && more == 3)) {
				*to++ = 'T';
				at = end + (*end == 's');
				continue;
			}
		}
		*to++ = *at++;
	}
	*to = '\0';
	return text;
}

static void written(int fd, const char *expected)
{
	char *text = reading(fd);

	assert_string_equal(text, expected);
	free(text);
}

static struct progress *on(int fd, enum progress_mode mode)
{
	struct error e;
	struct progress *p = progress_new(mode, fd, &e);

	assert_non_null(p);
	return p;
}

static void say(struct vertex *v, const char *text)
{
	vertex_output(v, 1, text, strlen(text));
}

static void a_step_is_shown_as_buildkit_shows_it(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_AUTO);
	struct vertex *a = progress_vertex(p, "[1/2] RUN make");
	struct vertex *b = progress_vertex(p, "[2/2] COPY a b");

	(void)state;
	vertex_start(a);
	say(a, "one\ntwo\n");
	vertex_done(a);
	vertex_start(b);
	vertex_cached(b);
	progress_free(p, true);
	written(fd, "#1 [1/2] RUN make\n#1 T one\n#1 T two\n#1 DONE T\n\n"
	            "#2 [2/2] COPY a b\n#2 CACHED\n");
}

static void numbers_follow_the_order_of_starting(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *a = progress_vertex(p, "a"), *b = progress_vertex(p, "b");

	(void)state;
	vertex_cached(b);
	vertex_cached(a);
	progress_free(p, true);
	written(fd, "#1 b\n#1 CACHED\n\n#2 a\n#2 CACHED\n");
}

static void the_end_of_an_unfinished_line_is_shown(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "v");

	(void)state;
	say(v, "half");
	say(v, " a line");
	vertex_output(v, 2, "and more", 8);
	vertex_failed(v, "exit code: 1");
	progress_free(p, false);
	written(fd, "#1 v\n#1 T half a line\n#1 T and more\n#1 ERROR: exit code: 1\n");
}

static void of_a_progress_bar_the_last_state_is_shown(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "v");

	(void)state;
	say(v, "10%\r20%\r");
	say(v, "100%\r\nnext\r\r\n\r\n");
	vertex_done(v);
	progress_free(p, true);
	written(fd, "#1 v\n#1 T 100%\n#1 T next\n#1 T \n#1 DONE T\n");
}

static void control_characters_do_not_reach_the_terminal(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "RUN \033]0;title\a");

	(void)state;
	say(v, "\033[31mred\033[0m \033]8;;http://x\033\\ \xc2\x9b \xff tab\t\xc3\xa9\n");
	vertex_failed(v, "two\nlines\033[2J");
	progress_free(p, false);
	written(fd, "#1 RUN \\x1b]0;title\\x07\n"
	            "#1 T red \\x1b]8;;http://x\\x1b\\ \\xc2\\x9b \\xff tab\t\xc3\xa9\n"
	            "#1 ERROR: two\\nlines\\x1b[2J\n");
}

static void secrets_are_hidden_wherever_lines_were_cut(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct mask mask = { 0 };
	struct vertex *v;
	struct error e;

	assert_int_equal(mask_add(&mask, "s3cr3t-t0ken", 12, &e), 0);
	progress_hide(p, &mask);
	v = progress_vertex(p, "echo s3cr3t-t0ken");
	say(v, "token s3cr3t");
	say(v, "-t0ken\ns3cr3t-\n");
	vertex_note(v, "s3cr3t-t0ken");
	vertex_failed(v, "no s3cr3t-t0ken");
	progress_warn(p, "s3cr3t-t0ken!");
	progress_free(p, false);
	mask_release(&mask);
	written(fd, "#1 echo ***\n#1 T token ***\n#1 T s3cr3t-\n#1 ***\n#1 ERROR: no ***\n"
	            "WARNING: ***!\n");
}

static void parallel_steps_do_not_mix(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *a = progress_vertex(p, "a"), *b = progress_vertex(p, "b");

	(void)state;
	vertex_start(a);
	vertex_start(b);
	say(a, "a1\n");
	say(b, "b1\n");
	say(a, "a2\n");
	vertex_done(a);
	say(b, "b2\n");
	vertex_done(b);
	progress_free(p, true);
	written(fd, "#1 a\n#1 T a1\n#1 T a2\n#1 DONE T\n\n#2 b\n#2 T b1\n#2 T b2\n#2 DONE T\n");
}

static void who_ends_beside_another_is_shown_at_once(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *a = progress_vertex(p, "a"), *b = progress_vertex(p, "b");

	(void)state;
	vertex_start(a);
	vertex_start(b);
	say(b, "b1\n");
	vertex_cancelled(b);
	say(a, "a1\n");
	vertex_done(a);
	progress_free(p, true);
	written(fd, "#1 a\n#1 ...\n\n#2 b\n#2 T b1\n#2 CANCELED\n\n#1 a\n#1 T a1\n#1 DONE T\n");
}

static void a_log_is_clipped_but_its_tail_is_kept(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "v");
	char *text, *tail, line[1000];

	(void)state;
	memset(line, 'x', sizeof line);
	line[sizeof line - 1] = '\n';
	for (int i = 0; i < 3000; i++)
		vertex_output(v, 1, line, sizeof line);
	say(v, "the last words\n");
	vertex_failed(v, "exit code: 1");
	tail = vertex_tail(v, 1);
	assert_non_null(strstr(tail, " the last words\n"));
	free(tail);
	progress_free(p, false);
	text = reading(fd);
	assert_in_range(strlen(text), 2 << 20, (2 << 20) + (2 << 15));
	assert_non_null(strstr(text, "[output clipped, log limit 2MiB reached]\n#1 ERROR"));
	assert_null(strstr(text, "last words"));
	free(text);
}

static void a_line_without_end_is_shown_in_pieces(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "v");
	char *piece = malloc(40000), *text;
	size_t lines = 0;

	(void)state;
	memset(piece, 'y', 40000);
	vertex_output(v, 1, piece, 40000);
	vertex_done(v);
	progress_free(p, true);
	text = reading(fd);
	for (const char *at = text; *at; at++)
		lines += *at == '\n';
	assert_int_equal(lines, 1 + 3 + 1);
	free(text);
	free(piece);
}

static void bytes_are_told_when_they_are_all_there(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "v");

	(void)state;
	vertex_bytes(v, "sha256:ab", 10, 3000000);
	vertex_bytes(v, "sha256:ab", 3000000, 3000000);
	vertex_bytes(v, "sha256:ab", 3000000, 3000000);
	vertex_done(v);
	progress_free(p, true);
	written(fd, "#1 v\n#1 sha256:ab 3.00MB / 3.00MB T done\n#1 DONE T\n");
}

static void notes_and_warnings_have_their_lines(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_PLAIN);
	struct vertex *v = progress_vertex(p, "v");

	(void)state;
	progress_warn(p, "no overlay here");
	vertex_note(v, "src/a.py changed");
	vertex_done(v);
	progress_free(p, true);
	written(fd, "WARNING: no overlay here\n#1 v\n#1 src/a.py changed\n#1 DONE T\n");
}

static void quiet_says_nothing_and_keeps_the_tail(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_QUIET);
	struct vertex *v = progress_vertex(p, "v");
	char *tail;

	(void)state;
	say(v, "why\n");
	vertex_failed(v, "exit code: 1");
	tail = vertex_tail(v, 10);
	assert_non_null(strstr(tail, " why\n"));
	free(tail);
	progress_free(p, false);
	written(fd, "");
}

static void json_lines_have_buildkits_keys(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_RAWJSON);
	struct vertex *v = progress_vertex(p, "say \"a\\b\"");
	char *text;

	(void)state;
	say(v, "hello\n");
	vertex_done(v);
	progress_free(p, true);
	text = reading(fd);
	assert_non_null(strstr(text, "{\"vertexes\":[{\"digest\":\"sha256:"));
	assert_non_null(strstr(text, "\"name\":\"say \\\"a\\\\b\\\"\",\"started\":\""));
	assert_non_null(strstr(text, "\"stream\":1,\"data\":\"aGVsbG8K\",\"timestamp\":\""));
	assert_non_null(strstr(text, "\"completed\":\""));
	free(text);
}

static void a_terminal_gets_a_final_picture(void **state)
{
	int fd = paper();
	struct progress *p = on(fd, PROGRESS_TTY);
	struct vertex *v = progress_vertex(p, "RUN x");
	char *text;

	(void)state;
	vertex_done(v);
	progress_free(p, true);
	text = reading(fd);
	assert_non_null(strstr(text, "[+] Building T (1/1) FINISHED\033[K\n => RUN x "));
	free(text);
}

static void a_reader_that_went_away_does_no_harm(void **state)
{
	int ends[2];
	struct progress *p;
	struct vertex *v;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	p = on(ends[1], PROGRESS_PLAIN);
	v = progress_vertex(p, "v");
	say(v, "into the void\n");
	vertex_done(v);
	progress_free(p, true);
	close(ends[1]);
}

static void *count_lines(void *fd)
{
	FILE *f = fdopen(*(int *)fd, "r");
	intptr_t lines = 0;
	int c;

	while ((c = getc(f)) != EOF)
		lines += c == '\n';
	fclose(f);
	return (void *)lines;
}

/* H290. */
static void a_terminal_that_somebody_made_non_blocking_gets_it_all(void **state)
{
	struct progress *p;
	struct vertex *v;
	pthread_t reader;
	void *lines;
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_true(fcntl(ends[1], F_SETPIPE_SZ, 4096) > 0);
	assert_int_equal(fcntl(ends[1], F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(pthread_create(&reader, NULL, count_lines, &ends[0]), 0);
	p = on(ends[1], PROGRESS_PLAIN);
	v = progress_vertex(p, "v");
	for (int i = 0; i < 9999; i++)
		say(v, "x\n");
	vertex_done(v);
	progress_free(p, true);
	close(ends[1]);
	pthread_join(reader, &lines);
	/* And its name and its end. */
	assert_int_equal((intptr_t)lines, 9999 + 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_step_is_shown_as_buildkit_shows_it),
		cmocka_unit_test(numbers_follow_the_order_of_starting),
		cmocka_unit_test(the_end_of_an_unfinished_line_is_shown),
		cmocka_unit_test(of_a_progress_bar_the_last_state_is_shown),
		cmocka_unit_test(control_characters_do_not_reach_the_terminal),
		cmocka_unit_test(secrets_are_hidden_wherever_lines_were_cut),
		cmocka_unit_test(parallel_steps_do_not_mix),
		cmocka_unit_test(who_ends_beside_another_is_shown_at_once),
		cmocka_unit_test(a_log_is_clipped_but_its_tail_is_kept),
		cmocka_unit_test(a_line_without_end_is_shown_in_pieces),
		cmocka_unit_test(bytes_are_told_when_they_are_all_there),
		cmocka_unit_test(notes_and_warnings_have_their_lines),
		cmocka_unit_test(quiet_says_nothing_and_keeps_the_tail),
		cmocka_unit_test(json_lines_have_buildkits_keys),
		cmocka_unit_test(a_terminal_gets_a_final_picture),
		cmocka_unit_test(a_reader_that_went_away_does_no_harm),
		cmocka_unit_test(a_terminal_that_somebody_made_non_blocking_gets_it_all),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
