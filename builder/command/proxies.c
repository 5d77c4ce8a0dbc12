#include "builder/command/proxies.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "layers/json.h"
#include "layers/path.h"
#include "layers/scope.h"

#define CONFIG_SIZE_MAX (4 << 20)

static const struct {
	const char *key, *variable;
} proxies[] = {
	{ "httpProxy", "HTTP_PROXY" },   { "httpsProxy", "HTTPS_PROXY" }, { "ftpProxy", "FTP_PROXY" },
	{ "noProxy", "NO_PROXY" },       { "allProxy", "ALL_PROXY" },
};

/* NULL without an error: there is none. */
static json_t *read_config(struct error *e)
{
	const char *folder = getenv("DOCKER_CONFIG"), *home = getenv("HOME");
	auto_free char *path = NULL, *text = NULL;
	auto_close int dir = -1;
	size_t size;

	if (!folder && !home)
		return NULL;
	if (asprintf(&path, "%s%s", folder ? folder : home, folder ? "" : "/.docker") < 0) {
		path = NULL;
		error_memory(e);
		return NULL;
	}
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	text = dir < 0 ? NULL : path_read(dir, "config.json", CONFIG_SIZE_MAX, &size, e);
	if (!text && (e->kind == ERROR_NOT_FOUND || e->kind == ERROR_DENIED))
		e->kind = ERROR_NONE;
	return text ? json_parse(text, size, "docker's config.json", e) : NULL;
}

static bool is_given(const struct list *args, const char *name)
{
	size_t length = strlen(name);

	for (size_t i = 0; i < args->count; i++)
		if (strncmp(args->item[i], name, length) == 0 &&
		    (args->item[i][length] == '=' || !args->item[i][length]))
			return true;
	return false;
}

static int add(struct build_flags *flags, const char *variable, const char *value,
               struct error *e)
{
	const struct list *args = &flags->args;
	char lower[16];
	char *text = NULL;
	const char *kept;
	size_t i;

	for (i = 0; variable[i] && i + 1 < sizeof lower; i++)
		lower[i] = (char)tolower((unsigned char)variable[i]);
	lower[i] = '\0';
	if (is_given(args, variable) || is_given(args, lower))
		return 0;
	for (int spelling = 0; spelling < 2; spelling++) {
		if (asprintf(&text, "%s=%s", spelling ? lower : variable, value) < 0)
			text = NULL;
		kept = build_flags_keep(flags, text, e);
		if (!kept || list_add(&flags->args, kept, e) < 0)
			return -1;
	}
	return 0;
}

int proxies_add(struct build_flags *flags, struct error *e)
{
	struct error broken = { 0 };
	json_t *config = read_config(&broken);
	json_t *rows = json_object_get(json_object_get(config, "proxies"), "default");
	int result = broken.kind ? -1 : 0;

	if (result < 0)
		*e = broken;
	for (size_t i = 0; result == 0 && i < sizeof proxies / sizeof *proxies; i++) {
		const char *value = json_string_value(json_object_get(rows, proxies[i].key));

		if (value && *value)
			result = add(flags, proxies[i].variable, value, e);
	}
	json_decref(config);
	return result;
}
