#include "registry/url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"

/* What of a URL may stand in a message: not its query, which can hold a signature. */
static int shown(const char *text)
{
	return (int)strcspn(text, "?#");
}

static int refuse(struct error *e, const char *text, const char *why)
{
	return error_set(e, ERROR_INPUT, "URL %.*s: %s", shown(text) > 200 ? 200 : shown(text), text, why);
}

static int parse_port(const char *text, const char *port, size_t size, struct url *u,
                      struct error *e)
{
	char *end;
	long number;

	if (size == 0)
		return 0;
	number = isdigit((unsigned char)port[0]) ? strtol(port, &end, 10) : 0;
	if (number < 1 || number > 65535 || end != port + size)
		return refuse(e, text, "the port is no number from 1 to 65535");
	u->port = (int)number;
	return 0;
}

static int parse_authority(const char *text, const char *authority, size_t size, struct url *u,
                           struct error *e)
{
	const char *host = authority, *end;
	size_t length;

	if (memchr(authority, '@', size))
		return refuse(e, "", "user and password are not allowed in it");
	if (size && host[0] == '[') {
		end = memchr(host, ']', size);
		if (!end)
			return refuse(e, text, "an IPv6 address without its end");
		host++;
		length = (size_t)(end - host);
		end++;
	} else {
		end = memchr(host, ':', size);
		if (!end)
			end = host + size;
		length = (size_t)(end - host);
	}
	if (length == 0 || length >= sizeof u->host)
		return refuse(e, text, "no host, or one that is too long");
	for (size_t i = 0; i < length; i++) {
		if (!isalnum((unsigned char)host[i]) && !strchr(host == authority ? "-._" : ":.", host[i]))
			return refuse(e, text, "the host has characters that no host has");
		u->host[i] = (char)tolower((unsigned char)host[i]);
	}
	u->host[length] = '\0';
	if (end == authority + size)
		return 0;
	if (*end != ':')
		return refuse(e, text, "bytes between host and port");
	return parse_port(text, end + 1, (size_t)(authority + size - end - 1), u, e);
}

int url_parse(const char *text, struct url *u, struct error *e)
{
	const char *authority;
	size_t size;

	memset(u, 0, sizeof *u);
	for (const unsigned char *c = (const unsigned char *)text; *c; c++)
		if (*c <= ' ' || *c == 127 || *c == '\\')
			return error_set(e, ERROR_INPUT, "a URL has a space, control character or backslash");
	if (strncasecmp(text, "https://", 8) == 0)
		u->https = true;
	else if (strncasecmp(text, "http://", 7) != 0)
		return refuse(e, text, "only http and https are spoken");
	u->port = u->https ? 443 : 80;
	authority = text + (u->https ? 8 : 7);
	size = strcspn(authority, "/?#");
	u->target = authority + size;
	return parse_authority(text, authority, size, u, e);
}

/* RFC 3986, 5.2.4, in place. */
static void remove_dots(char *path)
{
	char *out = path;

	for (const char *in = path; *in;) {
		size_t length = strcspn(in + 1, "/") + 1;       /* "/segment" */
		bool last = in[length] == '\0';

		if (length == 2 && in[1] == '.') {
			if (last)
				*out++ = '/';
		} else if (length == 3 && in[1] == '.' && in[2] == '.') {
			while (out > path && *--out != '/')
				;
			if (last)
				*out++ = '/';
		} else {
			memmove(out, in, length);
			out += length;
		}
		in += length;
	}
	*out = '\0';
}

/* PATH relative to the folder of BASE's target. */
static char *merge(const struct url *base, const char *path, size_t size)
{
	size_t folder = strcspn(base->target, "?#");
	char *merged;

	while (folder > 0 && base->target[folder - 1] != '/')
		folder--;
	if (path[0] == '/')
		folder = 0;
	else if (folder == 0)
		return asprintf(&merged, "/%.*s", (int)size, path) < 0 ? NULL : merged;
	return asprintf(&merged, "%.*s%.*s", (int)folder, base->target, (int)size, path) < 0 ? NULL
	                                                                                      : merged;
}

static bool has_scheme(const char *text)
{
	size_t size = strcspn(text, ":/?#");

	return size > 0 && text[size] == ':';
}

