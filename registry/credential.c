#include "registry/credential.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "layers/json.h"
#include "layers/scope.h"
#include "registry/base64.h"
#include "registry/helper.h"
#include "registry/userfile.h"

#define CONFIG_SIZE_MAX (4 << 20)
#define HUB_KEY "https://index.docker.io/v1/"

/* --- config.json --- */

static char *config_path(const char *folder, struct error *e)
{
	auto_free char *path = userfile_docker_folder(folder, e);
	char *file;

	if (!path)
		return NULL;
	if (asprintf(&file, "%s/config.json", path) < 0) {
		error_memory(e);
		return NULL;
	}
	return file;
}

/* A file that is not there says nothing. */
static json_t *config_read(const char *folder, struct error *e)
{
	auto_free char *path = config_path(folder, e), *text = NULL;
	size_t size;
	json_t *json;

	if (!path)
		return NULL;
	text = userfile_read(path, CONFIG_SIZE_MAX, &size, e);
	if (!text)
		return e->kind == ERROR_NOT_FOUND ? json_object() : NULL;
	json = size ? json_parse(text, size, path, e) : json_object();
	if (json && !json_is_object(json)) {
		error_set(e, ERROR_INPUT, "%s is no JSON object", path);
		json_decref(json);
		return NULL;
	}
	return json;
}

static int config_write(const char *folder, const json_t *config, struct error *e)
{
	auto_free char *path = config_path(folder, e);
	auto_free char *text = json_text_indented(config, 8, NULL);

	if (!path)
		return -1;
	return text ? userfile_write(path, text, strlen(text), e) : error_memory(e);
}

/* --- whose key is it --- */

static bool is_hub(const char *domain)
{
	return strcasecmp(domain, "docker.io") == 0 || strcasecmp(domain, "registry-1.docker.io") == 0;
}

/* The name under which docker keeps the credentials for DOMAIN. */
static const char *key_of(const char *domain)
{
	return is_hub(domain) ? HUB_KEY : domain;
}

static const char *without_scheme(const char *key)
{
	if (strncmp(key, "https://", 8) == 0)
		return key + 8;
	return strncmp(key, "http://", 7) == 0 ? key + 7 : key;
}

static bool host_is(const char *key, size_t size, const char *host)
{
	return strlen(host) == size && strncasecmp(key, host, size) == 0;
}

/* Is KEY ("https://host/v1/", "host:443") about DOMAIN? Whole hosts are compared, never ends of
 * them (H062). */
static bool key_is_for(const char *key, const char *domain)
{
	const char *host = without_scheme(key);
	size_t size = strcspn(host, "/");

	if (host_is(host, size, domain))
		return true;
	if (is_hub(domain))
		return host_is(host, size, "index.docker.io") || host_is(host, size, "docker.io") ||
		       host_is(host, size, "registry-1.docker.io");
	return size > 4 && memcmp(host + size - 4, ":443", 4) == 0 && host_is(host, size - 4, domain);
}

/* The helper that CONFIG names for DOMAIN, or NULL. */
static const char *helper_for(const json_t *config, const char *domain)
{
	json_t *helpers = json_object_get(config, "credHelpers"), *value;
	const json_t *found = json_object_get(helpers, key_of(domain));
	const char *key, *name;

	json_object_foreach(helpers, key, value)
		if (!found && key_is_for(key, domain))
			found = value;
	if (!found)
		found = json_object_get(config, "credsStore");
	name = json_string_value(found);
	return name && *name ? name : NULL;
}

/* Podman's keys name repositories too: the longest that covers REPOSITORY counts. */
static const json_t *entry_by_path(const json_t *auths, const char *domain, const char *repository)
{
	auto_free char *path = NULL;
	char *slash;

	if (asprintf(&path, "%s/%s", domain, repository) < 0) {
		path = NULL;
		return NULL;
	}
	while ((slash = strrchr(path, '/'))) {
		const json_t *entry = json_object_get(auths, path);

		if (entry)
			return entry;
		*slash = '\0';
	}
	return NULL;
}

