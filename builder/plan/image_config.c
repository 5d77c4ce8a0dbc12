#include "builder/plan/image_config.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"
#include "parser/text.h"

/* What instructions look at, and must be able to trust. */
static const struct member {
	const char *key;
	json_type type;
	json_type inner;         /* of what is in it; JSON_NULL: anything */
} members[] = {
	{ "Env", JSON_ARRAY, JSON_STRING },
	{ "Cmd", JSON_ARRAY, JSON_STRING },
	{ "Entrypoint", JSON_ARRAY, JSON_STRING },
	{ "Shell", JSON_ARRAY, JSON_STRING },
	{ "OnBuild", JSON_ARRAY, JSON_STRING },
	{ "User", JSON_STRING, JSON_NULL },
	{ "WorkingDir", JSON_STRING, JSON_NULL },
	{ "StopSignal", JSON_STRING, JSON_NULL },
	{ "Labels", JSON_OBJECT, JSON_STRING },
	{ "ExposedPorts", JSON_OBJECT, JSON_NULL },
	{ "Volumes", JSON_OBJECT, JSON_NULL },
	{ "Healthcheck", JSON_OBJECT, JSON_NULL },
};

static bool holds_only(const json_t *container, json_type inner)
{
	const char *key;
	json_t *value;
	size_t i;

	if (inner == JSON_NULL)
		return true;
	if (json_is_array(container)) {
		json_array_foreach(container, i, value)
			if (json_typeof(value) != inner)
				return false;
	} else {
		json_object_foreach((json_t *)container, key, value)
			if (json_typeof(value) != inner)
				return false;
	}
	return true;
}

static int check(const json_t *config, struct error *e)
{
	for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
		const struct member *m = &members[i];
		const json_t *value = json_object_get(config, m->key);

		if (value && (json_typeof(value) != m->type || !holds_only(value, m->inner)))
			return error_set(e, ERROR_INPUT, "the image's config.%s is not of its type",
			                 m->key);
	}
	return 0;
}

/* Go writes members without a value as null; to readers that is the same as none. */
static void drop_nulls(json_t *object)
{
	const char *key;
	json_t *value;
	void *next;

	json_object_foreach_safe(object, next, key, value)
		if (json_is_null(value))
			json_object_del(object, key);
}

json_t *config_scratch(const struct platform *platform)
{
	json_t *document = json_pack("{s:{s:s,s:[s]}}", "config", "WorkingDir", "/", "Env",
	                             "PATH=" DEFAULT_PATH);

	if (document && !config_set_platform(document, platform)) {
		json_decref(document);
		return NULL;
	}
	return document;
}

json_t *config_inherit(const json_t *base, struct error *e)
{
	json_t *document = json_deep_copy(base);
	json_t *config;

	if (!document) {
		error_memory(e);
		return NULL;
	}
	drop_nulls(document);
	json_object_del(document, "created");
	config = json_object_get(document, "config");
	if (!config && json_object_set_new(document, "config", config = json_object()) < 0) {
		error_memory(e);
		goto fail;
	}
	if (!json_is_object(config)) {
		error_set(e, ERROR_INPUT, "the image's config.config is not an object");
		goto fail;
	}
	drop_nulls(config);
	if (check(config, e) == 0)
		return document;
fail:
	json_decref(document);
	return NULL;
}

json_t *config_get(const json_t *document, const char *key)
{
	return json_object_get(json_object_get(document, "config"), key);
}

const char *config_text(const json_t *document, const char *key)
{
	const char *text = json_string_value(config_get(document, key));

	return text ? text : "";
}

/* TEXT with every byte that is not UTF-8 replaced. */
static json_t *repaired(const char *text)
{
	const char *end = text + strlen(text);
	auto_free char *good = malloc(3 * (size_t)(end - text) + 1);
	char *to = good;

	if (!good)
		return NULL;
	while (text < end) {
		uint32_t c;
		size_t width = text_decode(text, end, &c);

		to = c >= TEXT_NOT_UTF8 ? stpcpy(to, "\xef\xbf\xbd") : mempcpy(to, text, width);
		text += width;
	}
	*to = '\0';
	return json_string(good);
}

json_t *config_string(const char *text)
{
	json_t *string = json_string(text);

	return string ? string : repaired(text);
}

bool config_set(json_t *document, const char *key, json_t *value)
{
	return json_object_set_new(json_object_get(document, "config"), key, value) == 0;
}

void config_clear(json_t *document, const char *key)
{
	json_object_del(json_object_get(document, "config"), key);
}

bool config_set_text(json_t *document, const char *key, const char *text)
{
	if (*text)
		return config_set(document, key, config_string(text));
	config_clear(document, key);
	return true;
}

bool config_set_words(json_t *document, const char *key, const char *const *words, size_t count)
{
	json_t *list;

	if (count == 0) {
		config_clear(document, key);
		return true;
	}
	list = json_array();
	for (size_t i = 0; i < count; i++)
		if (json_array_append_new(list, config_string(words[i])) < 0) {
			json_decref(list);
			return false;
		}
	return config_set(document, key, list);
}

/* The member KEY, made EMPTY when it is not there yet. EMPTY is given away. */
static json_t *member(json_t *document, const char *key, json_t *empty)
{
	json_t *there = config_get(document, key);

	if (there) {
		json_decref(empty);
		return there;
	}
	return config_set(document, key, empty) ? empty : NULL;
}

static bool set_in(json_t *object, const char *name, json_t *value)
{
	json_t *key = config_string(name);
	int result = key ? json_object_set_new(object, json_string_value(key), value) : -1;

	json_decref(key);
	return result == 0;
}

bool config_add(json_t *document, const char *key, const char *name)
{
	return set_in(member(document, key, json_object()), name, json_object());
}

bool config_label(json_t *document, const char *name, const char *value)
{
	return set_in(member(document, "Labels", json_object()), name, config_string(value));
}

bool config_append(json_t *document, const char *key, const char *text)
{
	return json_array_append_new(member(document, key, json_array()), config_string(text)) == 0;
}

bool config_set_platform(json_t *document, const struct platform *platform)
{
	json_t *architecture = json_string(platform->architecture);

	if (json_object_set_new(document, "architecture", architecture) < 0 ||
	    json_object_set_new(document, "os", json_string(platform->os)) < 0)
		return false;
	json_object_del(document, "variant");
	return !*platform->variant ||
	       json_object_set_new(document, "variant", json_string(platform->variant)) == 0;
}

void config_platform(const json_t *document, struct platform *platform)
{
	platform_set(platform, json_string_value(json_object_get(document, "os")),
	             json_string_value(json_object_get(document, "architecture")),
	             json_string_value(json_object_get(document, "variant")),
	             json_string_value(json_object_get(document, "os.version")));
}
