#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "builder/copy/git.h"
#include "layers/scope.h"

static const char *const schemes[] = { "https://", "http://", "ssh://", "git://" };

static const char *scheme_of(const char *text)
{
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++)
		if (strncasecmp(text, schemes[i], strlen(schemes[i])) == 0)
			return schemes[i];
	return NULL;
}

/* user@host:path, as ssh takes it. */
static bool is_scp_style(const char *text)
{
	size_t user = strcspn(text, "@:/"), host;

	if (user == 0 || text[user] != '@')
		return false;
	host = strcspn(text + user + 1, ":/@");
	return host > 0 && text[user + 1 + host] == ':' && text[user + 2 + host];
}

bool git_is_place(const char *text)
{
	const char *scheme = scheme_of(text);
	size_t size = strcspn(text, "#?");

	if (!scheme)
		return is_scp_style(text);
	return scheme[0] != 'h' || (size > 4 && strncmp(text + size - 4, ".git", 4) == 0);
}

void git_place_release(struct git_place *p)
{
	free(p->remote);
	free(p->ref);
	free(p->subdir);
	free(p->checksum);
	*p = (struct git_place){ 0 };
}

/* Nothing that git could take for an option, a refspec or two words. */
static int check_word(const char *word, const char *what, struct error *e)
{
	if (word[0] == '-')
		return error_set(e, ERROR_INPUT, "git %s \"%s\" begins with a dash", what, word);
	for (const char *p = word; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127 || strchr("\\^~:*?[", *p))
			return error_set(e, ERROR_INPUT, "git %s \"%s\" is not allowed", what,
			                 word);
	return 0;
}

static int set_once(char **where, const char *prefix, const char *value, const char *what,
                    struct error *e)
{
	if (*where)
		return error_set(e, ERROR_INPUT, "two values for the %s of a git repository", what);
	if (asprintf(where, "%s%s", prefix, value) < 0) {
		*where = NULL;
		return error_memory(e);
	}
	return 0;
}

static bool is_true(const char *value)
{
	return !*value || strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0;
}

static int take_query(struct git_place *p, const char *name, const char *value, struct error *e)
{
	static const struct {
		const char *name, *prefix;
	} refs[] = { { "ref", "" }, { "tag", "refs/tags/" }, { "branch", "refs/heads/" } };

	for (size_t i = 0; i < sizeof refs / sizeof *refs; i++)
		if (strcmp(name, refs[i].name) == 0)
			return set_once(&p->ref, refs[i].prefix, value, "ref", e);
	if (strcmp(name, "subdir") == 0)
		return set_once(&p->subdir, "", value, "subdir", e);
	if (strcmp(name, "checksum") == 0 || strcmp(name, "commit") == 0)
		return set_once(&p->checksum, "", value, "checksum", e);
	if (strcmp(name, "keep-git-dir") == 0)
		p->keep_dir = is_true(value);
	else if (strcmp(name, "submodules") == 0)
		p->no_submodules = !is_true(value);
	else if (strcmp(name, "fetch-by-commit") == 0)
		p->by_commit = is_true(value);
	else if (strcmp(name, "mtime") != 0) /* times in layers are no checkout's anyway */
		return error_set(e, ERROR_INPUT, "unexpected query \"%s\" of a git repository",
		                 name);
	return 0;
}

static int take_queries(struct git_place *p, char *queries, struct error *e)
{
	for (char *query; (query = strsep(&queries, "&"));) {
		char *value = strchr(query, '=');

		if (value)
			*value++ = '\0';
		if (*query && take_query(p, query, value ? value : "", e) < 0)
			return -1;
	}
	return 0;
}

static int check_remote(const char *remote, struct error *e)
{
	const char *scheme = scheme_of(remote);
	const char *host = scheme ? remote + strlen(scheme) : remote;
	const char *at = strchr(host, '@'), *slash = strchr(host, '/');

	if (at && (!slash || at < slash))
		host = at + 1;
	if (host[0] == '-' || remote[0] == '-' || !*host)
		return error_set(e, ERROR_INPUT, "\"%s\" names no host", remote);
	for (const char *p = remote; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 127)
			return error_set(e, ERROR_INPUT, "\"%s\" is no address of a repository",
			                 remote);
	return 0;
}

/* Each part of a subdirectory is a name. */
static int check_subdir(const char *subdir, struct error *e)
{
	for (const char *p = subdir; *p; p += strspn(p, "/")) {
		size_t length = strcspn(p, "/");

		if ((length == 2 && p[0] == '.' && p[1] == '.') ||
		    (length == 4 && memcmp(p, ".git", 4) == 0))
			return error_set(e, ERROR_INPUT, "git subdir \"%s\" is not allowed",
			                 subdir);
		p += length;
	}
	return 0;
}

static int check_place(const struct git_place *p, struct error *e)
{
	size_t digits = p->checksum ? strspn(p->checksum, "0123456789abcdef") : 1;

	if (check_remote(p->remote, e) < 0 || (p->ref && check_word(p->ref, "ref", e) < 0) ||
	    (p->subdir && check_subdir(p->subdir, e) < 0))
		return -1;
	if (digits == 0 || digits >= GIT_COMMIT || (p->checksum && p->checksum[digits]))
		return error_set(e, ERROR_INPUT, "git checksum \"%s\" is no commit", p->checksum);
	if (p->by_commit && (!p->checksum || (digits != 40 && digits != 64)))
		return error_set(e, ERROR_INPUT, "fetch-by-commit needs all digits of a commit");
	return 0;
}

int git_place_parse(const char *text, struct git_place *p, struct error *e)
{
	auto_free char *copy = strdup(text);
	char *fragment = copy ? strchr(copy, '#') : NULL, *queries, *subdir;

	*p = (struct git_place){ .keep_dir = -1 };
	if (!copy)
		return error_memory(e);
	if (fragment)
		*fragment++ = '\0';
	queries = strchr(copy, '?');
	if (queries)
		*queries++ = '\0';
	p->remote = strdup(copy);
	if (!p->remote)
		return error_memory(e);
	subdir = fragment ? strchr(fragment, ':') : NULL;
	if (subdir)
		*subdir++ = '\0';
	if (fragment && *fragment && set_once(&p->ref, "", fragment, "ref", e) < 0)
		return -1;
	if (subdir && *subdir && set_once(&p->subdir, "", subdir, "subdir", e) < 0)
		return -1;
	if (queries && take_queries(p, queries, e) < 0)
		return -1;
	return check_place(p, e);
}