static const json_t *entry_for(const json_t *config, const char *domain, const char *repository)
{
	json_t *auths = json_object_get(config, "auths"), *entry;
	const json_t *best = entry_by_path(auths, domain, repository ? repository : "");
	const char *key;

	if (!best)
		best = json_object_get(auths, key_of(domain));
	if (best)
		return best;
	json_object_foreach(auths, key, entry)
		if (key_is_for(key, domain))
			return entry;
	return NULL;
}

/* --- finding --- */

static int set(char **to, const char *from, struct error *e)
{
	free(*to);
	*to = strdup(from);
	return *to ? 0 : error_memory(e);
}

/* base64 of "user:password"; docker drops NULs around the password. */
static int decode_auth(const char *text, struct credential *c, struct error *e)
{
	size_t size;
	auto_free char *pair = base64_decode(text, &size);
	char *colon = pair ? strchr(pair, ':') : NULL;

	if (!colon || colon == pair)
		return error_set(e, ERROR_INPUT, "\"auth\" is not the base64 of user:password");
	while (size && pair[size - 1] == '\0')
		size--;
	if (strlen(pair) != size)
		return error_set(e, ERROR_INPUT, "\"auth\" has a NUL in it");
	*colon = '\0';
	return set(&c->user, pair, e) < 0 ? -1 : set(&c->password, colon + 1, e);
}

static int from_entry(const json_t *entry, struct credential *c, struct error *e)
{
	static const struct {
		const char *key;
		size_t place;
	} fields[] = {
		{ "username", offsetof(struct credential, user) },
		{ "password", offsetof(struct credential, password) },
		{ "identitytoken", offsetof(struct credential, identity_token) },
		{ "registrytoken", offsetof(struct credential, registry_token) },
	};
	const char *auth = json_string_value(json_object_get(entry, "auth"));

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		const char *value = json_string_value(json_object_get(entry, fields[i].key));

		if (value && *value && set((char **)((char *)c + fields[i].place), value, e) < 0)
			return -1;
	}
	return auth && *auth ? decode_auth(auth, c, e) : 0;
}

static int from_helper(const char *helper, const char *key, struct credential *c, struct error *e)
{
	auto_free char *answer = NULL;
	int status = helper_run(helper, "get", key, &answer, e), result = 0;
	const char *user, *secret;
	json_t *json;

	if (status < 0)
		return -1;
	if (status > 0) {
		answer[strcspn(answer, "\r\n")] = '\0';
		if (strstr(answer, "credentials not found") || strstr(answer, "no credentials"))
			return 0;
		return error_set(e, ERROR_DENIED, "credential helper docker-credential-%s: %.300s", helper,
		                 *answer ? answer : "it failed without a word");
	}
	json = json_parse(answer, strlen(answer), "its answer", e);
	user = json_string_value(json_object_get(json, "Username"));
	secret = json_string_value(json_object_get(json, "Secret"));
	if (!json || !user || !secret)
		result = error_set(e, ERROR_INPUT,
		                   "credential helper docker-credential-%s: its answer has no Username and "
		                   "Secret", helper);
	else if (strcmp(user, "<token>") == 0)
		result = set(&c->identity_token, secret, e);
	else if (*secret && (set(&c->user, user, e) < 0 || set(&c->password, secret, e) < 0))
		result = -1;
	json_decref(json);
	return result;
}

/* $DOCKER_AUTH_CONFIG has the text of a config.json with auths only: CI systems set it. */
static int from_environment(const char *domain, const char *repository, struct credential *c,
                            struct error *e)
{
	const char *text = getenv("DOCKER_AUTH_CONFIG");
	const json_t *entry;
	json_t *config;
	int found;

	if (!text || !*text)
		return 0;
	config = json_parse(text, strlen(text), "$DOCKER_AUTH_CONFIG", e);
	if (!config)
		return -1;
	entry = entry_for(config, domain, repository);
	found = entry ? from_entry(entry, c, e) < 0 ? -1 : 1 : 0;
	json_decref(config);
	return found;
}

