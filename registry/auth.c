#include "registry/auth.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <time.h>

#include "layers/json.h"
#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "registry/answer.h"
#include "registry/base64.h"
#include "registry/realm.h"
#include "registry/url.h"

/* How long a token lives that does not say (token.md). */
#define TOKEN_SECONDS 60
#define CLIENT_ID "cairn"

/* What was found once is not looked up again: helpers are slow. */
struct known_credential {
	char *domain, *repository;
	struct credential credential;
	LIST_ENTRY(known_credential) next;
};

struct known_token {
	char *key;              /* for whom, from where, for what */
	char *value;
	time_t expires;         /* CLOCK_MONOTONIC */
	LIST_ENTRY(known_token) next;
};

struct auth {
	struct http *http;
	char *config;           /* or NULL */
	/* Held while a helper or token server is asked, too: threads that want the same token wait
	 * for it instead of fetching it again. */
	pthread_mutex_t mutex;
	LIST_HEAD(, known_credential) credentials;
	LIST_HEAD(, known_token) tokens;
};

struct auth *auth_open(struct http *h, const char *config, struct error *e)
{
	struct auth *a = calloc(1, sizeof *a);

	if (a && config)
		a->config = strdup(config);
	if (!a || (config && !a->config)) {
		free(a);
		error_memory(e);
		return NULL;
	}
	a->http = h;
	pthread_mutex_init(&a->mutex, NULL);
	return a;
}

static void forget_credential(struct known_credential *k)
{
	LIST_REMOVE(k, next);
	credential_release(&k->credential);
	free(k->domain);
	free(k->repository);
	free(k);
}

static void forget_token(struct known_token *k)
{
	LIST_REMOVE(k, next);
	free(k->key);
	free(k->value);
	free(k);
}

void auth_close(struct auth *a)
{
	if (!a)
		return;
	while (!LIST_EMPTY(&a->credentials))
		forget_credential(LIST_FIRST(&a->credentials));
	while (!LIST_EMPTY(&a->tokens))
		forget_token(LIST_FIRST(&a->tokens));
	pthread_mutex_destroy(&a->mutex);
	free(a->config);
	free(a);
}

struct http *auth_http(struct auth *a)
{
	return a->http;
}

const char *auth_config(const struct auth *a)
{
	return a->config;
}

/* --- credentials --- */

static struct known_credential *credential_of(struct auth *a, const struct reference *r,
                                              struct error *e)
{
	struct known_credential *k;

	LIST_FOREACH(k, &a->credentials, next)
		if (strcmp(k->domain, r->domain) == 0 && strcmp(k->repository, r->repository) == 0)
			return k;
	k = calloc(1, sizeof *k);
	if (!k) {
		error_memory(e);
		return NULL;
	}
	k->domain = strdup(r->domain);
	k->repository = strdup(r->repository);
	LIST_INSERT_HEAD(&a->credentials, k, next);
	if (!k->domain || !k->repository)
		error_memory(e);
	else if (credential_find(a->config, r->domain, r->repository, &k->credential, e) == 0)
		return k;
	forget_credential(k);
	return NULL;
}

/* NULL and no error when C has no password. */
static char *basic(const struct credential *c, struct error *e)
{
	auto_free char *pair = NULL, *text = NULL;
	char *value;

	if (!c->user || !c->password)
		return NULL;
	if (asprintf(&pair, "%s:%s", c->user, c->password) < 0) {
		pair = NULL;
		error_memory(e);
		return NULL;
	}
	text = base64_encode(pair, strlen(pair));
	if (!text || asprintf(&value, "Basic %s", text) < 0) {
		error_memory(e);
		return NULL;
	}
	return value;
}

static int answer_basic(struct auth *a, const struct auth_subject *s, const char *rejected,
                        char **value, struct error *e)
{
	struct known_credential *k;

	for (int tries = 0; s->repository && tries < 2; tries++) {
		k = credential_of(a, s->repository, e);
		if (!k)
			return -1;
		*value = basic(&k->credential, e);
		if (!*value || !rejected || strcmp(*value, rejected) != 0)
			return 0;
		/* A helper's passwords expire (ECR's after 12 hours): it may have a new one. */
		free(*value);
		*value = NULL;
		forget_credential(k);
	}
	return 0;
}

/* --- tokens --- */

