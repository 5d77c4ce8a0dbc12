#include "builder/copy/git.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "builder/interrupt.h"
#include "layers/path.h"
#include "layers/scope.h"
#include "registry/base64.h"

/* Refs of the largest repositories fit ten times over. */
#define OUTPUT_MAX (32 << 20)
#define ERROR_SHOWN 600
#define WAIT_MS 200
#define ARGUMENTS_MAX 32

/* --- the environment of git ------------------------------------------------------------------- */

static const char *const fixed[] = {
	"GIT_TERMINAL_PROMPT=0",
	"GIT_CONFIG_NOSYSTEM=1",
	"GIT_CONFIG_GLOBAL=/dev/null",
	"GIT_ALLOW_PROTOCOL=https:http:ssh:git",
	"GIT_SSH_COMMAND=ssh -oBatchMode=yes",
	"GIT_LFS_SKIP_SMUDGE=1",
	"LC_ALL=C",
};
#define FIXED (sizeof fixed / sizeof *fixed)

/* The Authorization header that a secret asks for, for P's host only, as a setting of git; "" when
 * there is no secret. */
static int find_authorization(const struct git_place *p, const struct git_access *a, char **key,
                              char **value, struct error *e)
{
	static const struct {
		const char *id;
		bool is_token;
	} kinds[] = { { "GIT_AUTH_HEADER", false }, { "GIT_AUTH_TOKEN", true } };
	const char *scheme = strstr(p->remote, "://"), *host = scheme ? scheme + 3 : p->remote;
	int size = (int)strcspn(host, "/");

	*key = *value = NULL;
	for (size_t i = 0; a && a->secret && strncmp(p->remote, "http", 4) == 0 && i < 2; i++) {
		auto_free char *id = NULL, *pair = NULL, *encoded = NULL;
		const char *secret;

		if (asprintf(&id, "%s.%.*s", kinds[i].id, size, host) < 0)
			return error_memory(e);
		secret = a->secret(a->context, id);
		if (!secret)
			secret = a->secret(a->context, kinds[i].id);
		if (!secret)
			continue;
		if (asprintf(&pair, "%s%.*s", kinds[i].is_token ? "x-access-token:" : "",
		             (int)strcspn(secret, "\r\n"), secret) < 0)
			return error_memory(e);
		encoded = kinds[i].is_token ? base64_encode(pair, strlen(pair)) : strdup(pair);
		if (!encoded || asprintf(key, "GIT_CONFIG_KEY_0=http.%.*s/.extraheader",
		                         (int)(host + size - p->remote), p->remote) < 0 ||
		    asprintf(value, "GIT_CONFIG_VALUE_0=Authorization: %s%s",
		             kinds[i].is_token ? "basic " : "", encoded) < 0)
			return error_memory(e);
		return 0;
	}
	return 0;
}

/* Ours without what steers git, and what keeps it on its way; the array is the caller's. */
static const char **environment(const char *key, const char *value)
{
	size_t count = 0, kept = 0;
	const char **env;

	while (environ[count])
		count++;
	env = calloc(count + FIXED + 4, sizeof *env);
	if (!env)
		return NULL;
	for (size_t i = 0; i < count; i++)
		if (strncmp(environ[i], "GIT_", 4) != 0 && strncmp(environ[i], "LC_ALL=", 7) != 0)
			env[kept++] = environ[i];
	for (size_t i = 0; i < FIXED; i++)
		env[kept++] = fixed[i];
	if (key) {
		env[kept++] = "GIT_CONFIG_COUNT=1";
		env[kept++] = key;
		env[kept++] = value;
	}
	return env;
}

/* --- running it ------------------------------------------------------------------------------- */

struct output {
	int fd;
	char *text;
	size_t size;
};

