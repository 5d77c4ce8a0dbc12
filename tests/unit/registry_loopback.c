/* The question whether a tag has moved, to a registry of one answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <arpa/inet.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "registry/loopback.h"

#define DIGEST "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct listener {
	int fd, port;
	const char *answer;
	char question[2048];
	pthread_t thread;
};

static void *answer_once(void *argument)
{
	struct listener *l = argument;
	int fd = accept(l->fd, NULL, NULL);
	ssize_t n = read(fd, l->question, sizeof l->question - 1);

	l->question[n > 0 ? n : 0] = '\0';
	if (write(fd, l->answer, strlen(l->answer)) < 0)
		l->question[0] = '\0';
	close(fd);
	return NULL;
}

static void listen_with(struct listener *l, const char *answer)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof a;

	memset(l, 0, sizeof *l);
	l->answer = answer;
	l->fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(bind(l->fd, (struct sockaddr *)&a, size), 0);
	assert_int_equal(getsockname(l->fd, (struct sockaddr *)&a, &size), 0);
	assert_int_equal(listen(l->fd, 1), 0);
	l->port = ntohs(a.sin_port);
	assert_int_equal(pthread_create(&l->thread, NULL, answer_once, l), 0);
}

/* What comes of ANSWER. */
static int ask(const char *answer, struct digest *d, char question[static 2048])
{
	struct listener l;
	struct reference r;
	struct error e;
	char name[64];
	int result;

	listen_with(&l, answer);
	snprintf(name, sizeof name, "localhost:%d/a/b:1.0", l.port);
	assert_int_equal(reference_parse(name, &r, &e), 0);
	result = loopback_tag_digest(&r, d);
	pthread_join(l.thread, NULL);
	close(l.fd);
	memcpy(question, l.question, sizeof l.question);
	return result;
}

static void a_digest_is_read_from_the_headers(void **state)
{
	char question[2048], text[DIGEST_TEXT];
	struct digest d;

	(void)state;
	assert_int_equal(ask("HTTP/1.1 200 OK\r\nContent-Length: 7\r\ndocker-content-digest:  " DIGEST
	                     "\r\nX: y\r\n\r\n", &d, question), 1);
	assert_string_equal(digest_format(&d, text), DIGEST);
	assert_ptr_equal(strstr(question, "HEAD /v2/a/b/manifests/1.0 HTTP/1.1\r\n"), question);
	assert_non_null(strstr(question, "\r\nHost: localhost:"));
}

static void any_other_answer_is_none(void **state)
{
	static const char *const answers[] = {
		"HTTP/1.1 404 Not Found\r\nDocker-Content-Digest: " DIGEST "\r\n\r\n",
		"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"x\"\r\n\r\n",
		"HTTP/1.1 200 OK\r\n\r\n",
		"HTTP/1.1 200 OK\r\nDocker-Content-Digest: sha256:12\r\n\r\n",
		"HTTP/1.1 200 OK\r\nDocker-Content-Digest: " DIGEST "\r\n",
		"\x15\x03\x01",
		"",
	};
	char question[2048];
	struct digest d;

	(void)state;
	for (size_t i = 0; i < sizeof answers / sizeof *answers; i++)
		assert_int_equal(ask(answers[i], &d, question), 0);
}

static void nobody_else_is_asked(void **state)
{
	static const char *const names[] = { "docker.io/library/a:1", "localhost/a:1",
		                             "localhost:1/a:1", "localhost.example:5000/a:1",
		                             "10.0.0.1:5000/a:1" };
	struct reference r;
	struct digest d;
	struct error e;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		assert_int_equal(reference_parse(names[i], &r, &e), 0);
		assert_int_equal(loopback_tag_digest(&r, &d), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_digest_is_read_from_the_headers),
		cmocka_unit_test(any_other_answer_is_none),
		cmocka_unit_test(nobody_else_is_asked),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
