#include "registry/reference.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HUB "docker.io"
#define HUB_HOST "registry-1.docker.io"
#define HUB_LEGACY "index.docker.io"
#define OFFICIAL "library/"

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"

static int invalid(struct error *e)
{
	return error_set(e, ERROR_INPUT, "invalid reference format");
}

/* domain-component ['.' domain-component]*, a component neither begins nor ends with '-'. */
static bool is_domain_name(const char *s, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		bool first = i == 0 || s[i - 1] == '.', last = i + 1 == size || s[i + 1] == '.';

		if (s[i] == '.' ? first || last : s[i] == '-' ? first || last : !isalnum((unsigned char)s[i]))
			return false;
	}
	return size > 0;
}

static bool is_domain(const char *domain)
{
	size_t host = domain[0] == '[' ? strcspn(domain, "]") : strcspn(domain, ":");
	const char *rest;

	if (domain[0] == '[') {
		if (domain[host] != ']' || host == 1 ||
		    strspn(domain + 1, DIGITS "abcdefABCDEF:") != host - 1)
			return false;
		rest = domain + host + 1;
	} else {
		if (!is_domain_name(domain, host))
			return false;
		rest = domain + host;
	}
	if (rest[0] == ':')
		return rest[1] && rest[1 + strspn(rest + 1, DIGITS)] == '\0';
	return rest[0] == '\0';
}

/* One separator between two alphanumeric runs: '.', '_', "__", or any number of '-'. */
static size_t separator(const char *s)
{
	if (s[0] == '_')
		return s[1] == '_' ? 2 : 1;
	if (s[0] == '.')
		return 1;
	return strspn(s, "-");
}

static bool is_repository(const char *s)
{
	for (;;) {
		size_t run = strspn(s, LOWER DIGITS);

		if (run == 0)
			return false;
		s += run;
		if (*s == '\0')
			return true;
		if (*s == '/') {
			s++;
			continue;
		}
		run = separator(s);
		if (run == 0)
			return false;
		s += run;
	}
}

static bool is_tag(const char *s)
{
	size_t size = strspn(s, LOWER UPPER DIGITS "_.-");

	return size > 0 && size <= REFERENCE_TAG_MAX && s[size] == '\0' && s[0] != '.' && s[0] != '-';
}

static bool is_hex_id(const char *s)
{
	return strlen(s) == DIGEST_HEX && strspn(s, DIGITS "abcdef") == DIGEST_HEX;
}

/* Docker's rule for what stands before the first '/': a domain if it could be nothing else. */
static bool looks_like_domain(const char *s, size_t size)
{
	if (size == strlen("localhost") && memcmp(s, "localhost", size) == 0)
		return true;
	for (size_t i = 0; i < size; i++)
		if (s[i] == '.' || s[i] == ':' || isupper((unsigned char)s[i]))
			return true;
	return false;
}

static int copy_part(char *to, size_t size, const char *prefix, const char *from, size_t length,
                     const char *what, struct error *e)
{
	int n = snprintf(to, size, "%s%.*s", prefix, (int)length, from);

	if (n < 0 || (size_t)n >= size)
		return error_set(e, ERROR_INPUT, "%s must not be more than %zu characters", what, size - 1);
	return 0;
}

/* Everything but tag and digest, which REST receives: ":tag", "@digest", both or "". */
static int parse_name(const char *text, struct reference *r, const char **rest, struct error *e)
{
	size_t first = strcspn(text, "/");
	bool domain = text[first] == '/' && looks_like_domain(text, first);
	const char *name = domain ? text + first + 1 : text, *prefix = "";
	size_t length;

	if (copy_part(r->domain, sizeof r->domain, "", domain ? text : HUB, domain ? first : strlen(HUB),
	              "registry name", e) < 0)
		return -1;
	if (strcmp(r->domain, HUB_LEGACY) == 0)
		strcpy(r->domain, HUB);
	length = strcspn(name, ":@");
	if (strcmp(r->domain, HUB) == 0 && !memchr(name, '/', length))
		prefix = OFFICIAL;
	if (copy_part(r->repository, sizeof r->repository, prefix, name, length, "repository name", e) < 0)
		return -1;
	*rest = name + length;
	for (const char *c = r->repository; *c; c++)
		if (isupper((unsigned char)*c))
			return error_set(e, ERROR_INPUT,
			                 "invalid reference format: repository name (%s) must be lowercase",
			                 r->repository);
	return is_domain(r->domain) && is_repository(r->repository) ? 0 : invalid(e);
}

int reference_parse(const char *text, struct reference *r, struct error *e)
{
	const char *rest, *at;

	memset(r, 0, sizeof *r);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c <= ' ' || *c >= 127)
			return invalid(e);
	if (is_hex_id(text))
		return error_set(e, ERROR_INPUT,
		                 "invalid repository name (%s), cannot specify 64-byte hexadecimal strings",
		                 text);
	if (parse_name(text, r, &rest, e) < 0)
		return -1;
	at = strchrnul(rest, '@');
	if (rest[0] == ':') {
		if (copy_part(r->tag, sizeof r->tag, "", rest + 1, (size_t)(at - rest - 1), "tag", e) < 0 ||
		    !is_tag(r->tag))
			return invalid(e);
	} else if (at != rest) {
		return invalid(e);
	}
	if (*at == '@') {
		if (digest_parse(at + 1, &r->digest, e) < 0)
			return error_context(e, "invalid reference format");
		r->has_digest = true;
	}
	return 0;
}

void reference_default_tag(struct reference *r)
{
	if (!r->tag[0] && !r->has_digest)
		strcpy(r->tag, "latest");
}

static char *format(const struct reference *r, const char *domain, const char *repository)
{
	char digest[DIGEST_TEXT] = "";
	char *text;

	if (r->has_digest)
		digest_format(&r->digest, digest);
	if (asprintf(&text, "%s%s%s%s%s%s%s", domain, domain[0] ? "/" : "", repository,
	             r->tag[0] ? ":" : "", r->tag, digest[0] ? "@" : "", digest) < 0)
		return NULL;
	return text;
}

char *reference_format(const struct reference *r)
{
	return format(r, r->domain, r->repository);
}

char *reference_familiar(const struct reference *r)
{
	const char *repository = r->repository;

	if (strcmp(r->domain, HUB) != 0)
		return reference_format(r);
	if (strncmp(repository, OFFICIAL, strlen(OFFICIAL)) == 0 &&
	    !strchr(repository + strlen(OFFICIAL), '/'))
		repository += strlen(OFFICIAL);
	return format(r, "", repository);
}

const char *reference_host(const struct reference *r)
{
	return strcmp(r->domain, HUB) == 0 ? HUB_HOST : r->domain;
}

bool reference_same_registry(const struct reference *a, const struct reference *b)
{
	return strcasecmp(reference_host(a), reference_host(b)) == 0;
}