/* What there is to read now; false at the end. */
static bool drain(struct output *o)
{
	char part[4096];
	ssize_t n = read(o->fd, part, sizeof part);
	char *grown;

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	if (o->size + (size_t)n > OUTPUT_MAX)
		return false;
	grown = realloc(o->text, o->size + (size_t)n + 1);
	if (!grown)
		return false;
	memcpy(grown + o->size, part, (size_t)n);
	o->text = grown;
	o->size += (size_t)n;
	o->text[o->size] = '\0';
	return true;
}

/* Read both until they end; an interrupt ends the process group. */
static void collect(pid_t pid, struct output output[2])
{
	bool open[2] = { true, true };

	while (open[0] || open[1]) {
		struct pollfd wait[2] = {
			{ .fd = open[0] ? output[0].fd : -1, .events = POLLIN },
			{ .fd = open[1] ? output[1].fd : -1, .events = POLLIN },
		};

		if (interrupted)
			kill(-pid, SIGKILL);
		if (poll(wait, 2, WAIT_MS) <= 0)
			continue;
		for (int i = 0; i < 2; i++)
			if (open[i] && wait[i].revents)
				open[i] = drain(&output[i]);
	}
}

/* Start ARGV in DIR (-1: anywhere) with the ends of the pipes OUT and ERR as its own. */
static int start(const char *const *argv, const char *const *env, int dir, int out, int err,
                 pid_t *pid)
{
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	sigset_t none;
	int number;

	sigemptyset(&none);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&actions, out, 1);
	posix_spawn_file_actions_adddup2(&actions, err, 2);
	if (dir >= 0)
		posix_spawn_file_actions_addfchdir_np(&actions, dir);
	number = posix_spawnp(pid, argv[0], &actions, &attributes, (char *const *)argv,
	                      (char *const *)env);
	posix_spawn_file_actions_destroy(&actions);
	posix_spawnattr_destroy(&attributes);
	return number;
}

static int judge(int status, const struct output *err, const char *command, struct error *e)
{
	size_t skip = err->size > ERROR_SHOWN ? err->size - ERROR_SHOWN : 0,
	       size = err->size - skip;

	while (size > 0 && err->text[skip + size - 1] == '\n')
		size--;
	if (interrupted)
		return error_set(e, ERROR_CANCELLED, "git %s was interrupted", command);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return error_set(e, ERROR_UNSUPPORTED,
		                 "git is not installed, which repositories need");
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	return error_set(e, ERROR_NETWORK, "git %s: %.*s", command, (int)size,
	                 err->text ? err->text + skip : "failed");
}

/* git ARGUMENTS (NULL at the end) in DIR; what it prints in *TEXT (may be NULL), the caller's. */
static int run(const struct git_place *p, const struct git_access *a, int dir,
               const char *const *arguments, char **text, struct error *e)
{
	/* Whoever checks out sets the modes; settings of ours come before those of the repository.
	 */
	const char *argv[ARGUMENTS_MAX] = {
		"sh",
		"-c",
		"umask 022; exec git \"$@\"",
		"git",
		"-c",
		"core.hooksPath=/dev/null",
		"-c",
		"core.fsmonitor=false",
		"-c",
		"core.symlinks=true",
		"-c",
		"protocol.file.allow=never",
		"-c",
		"core.logAllRefUpdates=false", /* who built, where and when is not for images */
		"-c",
		"pack.threads=1",
	};
	auto_free char *key = NULL, *value = NULL;
	int out[2] = { -1, -1 }, err[2] = { -1, -1 }, status = 0, number = 0, result = -1;
	struct output output[2] = { 0 };
	const char **env;
	size_t count = 16;
	pid_t pid;

	for (size_t i = 0; arguments[i] && count < ARGUMENTS_MAX - 1; i++)
		argv[count++] = arguments[i];
	if (find_authorization(p, a, &key, &value, e) < 0)
		return -1;
	env = environment(key, value);
	if (!env)
		return error_memory(e);
	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0)
		number = errno;
	else
		number = start(argv, env, dir, out[1], err[1], &pid);
	close(out[1]);
	close(err[1]);
	if (number == 0) {
		output[0].fd = out[0];
		output[1].fd = err[0];
		collect(pid, output);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			continue;
		result = judge(status, &output[1], arguments[0], e);
	} else {
		errno = number;
		error_errno(e, "start git");
	}
	close(out[0]);
	close(err[0]);
	free(env);
	free(output[1].text);
	if (result == 0 && text)
		*text = output[0].text ? output[0].text : strdup("");
	else
		free(output[0].text);
	return result;
}

