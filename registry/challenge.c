#include "registry/challenge.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "layers/scope.h"

void challenge_release(struct challenge *c)
{
	free(c->realm);
	free(c->service);
	free(c->scope);
	memset(c, 0, sizeof *c);
}

static size_t token(const char *s)
{
	return strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~");
}

static const char *skip(const char *s, const char *what)
{
	return s + strspn(s, what);
}

/* A quoted string or the bytes up to the next comma or space; the caller frees it. */
static char *read_value(const char **at)
{
	const char *s = *at;
	char *value = malloc(strlen(s) + 1), *out = value;

	if (!value)
		return NULL;
	if (*s == '"') {
		for (s++; *s && *s != '"'; s++) {
			if (*s == '\\' && s[1])
				s++;
			*out++ = *s;
		}
		if (*s)
			s++;
	} else {
		while (*s && !strchr(", \t", *s))
			*out++ = *s++;
	}
	*out = '\0';
	*at = s;
	return value;
}

static int set_parameter(struct challenge *c, const char *name, size_t size, const char **at,
                         struct error *e)
{
	auto_free char *value = read_value(at);
	const struct {
		const char *name;
		char **place;
	} known[] = { { "realm", &c->realm }, { "service", &c->service }, { "scope", &c->scope } };

	if (!value)
		return error_memory(e);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strlen(known[i].name) == size && strncasecmp(name, known[i].name, size) == 0 &&
		    !*known[i].place)
			*known[i].place = take_pointer(&value);
	return 0;
}

static enum auth_scheme scheme_of(const char *name, size_t size)
{
	if (size == 6 && strncasecmp(name, "Bearer", size) == 0)
		return AUTH_BEARER;
	return size == 5 && strncasecmp(name, "Basic", size) == 0 ? AUTH_BASIC : AUTH_NONE;
}

/* The better of both stays in BEST; CURRENT is empty then. */
static void keep_better(struct challenge *best, struct challenge *current)
{
	if (current->scheme == AUTH_BEARER && !current->realm)
		current->scheme = AUTH_NONE;
	if (current->scheme > best->scheme) {
		challenge_release(best);
		*best = *current;
		memset(current, 0, sizeof *current);
	}
	challenge_release(current);
}

int challenge_parse(const char *value, struct challenge *c, struct error *e)
{
	struct challenge current = { 0 };
	const char *at = skip(value, ", \t");

	for (size_t size; (size = token(at)) > 0; at = skip(at, ", \t")) {
		const char *name = at, *after = skip(at + size, " \t");

		if (*after == '=' && current.scheme != AUTH_NONE) {
			at = skip(after + 1, " \t");
			if (set_parameter(&current, name, size, &at, e) < 0) {
				challenge_release(&current);
				return -1;
			}
		} else if (*after == '=') { /* of a scheme that we do not know */
			after = skip(after, "= \t");
			free(read_value(&after));
			at = after;
		} else {
			keep_better(c, &current);
			current.scheme = scheme_of(name, size);
			at = after;
		}
	}
	keep_better(c, &current);
	return 0;
}

int challenge_read(const struct http_response *r, struct challenge *c, struct error *e)
{
	const char *value;

	memset(c, 0, sizeof *c);
	for (size_t i = 0; (value = http_header(r, "WWW-Authenticate", i)); i++)
		if (challenge_parse(value, c, e) < 0) {
			challenge_release(c);
			return -1;
		}
	return 0;
}
