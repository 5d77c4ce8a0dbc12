#include "builder/command/command.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "builder/command/dockerfile_source.h"
#include "builder/command/options.h"
#include "builder/remote.h"
#include "layers/scope.h"
#include "registry/login.h"

#define PASSWORD_SIZE_MAX (64 << 10)

static const struct option_row login_rows[] = {
	{ "password", 'p', "string", "Password (seen by all users of this machine)" },
	{ "password-stdin", 0, NULL, "Take the password from standard input" },
	{ "username", 'u', "string", "Username" },
	{ NULL },
};

static const struct usage login_usage = {
	"login", "[OPTIONS] [SERVER]", "Log in to a registry; Docker Hub when none is named",
	login_rows, 0, 1
};

static const struct option_row logout_rows[] = { { NULL } };

static const struct usage logout_usage = {
	"logout", "[SERVER]", "Log out from a registry; Docker Hub when none is named", logout_rows,
	0, 1
};

/* The domain in what people paste: "https://index.docker.io/v1/". Yours to free. */
static char *server_of(const struct options *o)
{
	const char *text = o->argument_count ? o->arguments[0] : "docker.io";
	const char *scheme = strstr(text, "://");
	char *domain;

	text = scheme ? scheme + 3 : text;
	domain = strndup(text, strcspn(text, "/"));
	if (domain && (strcmp(domain, "index.docker.io") == 0 ||
	               strcmp(domain, "registry-1.docker.io") == 0)) {
		free(domain);
		domain = strdup("docker.io");
	}
	return domain;
}

/* One line of the terminal, yours to free; without its echo when HIDDEN. */
static char *ask(const char *question, bool hidden, struct error *e)
{
	struct termios before, after;
	char *line = NULL;
	size_t capacity = 0;
	ssize_t size;

	fputs(question, stderr);
	tcgetattr(STDIN_FILENO, &before);
	after = before;
	after.c_lflag &= ~(tcflag_t)ECHO;
	if (hidden)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &after);
	size = getline(&line, &capacity, stdin);
	if (hidden) {
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &before);
		fputc('\n', stderr);
	}
	if (size < 0) {
		free(line);
		error_set(e, ERROR_INPUT, "nothing was entered");
		return NULL;
	}
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static char *password_of(const struct options *o, struct error *e)
{
	const char *given = options_value(o, "password");
	char *password;
	size_t size;

	if (options_switch(o, "password-stdin", false)) {
		if (given) {
			error_set(e, ERROR_INPUT, "--password and --password-stdin are mutually exclusive");
			return NULL;
		}
		if (!options_value(o, "username")) {
			error_set(e, ERROR_INPUT, "Must provide --username with --password-stdin");
			return NULL;
		}
		password = stdin_read(PASSWORD_SIZE_MAX, &size, e);
		while (password && size > 0 && strchr("\r\n", password[size - 1]))
			password[--size] = '\0';
		return password;
	}
	if (given) {
		fputs("WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
		      stderr);
		password = strdup(given);
		if (!password)
			error_memory(e);
		return password;
	}
	if (!isatty(STDIN_FILENO)) {
		error_set(e, ERROR_INPUT, "Cannot perform an interactive login from a non TTY device");
		return NULL;
	}
	return ask("Password: ", true, e);
}

static int log_in(const struct options *o, struct auth *auth, const char *server,
                  struct error *e)
{
	const char *given = options_value(o, "username");
	auto_free char *user = NULL;
	char *password;
	int result;

	if (given)
		user = strdup(given);
	else if (isatty(STDIN_FILENO) && !options_switch(o, "password-stdin", false))
		user = ask("Username: ", false, e);
	else if (!options_switch(o, "password-stdin", false))
		return error_set(e, ERROR_INPUT,
		                 "Cannot perform an interactive login from a non TTY device");
	if (given && !user)
		return error_memory(e);
	password = !user && !options_switch(o, "password-stdin", false) ? NULL : password_of(o, e);
	if (!password)
		return -1;
	if (!*password || !user || !*user)
		result = error_set(e, ERROR_INPUT, "username and password must not be empty");
	else
		result = login(auth, server, user, password, e);
	explicit_bzero(password, strlen(password));
	free(password);
	if (result == 0)
		puts("Login Succeeded");
	return result;
}

static int log_out(const struct options *o, struct auth *auth, const char *server,
                   struct error *e)
{
	(void)o;
	printf("Removing login credentials for %s\n", server);
	if (logout(auth, server, e) < 0) {
		if (e->kind != ERROR_NOT_FOUND)
			return -1;
		printf("Not logged in to %s\n", server);
	}
	return 0;
}

static int with_registry(const struct usage *u, int argc, char **argv,
                         int (*act)(const struct options *, struct auth *, const char *,
                                    struct error *),
                         struct error *e)
{
	auto_free char *server = NULL;
	struct options o;
	struct remote remote;
	struct auth *auth;
	int result = options_parse(u, argc, argv, &o, e);

	remote_init(&remote);
	if (result == 0 && o.help) {
		options_help(u, stdout);
	} else if (result == 0) {
		server = server_of(&o);
		auth = server ? remote_auth(&remote, e) : NULL;
		result = auth ? act(&o, auth, server, e) : server ? -1 : error_memory(e);
	}
	remote_release(&remote);
	options_release(&o);
	return result;
}

int command_login(int argc, char **argv, struct error *e)
{
	return with_registry(&login_usage, argc, argv, log_in, e);
}

int command_logout(int argc, char **argv, struct error *e)
{
	return with_registry(&logout_usage, argc, argv, log_out, e);
}
