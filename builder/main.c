/* cairn: arguments, signals, exit status. Decides nothing: a command is a row. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "builder/command/command.h"
#include "builder/interrupt.h"
#include "builder/memory.h"
#include "builder/safe_text.h"
#include "layers/scope.h"
#include "parser/suggest.h"

/* A name of two words is a member of a group. Without help: another spelling of one above. */
static const struct command {
	const char *name;
	command_fn *run;
	const char *help;
} commands[] = {
	{ "build", command_build, "Build an image from a Dockerfile" },
	{ "pull", command_pull, "Download an image from a registry" },
	{ "push", command_push, "Upload an image to a registry" },
	{ "images", command_images, "List the images of this machine" },
	{ "inspect", command_inspect, "Show what is known of images" },
	{ "history", command_history, "Show how an image was made" },
	{ "tag", command_tag, "Give an image another name" },
	{ "rmi", command_rmi, "Remove images" },
	{ "save", command_save, "Write images to a tar" },
	{ "load", command_load, "Load images from a tar or folder" },
	{ "debug", command_debug, "Enter a failed step that was kept" },
	{ "prune", command_prune, "Remove the build cache" },
	{ "fsck", command_fsck, "Look for damage in the store" },
	{ "context ls", command_context_ls, "Show what a build would see of a folder" },
	{ "login", command_login, "Log in to a registry" },
	{ "logout", command_logout, "Log out from a registry" },
	{ "version", command_version, "Show the version of cairn" },

	{ "image build", command_build, NULL },
	{ "image pull", command_pull, NULL },
	{ "image push", command_push, NULL },
	{ "image ls", command_images, NULL },
	{ "image list", command_images, NULL },
	{ "image inspect", command_inspect, NULL },
	{ "image history", command_history, NULL },
	{ "image tag", command_tag, NULL },
	{ "image rm", command_rmi, NULL },
	{ "image remove", command_rmi, NULL },
	{ "image save", command_save, NULL },
	{ "image load", command_load, NULL },
	{ "image prune", command_image_prune, NULL },
	{ "builder build", command_build, NULL },
	{ "builder prune", command_prune, NULL },
	{ "buildx prune", command_prune, NULL },
	{ "buildx build", command_build, NULL },
	{ "buildx version", command_version, NULL },
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

/* Whoever started us may have closed descriptors 0 to 2; the first file opened would become the
 * standard output and get whatever is printed (H208). */
static void open_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
			_exit(1);
}

/* Inherited dispositions and masks are other people's: SIGCHLD ignored loses the status of
 * children (H225). What nohup and shells ignore on purpose stays ignored. */