/* --- what a ref is ---------------------------------------------------------------------------- */

static bool is_commit(const char *text)
{
	size_t digits = strspn(text, "0123456789abcdef");

	return (digits == 40 || digits == 64) && !text[digits];
}

/* The commit in the line of TEXT ("COMMIT\tNAME\n"...) whose name is PREFIX, REF, SUFFIX. */
static bool find_ref(const char *text, const char *prefix, const char *ref, const char *suffix,
                     char commit[static GIT_COMMIT])
{
	auto_free char *name = NULL;

	if (asprintf(&name, "%s%s%s", prefix, ref, suffix) < 0)
		return false;
	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		size_t digits = strcspn(line, "\t\n"), size = strcspn(line, "\n");

		if (line[digits] != '\t' || digits >= GIT_COMMIT ||
		    size - digits - 1 != strlen(name) ||
		    strncmp(line + digits + 1, name, strlen(name)) != 0)
			continue;
		memcpy(commit, line, digits);
		commit[digits] = '\0';
		return is_commit(commit);
	}
	return false;
}

static int check_commit(const struct git_place *p, const char *commit, struct error *e)
{
	if (!p->checksum || strncmp(commit, p->checksum, strlen(p->checksum)) == 0)
		return 0;
	return error_set(e, ERROR_CORRUPT, "expected checksum to match %s, got %s", p->checksum,
	                 commit);
}

int git_resolve(const struct git_place *p, const struct git_access *access,
                char commit[static GIT_COMMIT], struct error *e)
{
	static const struct {
		const char *prefix, *suffix;
	} forms[] = { { "", "^{}" }, { "", "" }, { "refs/tags/", "^{}" }, { "refs/tags/", "" },
		      { "refs/heads/", "" } };
	const char *ref = p->by_commit ? p->checksum : p->ref ? p->ref : "HEAD";
	auto_free char *text = NULL;

	if (is_commit(ref)) {
		strcpy(commit, ref);
		return check_commit(p, commit, e);
	}
	if (run(p, access, -1, (const char *[]){ "ls-remote", "--", p->remote, NULL }, &text, e) <
	    0)
		return -1;
	for (size_t i = 0; text && i < sizeof forms / sizeof *forms; i++)
		if (find_ref(text, forms[i].prefix, ref, forms[i].suffix, commit))
			return check_commit(p, commit, e);
	return error_set(e, ERROR_NOT_FOUND, "repository %s does not contain ref %s", p->remote,
	                 ref);
}

/* --- its files -------------------------------------------------------------------------------- */

/* The commit, with as little history as the remote can do with. */
static int fetch(const struct git_place *p, const struct git_access *a, int dir,
                 const char *commit, struct error *e)
{
	const char *ref = p->ref ? p->ref : "HEAD";
	const char *const *ways[] = {
		(const char *[]){ "fetch", "-q", "--depth=1", "--no-tags", "--", p->remote, commit,
		                  NULL },
		(const char *[]){ "fetch", "-q", "--depth=1", "--", p->remote, ref, NULL },
		(const char *[]){ "fetch", "-q", "--tags", "--", p->remote,
		                  "+refs/heads/*:refs/remotes/origin/*", NULL },
	};
	auto_free char *object = NULL;

	if (asprintf(&object, "%s^{commit}", commit) < 0)
		return error_memory(e);
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		if (run(p, a, dir, ways[i], NULL, e) < 0 && interrupted)
			return -1;
		if (run(p, a, dir, (const char *[]){ "cat-file", "-e", object, NULL }, NULL,
		        &(struct error){ 0 }) == 0)
			return 0;
	}
	return -1;
}