char *url_resolve(const char *base, const char *reference, struct error *e)
{
	size_t length = strcspn(reference, "#"), path = strcspn(reference, "?#");
	const char *authority = strchr(base, ':') ? strchr(base, ':') + 3 : base;
	auto_free char *merged = NULL, *text = NULL;
	struct url b, result;
	int n, kept;

	if (url_parse(base, &b, e) < 0)
		return NULL;
	kept = (int)(b.target - base);
	if (has_scheme(reference)) {
		n = asprintf(&text, "%.*s", (int)length, reference);
	} else if (strncmp(reference, "//", 2) == 0) {
		n = asprintf(&text, "%.*s%.*s", (int)(authority - 2 - base), base, (int)length, reference);
	} else if (path == 0) {
		const char *end = b.target + (length ? strcspn(b.target, "?#") : strcspn(b.target, "#"));

		n = asprintf(&text, "%.*s%.*s", (int)(end - base), base, (int)length, reference);
	} else {
		merged = merge(&b, reference, path);
		if (merged)
			remove_dots(merged);
		n = merged ? asprintf(&text, "%.*s%s%.*s", kept, base, merged, (int)(length - path),
		                      reference + path)
		           : -1;
	}
	if (n < 0) {
		text = NULL;
		error_memory(e);
		return NULL;
	}
	if (url_parse(text, &result, e) < 0)
		return NULL;
	return take_pointer(&text);
}

bool url_same_origin(const struct url *a, const struct url *b)
{
	return a->https == b->https && a->port == b->port && strcmp(a->host, b->host) == 0;
}

char *url_origin(const struct url *u, char text[static URL_ORIGIN])
{
	bool ipv6 = strchr(u->host, ':') != NULL;
	int n = snprintf(text, URL_ORIGIN, "%s://%s%s%s", u->https ? "https" : "http", ipv6 ? "[" : "",
	                 u->host, ipv6 ? "]" : "");

	if (u->port != (u->https ? 443 : 80))
		snprintf(text + n, URL_ORIGIN - (size_t)n, ":%d", u->port);
	return text;
}

char *url_escape(const char *text)
{
	static const char hex[] = "0123456789ABCDEF";
	char *escaped = malloc(3 * strlen(text) + 1), *out = escaped;

	if (!escaped)
		return NULL;
	for (const unsigned char *c = (const unsigned char *)text; *c; c++) {
		if (*c < 128 && (isalnum(*c) || strchr("-._~", *c))) {
			*out++ = (char)*c;
		} else {
			*out++ = '%';
			*out++ = hex[*c >> 4];
			*out++ = hex[*c & 15];
		}
	}
	*out = '\0';
	return escaped;
}

static enum url_reach reach_of_ipv4(uint32_t address)
{
	unsigned a = address >> 24, b = address >> 16 & 255;

	if (a == 169 && b == 254)
		return URL_LINK_LOCAL;
	if (a == 127 || a == 0)
		return URL_LOOPBACK;
	if (a == 10 || (a == 172 && b >= 16 && b < 32) || (a == 192 && b == 168) ||
	    (a == 100 && b >= 64 && b < 128))
		return URL_PRIVATE;
	return URL_PUBLIC;
}

enum url_reach url_reach(const char *host)
{
	size_t size = strlen(host);
	struct in6_addr six;
	struct in_addr four;

	if (size && host[size - 1] == '.')
		size--;
	if (size >= 9 && strncasecmp(host + size - 9, "localhost", 9) == 0 &&
	    (size == 9 || host[size - 10] == '.'))
		return URL_LOOPBACK;
	/* inet_aton, for resolvers take "127.1" and "0x7f000001" too. */
	if (inet_aton(host, &four))
		return reach_of_ipv4(ntohl(four.s_addr));
	if (inet_pton(AF_INET6, host, &six) != 1)
		return URL_PUBLIC;
	if (IN6_IS_ADDR_V4MAPPED(&six) || IN6_IS_ADDR_V4COMPAT(&six)) {
		uint32_t last;

		if (IN6_IS_ADDR_LOOPBACK(&six))
			return URL_LOOPBACK;
		memcpy(&last, six.s6_addr + 12, sizeof last);
		return reach_of_ipv4(ntohl(last));
	}
	if (IN6_IS_ADDR_LOOPBACK(&six) || IN6_IS_ADDR_UNSPECIFIED(&six))
		return URL_LOOPBACK;
	if (IN6_IS_ADDR_LINKLOCAL(&six))
		return URL_LINK_LOCAL;
	return (six.s6_addr[0] & 0xfe) == 0xfc ? URL_PRIVATE : URL_PUBLIC;
}
