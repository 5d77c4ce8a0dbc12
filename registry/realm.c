#include "registry/realm.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "registry/url.h"

/* Under these everybody can have a name: one does not vouch for another. */
static const char *const shared_domains[] = {
	"amazonaws.com", "azurecr.io", "jfrog.io", "run.app", "github.io", "gitlab.io", "pages.dev",
	"herokuapp.com", "appspot.com", "cloudfront.net", "azurewebsites.net", "windows.net",
	"ngrok.io", "ngrok.app", "workers.dev", "vercel.app", "netlify.app", "fly.dev",
};

/* A registry and the token server that it is known to have, elsewhere; "." begins an ending. */
static const struct {
	const char *registry, *realm;
} known_pairs[] = {
	{ "nvcr.io", "authn.nvidia.com" },
	{ ".scw.cloud", "api.scaleway.com" },
};

static size_t label_count(const char *host)
{
	size_t count = 1;

	for (; *host; host++)
		count += *host == '.';
	return count;
}

/* Where the domain begins that its owner registered: "example.com", "example.co.uk". */
static const char *owned_domain(const char *host)
{
	size_t count = label_count(host), want = 2;
	const char *last = strrchr(host, '.'), *at = host;

	if (!last || count < 2)
		return NULL;
	if (strlen(last + 1) == 2 && count > 2) {
		const char *second = last;

		while (second > host && second[-1] != '.')
			second--;
		if (last - second <= 3)
			want = 3;
	}
	for (; count > want; count--)
		at = strchr(at, '.') + 1;
	return at;
}

static bool ends_with(const char *host, const char *end)
{
	size_t a = strlen(host), b = strlen(end);

	return a > b && strcasecmp(host + a - b, end) == 0;
}

bool realm_is_trusted(const char *host, const char *realm)
{
	const char *allowed = getenv("CAIRN_TOKEN_HOSTS"), *mine, *theirs;

	if (strcasecmp(host, realm) == 0)
		return true;
	for (const char *at = allowed ? allowed : ""; *at; at += strspn(at, ", ")) {
		size_t length = strcspn(at, ", ");

		if (length == strlen(realm) && strncasecmp(at, realm, length) == 0)
			return true;
		at += length;
	}
	for (size_t i = 0; i < sizeof known_pairs / sizeof *known_pairs; i++) {
		const char *name = known_pairs[i].registry;

		if (strcasecmp(realm, known_pairs[i].realm) == 0 &&
		    (name[0] == '.' ? ends_with(host, name) : strcasecmp(host, name) == 0))
			return true;
	}
	if (url_reach(host) != URL_PUBLIC || url_reach(realm) != URL_PUBLIC || strchr(host, ':') ||
	    strspn(host, "0123456789.") == strlen(host))
		return false;
	mine = owned_domain(host);
	theirs = owned_domain(realm);
	for (size_t i = 0; mine && i < sizeof shared_domains / sizeof *shared_domains; i++)
		if (strcasecmp(mine, shared_domains[i]) == 0)
			return false;
	return mine && theirs && strcasecmp(mine, theirs) == 0;
}

int realm_check(const struct http *h, const char *from, const char *text, bool has_credentials,
                struct error *e)
{
	char there[URL_ORIGIN];
	struct url host, realm;

	if (url_parse(from, &host, e) < 0)
		return -1;
	if (url_parse(text, &realm, e) < 0)
		return error_context(e, "the token server that %s names", host.host);
	url_origin(&realm, there);
	if (!realm.https && (host.https || (!http_may_be_plain(h, strstr(there, "://") + 3) &&
	                                    strcmp(host.host, realm.host) != 0)))
		return error_set(e, ERROR_DENIED, "%s names the token server %s, which is not encrypted",
		                 host.host, there);
	if (url_reach(realm.host) > url_reach(host.host) && !realm_is_trusted(host.host, realm.host))
		return error_set(e, ERROR_DENIED, "%s names the token server %s, an internal address",
		                 host.host, there);
	if (has_credentials && !realm_is_trusted(host.host, realm.host))
		return error_set(e, ERROR_DENIED,
		                 "%s wants its credentials to be sent to %s, a stranger; if they belong "
		                 "there, set CAIRN_TOKEN_HOSTS=%s", host.host, there, realm.host);
	return 0;
}