static int read_time(const struct git_place *p, int dir, const char *commit, int64_t *seconds,
                     struct error *e)
{
	auto_free char *text = NULL;

	if (run(p, NULL, dir, (const char *[]){ "show", "-s", "--format=%ct", commit, "--", NULL },
	        &text, e) < 0)
		return -1;
	*seconds = text ? strtoll(text, NULL, 10) : -1;
	return 0;
}

/* Make .git depend on the commit only: the index has no times and inodes, and objects are packed as
 * one thread here does it, not as the remote sent them. */
static int settle(const struct git_place *p, const struct git_access *a, int dir, struct error *e)
{
	static const char in_submodules[] = "git read-tree HEAD && git repack -adfqn";

	if (run(p, a, dir, (const char *[]){ "read-tree", "HEAD", NULL }, NULL, e) < 0 ||
	    run(p, a, dir, (const char *[]){ "repack", "-adfqn", NULL }, NULL, e) < 0)
		return -1;
	if (p->no_submodules)
		return 0;
	return run(p, a, dir, (const char *[]){ "submodule", "-q", "foreach", "--recursive",
	                                        in_submodules, NULL }, NULL, e);
}

static int populate(const struct git_place *p, const struct git_access *a, int dir,
                    const char *commit, int64_t *committed, struct error *e)
{
	if (run(p, a, dir, (const char *[]){ "init", "-q", "--template=", ".", NULL }, NULL, e) <
	            0 ||
	    run(p, a, dir, (const char *[]){ "remote", "add", "origin", p->remote, NULL }, NULL,
	        e) < 0 ||
	    fetch(p, a, dir, commit, e) < 0 ||
	    run(p, a, dir, (const char *[]){ "checkout", "-q", "--detach", commit, "--", NULL },
	        NULL, e) < 0 ||
	    (committed && read_time(p, dir, commit, committed, e) < 0))
		return -1;
	if (!p->no_submodules && path_is_there(dir, ".gitmodules") &&
	    run(p, a, dir, (const char *[]){ "submodule", "-q", "update", "--init", "--recursive",
	                                     "--depth=1", NULL }, NULL, e) < 0)
		return -1;
	if (p->keep_dir > 0 && !p->subdir)
		return settle(p, a, dir, e);
	return path_remove(dir, ".git", e);
}

/* The descriptor of P's subdirectory; each part of it must be a folder and no link (H027). */
static int open_subdir(const struct git_place *p, int dir, struct error *e)
{
	int at = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	auto_free char *copy = strdup(p->subdir ? p->subdir : "");
	char *rest = copy;

	for (char *part; at >= 0 && rest && (part = strsep(&rest, "/"));) {
		int next;

		if (!*part || strcmp(part, ".") == 0)
			continue;
		next = openat(at, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		close(at);
		at = next;
	}
	return at < 0 ? error_errno(e, "git subdir %s", p->subdir) : at;
}

static char *path_of(int fd, struct error *e)
{
	char link[32], path[PATH_MAX];
	ssize_t size;

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	size = readlink(link, path, sizeof path);
	if (size < 0 || size == sizeof path) {
		error_errno(e, "the files of the repository");
		return NULL;
	}
	return strndup(path, (size_t)size);
}

char *git_checkout(struct store *s, const struct git_place *p, const struct git_access *access,
                   const char *commit, struct store_temp *folder, int64_t *committed,
                   struct error *e)
{
	auto_close int dir = store_temp_dir(s, folder, e), subdir = -1;
	char *path = NULL;

	if (dir < 0)
		return NULL;
	if (populate(p, access, dir, commit, committed, e) == 0)
		subdir = open_subdir(p, dir, e);
	if (subdir >= 0)
		path = path_of(subdir, e);
	if (!path)
		store_discard(folder);
	return path;
}
