#include "parser/mount.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "parser/flags.h"
#include "parser/suggest.h"
#include "parser/text.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

static const char *const types[] = { "bind", "cache", "tmpfs", "secret", "ssh" };
static const char *const sharings[] = { "shared", "private", "locked" };

/* An option being read into a mount. */
struct option {
	struct mount *mount;
	const char *key;                /* lower case */
	const char *field;              /* the whole of it, as written */
	char *value;                    /* expanded; NULL: a key alone */
	bool *said_read_only, *said_sharing;
	struct syntax_error *e;
};

const char *mount_type_name(enum mount_type type)
{
	return types[type];
}

void mount_release(struct mount *mount)
{
	free(mount->from);
	free(mount->source);
	free(mount->target);
	free(mount->id);
	free(mount->env);
	*mount = (struct mount){ .mode = -1, .uid = -1, .gid = -1 };
}

/* --- values ---------------------------------------------------------------------------------- */

static int invalid(struct option *o)
{
	return syntax_error_set(o->e, "invalid value for %s: %s", o->key, o->value);
}

static int unexpected_for_type(struct option *o)
{
	return syntax_error_set(o->e, "unexpected key '%s' for mount type '%s'", o->key,
	                        types[o->mount->type]);
}

/* The place of the value among COUNT WORDS, without regard to case, or -1 and E. */
static int one_of(struct option *o, const char *what, const char *const *words, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (text_same(words[i], o->value))
			return i;
	}
	syntax_error_set(o->e, "unsupported %s \"%s\"", what, o->value);
	return suggest(o->e, o->value, words, count);
}

static int set_type(struct option *o)
{
	int type = one_of(o, "mount type", types, COUNT(types));

	if (type >= 0)
		o->mount->type = type;
	return type;
}

static int set_sharing(struct option *o)
{
	int sharing = one_of(o, "sharing value", sharings, COUNT(sharings));

	if (sharing >= 0)
		o->mount->sharing = sharing;
	*o->said_sharing = true;
	return sharing;
}

/* Take the value over into the string that the key names. */
static int set_string(struct option *o)
{
	struct mount *m = o->mount;
	char **to = strcmp(o->key, "from") == 0 ? &m->from : *o->key == 's' ? &m->source :
	            strcmp(o->key, "id") == 0 ? &m->id : strcmp(o->key, "env") == 0 ? &m->env :
	            &m->target;

	free(*to);
	*to = o->value;
	o->value = NULL;
	return 0;
}

static int boolean(struct option *o)
{
	int yes = o->value ? flag_boolean(o->value, strlen(o->value)) : 1;

	return yes < 0 ? invalid(o) : yes;
}

static int set_read_only(struct option *o)
{
	int yes = boolean(o);

	o->mount->read_only = yes > 0;
	*o->said_read_only = true;
	return yes;
}

static int set_read_write(struct option *o)
{
	int yes = set_read_only(o);

	o->mount->read_only = yes == 0;
	return yes;
}

static int set_required(struct option *o)
{
	int yes;

	if (o->mount->type != MOUNT_SECRET && o->mount->type != MOUNT_SSH)
		return unexpected_for_type(o);
	yes = boolean(o);
	o->mount->required = yes > 0;
	return yes;
}

static int set_number(struct option *o)
{
	struct mount *m = o->mount;
	int64_t *to = *o->key == 'm' ? &m->mode : *o->key == 'u' ? &m->uid : &m->gid;
	char last = to == &m->mode ? '7' : '9';
	int64_t value = 0;
	const char *p = o->value;

	for (; *p >= '0' && *p <= last && value <= UINT32_MAX; p++)
		value = value * (last - '0' + 1) + (*p - '0');
	if (p == o->value || *p || value > UINT32_MAX)
		return syntax_error_set(o->e, "invalid value %s for %s", o->value, o->key);
	*to = value;
	return 0;
}

/* "64m", "1.5 GiB": a number, perhaps a blank, perhaps a unit of 1024. */
static int set_size(struct option *o)
{
	static const char units[] = "kmgtp";
	const char *p = o->value, *unit;
	double value = 0, scale = 1;

	if (o->mount->type != MOUNT_TMPFS)
		return unexpected_for_type(o);
	if (*p < '0' || *p > '9')
		return invalid(o);
	for (; *p >= '0' && *p <= '9'; p++)
		value = value * 10 + (*p - '0');
	for (p += *p == '.'; *p >= '0' && *p <= '9'; p++) {
		scale /= 10;
		value += (*p - '0') * scale;
	}
	p += *p == ' ';
	unit = *p ? strchr(units, *p | 0x20) : NULL;
	if (unit) {
		value *= (double)((int64_t)1 << 10 * (unit - units + 1));
		p++;
		p += (*p | 0x20) == 'i';
	}
	p += (*p | 0x20) == 'b';
	if (*p || value >= (double)INT64_MAX)
		return invalid(o);
	o->mount->size = value;
	return 0;
}

/* --- options --------------------------------------------------------------------------------- */

static const struct key {
	const char *name;
	int (*set)(struct option *o);
	bool alone;                     /* "ro" means "ro=true" */
} keys[] = {
	{ "type", set_type },
	{ "from", set_string },
	{ "source", set_string },
	{ "target", set_string },
	{ "readonly", set_read_only, true },
	{ "id", set_string },
	{ "sharing", set_sharing },
	{ "required", set_required, true },
	{ "size", set_size },
	{ "mode", set_number },
	{ "uid", set_number },
	{ "gid", set_number },
	{ "src", set_string },
	{ "dst", set_string },
	{ "destination", set_string },
	{ "ro", set_read_only, true },
	{ "rw", set_read_write, true },
	{ "readwrite", set_read_write, true },
	{ "env", set_string },
};