static time_t monotonic(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Does the scope HAVE ("repository:a/b:pull,push") allow all that WANT does? */
static bool scope_covers(const char *have, size_t have_size, const char *want, size_t want_size)
{
	const char *have_actions = memrchr(have, ':', have_size);
	const char *want_actions = memrchr(want, ':', want_size);
	const char *have_end = have + have_size, *want_end = want + want_size;

	if (!have_actions || !want_actions || have_actions - have != want_actions - want ||
	    memcmp(have, want, (size_t)(want_actions - want)) != 0)
		return false;
	for (const char *at = want_actions + 1; at < want_end;) {
		size_t size = strcspn(at, ", ");
		bool found = false;

		for (const char *in = have_actions + 1; in < have_end; in += strcspn(in, ", ") + 1)
			found = found || (strcspn(in, ", ") == size && memcmp(in, at, size) == 0);
		if (!found)
			return false;
		at += size + 1;
	}
	return true;
}

/* SCOPES, and those of MORE that they do not cover. */
static char *join_scopes(const char *scopes, const char *more)
{
	char *all = strdup(scopes);

	for (const char *at = more ? more : ""; all && *at; at += strspn(at, " ")) {
		size_t size = strcspn(at, " ");
		bool covered = size == 0;
		char *longer;

		for (const char *in = all; *in && !covered; in += strspn(in, " ")) {
			size_t length = strcspn(in, " ");

			covered = scope_covers(in, length, at, size);
			in += length;
		}
		if (!covered) {
			if (asprintf(&longer, "%s%s%.*s", all, *all ? " " : "", (int)size, at) < 0)
				longer = NULL;
			free(all);
			all = longer;
		}
		at += size;
	}
	return all;
}

/* "name=value" to OUT, escaped, after a separator. */
static int add_parameter(FILE *out, char separator, const char *name, const char *value)
{
	auto_free char *escaped = url_escape(value);

	if (!escaped)
		return -1;
	if (separator)
		fputc(separator, out);
	fprintf(out, "%s=%s", name, escaped);
	return 0;
}

/* GET: realm?service=...&scope=...&scope=...; the caller frees it. */
static char *token_url(const struct challenge *c, const char *scopes, const char *user)
{
	char *text = NULL, separator = strchr(c->realm, '?') ? '&' : '?';
	size_t size;
	FILE *out = memory_stream_open(&text, &size);

	if (!out)
		return NULL;
	fputs(c->realm, out);
	if (c->service) {
		add_parameter(out, separator, "service", c->service);
		separator = '&';
	}
	for (const char *at = scopes; *at; at += strspn(at, " ")) {
		auto_free char *one = strndup(at, strcspn(at, " "));

		if (one)
			add_parameter(out, separator, "scope", one);
		separator = '&';
		at += strcspn(at, " ");
	}
	if (user)
		add_parameter(out, separator, "account", user);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* POST: the form of the OAuth2 refresh flow (oauth.md); the caller frees it. */
static char *token_form(const struct challenge *c, const char *scopes, const char *refresh)
{
	char *text = NULL;
	size_t size;
	FILE *out = memory_stream_open(&text, &size);

	if (!out)
		return NULL;
	add_parameter(out, 0, "grant_type", "refresh_token");
	add_parameter(out, '&', "service", c->service ? c->service : "");
	add_parameter(out, '&', "client_id", CLIENT_ID);
	add_parameter(out, '&', "scope", scopes);
	add_parameter(out, '&', "refresh_token", refresh);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* Ask the token server; R is the caller's to release when 0 is returned. */
static int ask(struct auth *a, const struct challenge *c, const char *scopes,
               const struct credential *credential, struct http_response *r, struct error *e)
{
	static const char *const form_header[] = {
		"Content-Type: application/x-www-form-urlencoded", "Accept: application/json", NULL
	};
	static const char *const header[] = { "Accept: application/json", NULL };
	const char *refresh = credential ? credential->identity_token : NULL;
	auto_free char *authorization = NULL, *url = NULL, *form = NULL;
	struct http_request q = HTTP_REQUEST("GET", c->realm);

	e->kind = ERROR_NONE;
	if (refresh) {
		form = token_form(c, scopes, refresh);
		if (!form)
			return error_memory(e);
		q.method = "POST";
		q.header = form_header;
		q.body = form;
		q.body_size = (int64_t)strlen(form);
		q.stay = true;
	} else {
		authorization = credential ? basic(credential, e) : NULL;
		url = token_url(c, scopes, authorization ? credential->user : NULL);
		if (!url || e->kind)
			return error_memory(e);
		q.url = url;
		q.header = header;
		q.authorization = authorization;
	}
	return http_send(a->http, &q, r, e);
}

static bool is_token(const char *text)
{
	if (!text || !*text)
		return false;
	for (; *text; text++)
		if (*text <= ' ' || *text > '~')
			return false;
	return true;
}

/* The token of R's JSON; SECONDS is how long to use it. */
static char *read_token(const struct http_response *r, int64_t *seconds, struct error *e)
{
	json_t *json = json_parse(r->body, r->body_size, "its answer", e);
	const char *token = json_string_value(json_object_get(json, "token"));
	const json_t *expires = json_object_get(json, "expires_in");
	char *copy = NULL;

	if (!json)
		return NULL;
	if (!token || !*token)
		token = json_string_value(json_object_get(json, "access_token"));
	*seconds = json_is_integer(expires) ? json_integer_value(expires) : 0;
	if (*seconds <= 0 || *seconds > INT32_MAX)
		*seconds = TOKEN_SECONDS;
	*seconds -= *seconds > 50 ? 10 : *seconds / 5; /* it has a way to go */
	if (!is_token(token))
		error_set(e, ERROR_NETWORK, "its answer has no token");
	else if (!(copy = strdup(token)))
		error_memory(e);
	json_decref(json);
	return copy;
}

static char *fetch_token(struct auth *a, const struct challenge *c, const char *scopes,
                         const struct credential *credential, int64_t *seconds, struct error *e)
{
	char origin[URL_ORIGIN] = "";
	struct http_response r;
	char *token = NULL;
	struct url realm;

	if (url_parse(c->realm, &realm, e) < 0 || ask(a, c, scopes, credential, &r, e) < 0)
		return NULL;
	if (r.status == 200) {
		token = read_token(&r, seconds, e);
	} else {
		answer_error(&r, e);
		if (r.status == 400)
			e->kind = ERROR_DENIED;
	}
	if (!token)
		error_context(e, "token server %s", url_origin(&realm, origin));
	http_release(&r);
	return token;
}

static struct known_token *find_token(struct auth *a, const char *key, const char *rejected)
{
	struct known_token *k, *next;

	for (k = LIST_FIRST(&a->tokens); k; k = next) {
		next = LIST_NEXT(k, next);
		if (strcmp(k->key, key) != 0)
			continue;
		if (k->expires > monotonic() && !(rejected && strcmp(rejected, k->value) == 0))
			return k;
		forget_token(k);
	}
	return NULL;
}

static int keep_token(struct auth *a, const char *key, char *token, int64_t seconds,
                      const char **value, struct error *e)
{
	struct known_token *k = calloc(1, sizeof *k);

	if (k)
		k->key = strdup(key);
	if (!k || !k->key || asprintf(&k->value, "Bearer %s", token) < 0) {
		if (k)
			free(k->key);
		free(k);
		return error_memory(e);
	}
	k->expires = monotonic() + seconds;
	LIST_INSERT_HEAD(&a->tokens, k, next);
	*value = k->value;
	return 0;
}

static int answer_bearer(struct auth *a, const struct challenge *c, const struct auth_subject *s,
                         const char *rejected, char **value, struct error *e)
{
	auto_free char *scopes = join_scopes(s->scope, c->scope), *key = NULL, *token = NULL;
	const struct reference *r = s->repository;
	struct known_credential *k = r ? credential_of(a, r, e) : NULL;
	const struct credential *use = NULL;
	const char *found = NULL;
	struct known_token *known;
	time_t begun = monotonic();
	int64_t seconds;

	if (r && !k)
		return -1;
	if (k && k->credential.registry_token) {
		if (asprintf(value, "Bearer %s", k->credential.registry_token) < 0)
			return error_memory(e);
		return 0;
	}
	if (k && (k->credential.identity_token || k->credential.password))
		use = &k->credential;
	if (!scopes || asprintf(&key, "%s\n%s\n%s\n%s\n%s", r ? r->domain : "",
	                        use ? r->repository : "", c->realm, c->service ? c->service : "",
	                        scopes) < 0) {
		key = NULL;
		return error_memory(e);
	}
	known = find_token(a, key, rejected);
	if (known) {
		found = known->value;
	} else {
		if (realm_check(a->http, s->url, c->realm, use != NULL, e) < 0)
			return -1;
		token = fetch_token(a, c, scopes, use, &seconds, e);
		if (!token || keep_token(a, key, token, seconds - (monotonic() - begun), &found, e) < 0)
			return -1;
	}
	*value = strdup(found);
	return *value ? 0 : error_memory(e);
}

int auth_answer(struct auth *a, const struct challenge *c, const struct auth_subject *subject,
                const char *rejected, char **value, struct error *e)
{
	int result = 0;

	*value = NULL;
	pthread_mutex_lock(&a->mutex);
	if (c->scheme == AUTH_BASIC)
		result = answer_basic(a, subject, rejected, value, e);
	else if (c->scheme == AUTH_BEARER)
		result = answer_bearer(a, c, subject, rejected, value, e);
	pthread_mutex_unlock(&a->mutex);
	return result;
}

int auth_try(struct auth *a, const struct challenge *c, const char *url,
             const struct credential *credential, char **value, struct error *e)
{
	auto_free char *token = NULL;
	int64_t seconds;

	*value = NULL;
	e->kind = ERROR_NONE;
	if (c->scheme == AUTH_BASIC)
		*value = basic(credential, e);
	if (c->scheme != AUTH_BEARER)
		return e->kind ? -1 : 0;
	if (realm_check(a->http, url, c->realm, true, e) < 0)
		return -1;
	token = fetch_token(a, c, "", credential, &seconds, e);
	if (!token)
		return -1;
	return asprintf(value, "Bearer %s", token) < 0 ? error_memory(e) : 0;
}