static void reset_signals(void)
{
	sigset_t none;

	for (int number = 1; number < NSIG; number++)
		if (number != SIGHUP && number != SIGINT && number != SIGQUIT)
			signal(number, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Tables, layers and transfers hold files open; the soft limit of 1024 is there for select(2). */
static void raise_file_limit(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		setrlimit(RLIMIT_NOFILE, &files);
	}
}

static void print_error(const struct error *e)
{
	const char *line = e->text;

	fputs("ERROR: ", stderr);
	for (;;) {
		size_t size = strcspn(line, "\n");

		safe_text(stderr, line, size);
		fputc('\n', stderr);
		if (!line[size])
			return;
		line += size + 1;
	}
}

static void print_help(FILE *out)
{
	fputs("Usage:  cairn [--root DIR] COMMAND\n\n"
	      "Turns Dockerfiles into OCI images, without a daemon.\n\nCommands:\n",
	      out);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (commands[i].help)
			fprintf(out, "  %-12s %s\n", commands[i].name, commands[i].help);
	fputs("\nOptions:\n"
	      "      --root DIR   Where images and caches are kept (default $CAIRN_ROOT, else\n"
	      "                   /var/lib/cairn for root and ~/.local/share/cairn for others)\n"
	      "      --version    Show the version\n\n"
	      "Examples:\n"
	      "  cairn build -t example.org/app:1.0 .   A folder with a Dockerfile to an image\n"
	      "  cairn build --check .                  What the Dockerfile could do better\n"
	      "  cairn push example.org/app:1.0         The image to its registry\n\n"
	      "Run 'cairn COMMAND --help' for more about a command.\n",
	      out);
}

/* How many of WORDS name a command; the row is *FOUND. Two words are looked for first. */
static int find_command(int count, char **words, const struct command **found)
{
	for (int used = count < 2 ? count : 2; used > 0; used--) {
		for (size_t i = 0; i < COMMAND_COUNT; i++) {
			const char *name = commands[i].name, *space = strchr(name, ' ');
			size_t first = space ? (size_t)(space - name) : strlen(name);

			if (!!space == (used == 2) && strlen(words[0]) == first &&
			    strncmp(name, words[0], first) == 0 &&
			    (!space || strcmp(space + 1, words[1]) == 0)) {
				*found = &commands[i];
				return used;
			}
		}
	}
	return 0;
}

/* "cairn image" and "cairn image lss": what the group has. False when NAME is no group. */
static bool print_group(const char *name, FILE *out)
{
	size_t length = strlen(name);
	bool found = false;

	for (size_t i = 0; i < COMMAND_COUNT; i++) {
		if (strncmp(commands[i].name, name, length) != 0 || commands[i].name[length] != ' ')
			continue;
		if (!found)
			fprintf(out, "Usage:  cairn %s COMMAND\n\nCommands:\n", name);
		found = true;
		fprintf(out, "  %s\n", commands[i].name + length + 1);
	}
	return found;
}

/* Commands of docker that have to do with containers. */
static bool is_for_containers(const char *name)
{
	static const char *const names[] = { "container", "create", "exec", "kill", "logs", "ps",
		                             "rm", "run", "start", "stop" };

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return false;
}

/* GROUP is the first of two words; NULL when there is one. */
static int unknown_command(const char *group, const char *name, struct error *e)
{
	const char *names[COMMAND_COUNT], *nearest;
	size_t length = group ? strlen(group) + 1 : 0, count = 0;

	if (!group && is_for_containers(name))
		return error_set(e, ERROR_INPUT, "cairn %s: cairn builds images and runs no containers; "
		                 "'cairn save IMAGE | docker load' (or podman load) takes one to who does", name);
	for (size_t i = 0; i < COMMAND_COUNT; i++)
		if (!group || (strncmp(commands[i].name, group, length - 1) == 0 &&
		               commands[i].name[length - 1] == ' '))
			names[count++] = commands[i].name + length;
	nearest = suggestion(name, names, count);
	if (nearest)
		return error_set(e, ERROR_INPUT, "unknown command: %s (did you mean %s?)", name,
		                 nearest);
	return error_set(e, ERROR_INPUT, "unknown command: %s (see 'cairn --help')", name);
}

static int run_command(int count, char **words, struct error *e)
{
	const struct command *command;
	int used;

	if (count == 0) {
		print_help(stdout);
		return 0;
	}
	used = find_command(count, words, &command);
	if (used > 0)
		return command->run(count - used + 1, words + used - 1, e);
	if (print_group(words[0], count == 1 ? stdout : stderr))
		return count == 1 ? 0 : unknown_command(words[0], words[1], e);
	return unknown_command(NULL, words[0], e);
}

/* "cairn help image ls" is "cairn image ls --help". */
static int run_help(int count, char **words, struct error *e)
{
	auto_free char **asked = calloc((size_t)count + 2, sizeof *asked);

	if (!asked)
		return error_memory(e);
	for (int i = 0; i < count; i++)
		asked[i] = words[i];
	if (count > 0)
		asked[count++] = (char *)"--help";
	return run_command(count, asked, e);
}

static int unknown_flag(const char *word, struct error *e)
{
	static const char *const flags[] = { "--root", "--version", "--help" };
	const char *nearest = suggestion(word, flags, sizeof flags / sizeof *flags);

	if (nearest)
		return error_set(e, ERROR_INPUT, "unknown flag: %s (did you mean %s?)", word,
		                 nearest);
	return error_set(e, ERROR_INPUT, "unknown flag: %s (see 'cairn --help')", word);
}

/* The options before the command; returns how many words they are, or -1 and E. */
static int global_options(int count, char **words, struct error *e)
{
	int i = 0;

	for (; i < count && words[i][0] == '-'; i++) {
		const char *root = NULL;

		if (strncmp(words[i], "--root=", 7) == 0)
			root = words[i] + 7;
		else if (strcmp(words[i], "--root") == 0 && i + 1 < count)
			root = words[++i];
		else if (strcmp(words[i], "--root") == 0)
			return error_set(e, ERROR_INPUT, "flag needs an argument: --root");
		else
			break;
		if (!*root)
			return error_set(e, ERROR_INPUT, "--root is empty");
		if (setenv("CAIRN_ROOT", root, 1) < 0)
			return error_memory(e);
	}
	return i;
}

static int run(int count, char **words, struct error *e)
{
	int used = global_options(count, words, e);

	if (used < 0)
		return -1;
	words += used;
	count -= used;
	if (count > 0 && (strcmp(words[0], "--help") == 0 || strcmp(words[0], "-h") == 0 ||
	                  strcmp(words[0], "help") == 0))
		return run_help(count - 1, words + 1, e);
	if (count > 0 && (strcmp(words[0], "--version") == 0 || strcmp(words[0], "-v") == 0))
		return command_version(1, words, e);
	if (count > 0 && words[0][0] == '-')
		return unknown_flag(words[0], e);
	return run_command(count, words, e);
}

int main(int argc, char **argv)
{
	struct error e = { 0 };
	int status;

	memory_prepare();
	open_standard_descriptors();
	reset_signals();
	raise_file_limit();
	/* libcurl would write the keys of all connections to the file that it names (H310). While there is
	 * one thread. */
	unsetenv("SSLKEYLOGFILE");
	status = run(argc > 0 ? argc - 1 : 0, argv + 1, &e);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (status >= 0)
			error_errno(&e, "write to standard output");
		status = -1;
	}
	if (status >= 0)
		return status;
	print_error(&e);
	if (e.kind == ERROR_DAMAGED)
		fputs("What is damaged in the store is removed when it is found: build or pull again what "
		      "needs it.\n'cairn fsck --deep' looks for more.\n", stderr);
	return interrupt_status() ? interrupt_status() : 1;
}