static int set(struct option *o)
{
	const char *names[COUNT(keys)];

	for (size_t i = 0; i < COUNT(keys); i++) {
		names[i] = keys[i].name;
		if (!text_same(keys[i].name, o->key) || !(o->value || keys[i].alone))
			continue;
		o->key = keys[i].name;
		return keys[i].set(o);
	}
	if (!o->value)
		return syntax_error_set(o->e, "invalid field '%s' must be a key=value pair",
		                        o->field);
	syntax_error_set(o->e, "unexpected key '%s' in '%s'", o->key, o->field);
	return suggest(o->e, o->key, names, COUNT(keys));
}

/* Take FIELD, "key=value" or "key", apart and set what it says. */
static int read_field(struct option *o, char *field, const struct expansion *how)
{
	char *equals = strchr(field, '='), *key = strndup(field, strcspn(field, "="));
	bool from = equals && key && text_same(key, "from"), known = how || from;
	int status = 0;

	o->field = field;
	o->key = key;
	o->value = NULL;
	if (!key)
		return syntax_error_set(o->e, "out of memory");
	for (char *p = key; *p; p++)
		*p |= *p >= 'A' && *p <= 'Z' ? 0x20 : 0;
	if (from && strchr(equals, '$') && strchr(equals, '$')[1])
		status = syntax_error_set(o->e, "'from' doesn't support variable expansion, "
		                                "define alias stage instead");
	else if (known && equals)
		o->value = from ? strdup(equals + 1) : expand(equals + 1, how, o->e);
	if (status == 0 && known && equals && !o->value) {
		status = from ? syntax_error_set(o->e, "out of memory") : -1;
		if (o->e && o->e->column)
			o->e->column += equals + 1 - field;
	}
	if (status == 0 && known)
		status = set(o);
	free(o->value);
	free(key);
	return status;
}

/* Take one field off the CSV record at *AT, unquoted in place, and move *AT to the next, or to NULL
 * behind the last. Source: RFC 4180.
 */
static char *next_field(char **at, struct syntax_error *e)
{
	char *field = *at, *in = field, *out = field;
	bool closed;

	if (*in != '"') {
		in += strcspn(in, ",\"");
		out = in;
		if (*in == '"') {
			syntax_error_set(e, "failed to parse csv mounts: bare \" in "
			                    "non-quoted field");
			return NULL;
		}
	} else {
		for (in++; *in && (*in != '"' || in[1] == '"'); *out++ = *in++)
			in += *in == '"';
		closed = *in == '"';
		in += closed;
		if (!closed || (*in && *in != ',')) {
			syntax_error_set(e, "failed to parse csv mounts: extraneous or missing "
			                    "\" in quoted-field");
			return NULL;
		}
	}
	*at = *in ? in + 1 : NULL;
	*out = '\0';
	return field;
}

/* What the options say together. */
static int check(struct mount *m, bool said_sharing, struct syntax_error *e)
{
	const char *type = types[m->type];
	const char *number = m->mode >= 0 ? "mode" : m->uid >= 0 ? "uid" :
	                     m->gid >= 0 ? "gid" : NULL;

	if (number && (m->type == MOUNT_BIND || m->type == MOUNT_TMPFS))
		return syntax_error_set(e, "%s not allowed for \"%s\" type mounts", number, type);
	if (m->type == MOUNT_SECRET) {
		bool source = m->source && *m->source, id = m->id && *m->id;

		if (m->from && *m->from)
			return syntax_error_set(e, "secret mount should not have a from");
		if (said_sharing)
			return syntax_error_set(e, "secret mount should not define sharing");
		if (!source && !id && !(m->target && *m->target))
			return syntax_error_set(e, "invalid secret mount. one of source, "
			                           "target required");
		if (source && id)
			return syntax_error_set(e, "both source and id can't be set");
	}
	if (said_sharing && m->type != MOUNT_CACHE)
		return syntax_error_set(e, "invalid cache sharing set for %s mount", type);
	return 0;
}

int mount_parse(const char *value, const struct expansion *how, struct mount *mount,
                struct syntax_error *e)
{
	bool said_read_only = false, said_sharing = false;
	struct option o = {
		.mount = mount, .said_read_only = &said_read_only,
		.said_sharing = &said_sharing, .e = e,
	};
	char *record = strdup(value);
	int status = record ? 0 : syntax_error_set(e, "out of memory");

	*mount = (struct mount){ .mode = -1, .uid = -1, .gid = -1 };
	for (char *at = record; status >= 0 && at;) {
		int before = at - record;
		char *field = next_field(&at, e);

		status = field ? read_field(&o, field, how) : -1;
		if (status < 0 && e)
			e->column = before + (e->column ? e->column : 1);
	}
	free(record);
	if (!said_read_only)
		mount->read_only = mount->type != MOUNT_CACHE && mount->type != MOUNT_TMPFS;
	if (status >= 0 && how)
		status = check(mount, said_sharing, e);
	if (status >= 0)
		return 0;
	mount_release(mount);
	return -1;
}