int credential_find(const char *folder, const char *domain, const char *repository,
                    struct credential *c, struct error *e)
{
	const json_t *entry;
	const char *helper;
	json_t *config;
	int result;

	memset(c, 0, sizeof *c);
	result = from_environment(domain, repository, c, e);
	config = result == 0 ? config_read(folder, e) : NULL;
	if (config) {
		helper = helper_for(config, domain);
		entry = helper ? NULL : entry_for(config, domain, repository);
		if (helper)
			result = from_helper(helper, key_of(domain), c, e);
		else if (entry)
			result = from_entry(entry, c, e);
		json_decref(config);
	} else if (result == 0) {
		result = -1;
	}
	if (result < 0) {
		credential_release(c);
		return error_context(e, "credentials for %s", domain);
	}
	return 0;
}

void credential_release(struct credential *c)
{
	free(c->user);
	free(c->password);
	free(c->identity_token);
	free(c->registry_token);
	memset(c, 0, sizeof *c);
}

/* --- keeping and forgetting --- */

static int tell_helper(const char *helper, const char *verb, const char *question, struct error *e)
{
	auto_free char *answer = NULL;
	int status = helper_run(helper, verb, question, &answer, e);

	if (status <= 0)
		return status;
	answer[strcspn(answer, "\r\n")] = '\0';
	return error_set(e, ERROR_FAILED, "credential helper docker-credential-%s %s: %.300s", helper,
	                 verb, answer);
}

static int keep_in_helper(const char *helper, const char *key, const char *user,
                          const char *password, struct error *e)
{
	json_t *json = json_pack("{s:s, s:s, s:s}", "ServerURL", key, "Username", user, "Secret",
	                         password);
	auto_free char *question = json ? json_text(json, NULL) : NULL;

	json_decref(json);
	return question ? tell_helper(helper, "store", question, e) : error_memory(e);
}

static json_t *plain_entry(const char *user, const char *password)
{
	auto_free char *pair = NULL, *auth = NULL;

	if (asprintf(&pair, "%s:%s", user, password) < 0) {
		pair = NULL;
		return NULL;
	}
	auth = base64_encode(pair, strlen(pair));
	return auth ? json_pack("{s:s}", "auth", auth) : NULL;
}

int credential_keep(const char *folder, const char *domain, const char *user,
                    const char *password, struct error *e)
{
	json_t *config = config_read(folder, e), *auths, *entry;
	const char *helper;
	int result = 0;

	if (!config)
		return -1;
	helper = helper_for(config, domain);
	if (helper)
		result = keep_in_helper(helper, key_of(domain), user, password, e);
	if (!json_is_object(json_object_get(config, "auths")))
		json_object_set_new(config, "auths", json_object());
	auths = json_object_get(config, "auths");
	/* With a helper docker leaves an empty entry, as a list of where one is logged in. */
	entry = helper ? json_object() : plain_entry(user, password);
	if (result == 0 && json_object_set_new(auths, key_of(domain), entry) < 0)
		result = error_memory(e);
	if (result == 0)
		result = config_write(folder, config, e);
	json_decref(config);
	return result;
}

int credential_forget(const char *folder, const char *domain, struct error *e)
{
	json_t *config = config_read(folder, e), *auths, *entry;
	const char *helper, *key;
	bool found = false;
	void *next;
	int result = 0;

	if (!config)
		return -1;
	auths = json_object_get(config, "auths");
	json_object_foreach_safe(auths, next, key, entry)
		if (key_is_for(key, domain)) {
			json_object_del(auths, key);
			found = true;
		}
	helper = helper_for(config, domain);
	if (helper)
		result = tell_helper(helper, "erase", key_of(domain), e);
	if (result == 0 && found)
		result = config_write(folder, config, e);
	else if (result == 0 && !helper)
		result = error_set(e, ERROR_NOT_FOUND, "not logged in to %s", domain);
	json_decref(config);
	return result;
}
