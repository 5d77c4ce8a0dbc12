#include "layers/pax.h"

#include <stdlib.h>
#include <string.h>

#define XATTR_RECORD "SCHILY.xattr."

struct record {
	const char *key;
	char *value; /* with a NUL behind it; may hold others */
	size_t size;
};

bool pax_number(const char *text, int64_t *number)
{
	uint64_t value = 0;

	if (!*text)
		return false;
	for (const char *p = text; *p; p++) {
		if (*p < '0' || *p > '9' || value > (INT64_MAX - 9) / 10)
			return false;
		value = 10 * value + (uint64_t)(*p - '0');
	}
	*number = (int64_t)value;
	return true;
}

/* Seconds, perhaps negative, with a fraction that is rounded down. */
static bool pax_time(char *text, int64_t *seconds)
{
	bool negative = *text == '-';
	char *digits = text + negative, *point = strchr(digits, '.');
	bool fraction = false;

	if (point) {
		for (const char *p = point + 1; *p; p++) {
			if (*p < '0' || *p > '9')
				return false;
			fraction |= *p != '0';
		}
		*point = '\0';
	}
	if (!pax_number(digits, seconds))
		return false;
	if (negative)
		*seconds = -*seconds - fraction;
	return true;
}

static int malformed(const struct record *r, struct error *e)
{
	return error_set(e, ERROR_CORRUPT, "a malformed pax record \"%.40s\"", r->key);
}

/* A name is whole or refused; an empty one takes back what was said before. */
static int take_name(const struct record *r, const char **name, struct error *e)
{
	if (memchr(r->value, '\0', r->size))
		return malformed(r, e);
	*name = r->size > 0 ? r->value : NULL;
	return 0;
}

static int take_number(const struct record *r, int64_t *number, bool *given, struct error *e)
{
	*given = r->size > 0;
	if (*given && (memchr(r->value, '\0', r->size) || !pax_number(r->value, number)))
		return malformed(r, e);
	return 0;
}

static int take_time(const struct record *r, struct pax *pax, struct error *e)
{
	pax->has_mtime = r->size > 0;
	if (pax->has_mtime && (memchr(r->value, '\0', r->size) || !pax_time(r->value, &pax->mtime)))
		return malformed(r, e);
	return 0;
}

static int take_xattr(const struct record *r, struct pax *pax, struct error *e)
{
	struct xattr *grown = reallocarray(pax->xattrs, pax->xattr_count + 1, sizeof *grown);

	if (!grown)
		return error_memory(e);
	pax->xattrs = grown;
	grown[pax->xattr_count++] =
		(struct xattr){ r->key + strlen(XATTR_RECORD), r->value, (uint32_t)r->size };
	return 0;
}

/* Form 0.1: "offset,size,offset,size". */
static int take_map(const struct record *r, struct pax *pax, struct error *e)
{
	char *next = r->value, *field;
	int64_t numbers[2];
	int have = 0;

	if (memchr(r->value, '\0', r->size))
		return malformed(r, e);
	while ((field = strsep(&next, ","))) {
		if (!pax_number(field, &numbers[have++]))
			return malformed(r, e);
		if (have == 2 && sparse_add(&pax->sparse, numbers[0], numbers[1], e) < 0)
			return -1;
		have %= 2;
	}
	return have == 0 ? 0 : malformed(r, e);
}

/* Form 0.0 says each part in two records of its own. */
static int take_part(const struct record *r, struct pax *pax, bool is_offset, struct error *e)
{
	struct sparse *map = &pax->sparse;
	int64_t number;

	if (!pax_number(r->value, &number))
		return malformed(r, e);
	if (is_offset)
		return sparse_add(map, number, -1, e);
	if (map->count == 0 || map->part[map->count - 1].size >= 0)
		return malformed(r, e);
	map->part[map->count - 1].size = number;
	return 0;
}

static int take_sparse(const struct record *r, struct pax *pax, struct error *e)
{
	const char *key = r->key + strlen("GNU.sparse.");
	int64_t number;
	bool given;

	pax->is_sparse = true;
	if (strcmp(key, "name") == 0)
		return take_name(r, &pax->real_name, e);
	if (strcmp(key, "size") == 0 || strcmp(key, "realsize") == 0) {
		if (take_number(r, &pax->real_size, &given, e) < 0)
			return -1;
		return given ? 0 : malformed(r, e);
	}
	if (strcmp(key, "map") == 0)
		return take_map(r, pax, e);
	if (strcmp(key, "offset") == 0 || strcmp(key, "numbytes") == 0)
		return take_part(r, pax, *key == 'o', e);
	if (strcmp(key, "major") == 0) {
		if (!pax_number(r->value, &number) || number > 1)
			return malformed(r, e);
		pax->map_in_data = number == 1;
	}
	return 0;
}

static int take(const struct record *r, struct pax *pax, struct error *e)
{
	if (strcmp(r->key, "path") == 0)
		return take_name(r, &pax->path, e);
	if (strcmp(r->key, "linkpath") == 0)
		return take_name(r, &pax->link, e);
	if (strcmp(r->key, "size") == 0)
		return take_number(r, &pax->size, &pax->has_size, e);
	if (strcmp(r->key, "uid") == 0)
		return take_number(r, &pax->uid, &pax->has_uid, e);
	if (strcmp(r->key, "gid") == 0)
		return take_number(r, &pax->gid, &pax->has_gid, e);
	if (strcmp(r->key, "mtime") == 0)
		return take_time(r, pax, e);
	if (strncmp(r->key, XATTR_RECORD, strlen(XATTR_RECORD)) == 0)
		return take_xattr(r, pax, e);
	if (strncmp(r->key, "GNU.sparse.", strlen("GNU.sparse.")) == 0)
		return take_sparse(r, pax, e);
	if ((strcmp(r->key, "uname") == 0 || strcmp(r->key, "gname") == 0) &&
	    memchr(r->value, '\0', r->size))
		return malformed(r, e);
	return 0;
}

/* Cut one record off AT; *SIZE bytes are left. False when it is malformed. */
static bool cut_record(char **at, size_t *size, struct record *r)
{
	char *text = *at, *equals;
	size_t length = 0, digits = 0;

	while (digits < *size && digits < 8 && text[digits] >= '0' && text[digits] <= '9')
		length = 10 * length + (size_t)(text[digits++] - '0');
	if (digits == 0 || length <= digits + 1 || length > *size || text[digits] != ' ' ||
	    text[length - 1] != '\n')
		return false;
	text[length - 1] = '\0';
	r->key = text + digits + 1;
	equals = memchr(r->key, '=', length - digits - 2);
	if (!equals || equals == r->key || memchr(r->key, '\0', (size_t)(equals - r->key)))
		return false;
	*equals = '\0';
	r->value = equals + 1;
	r->size = (size_t)(text + length - 1 - r->value);
	*at += length;
	*size -= length;
	return true;
}

int pax_parse(struct pax *pax, char *text, size_t size, struct error *e)
{
	struct record record;

	pax->text = text;
	pax->real_size = -1;
	while (size > 0) {
		if (!cut_record(&text, &size, &record))
			return error_set(e, ERROR_CORRUPT, "a malformed pax record");
		if (take(&record, pax, e) < 0)
			return -1;
	}
	return 0;
}

void pax_release(struct pax *pax)
{
	free(pax->text);
	free(pax->xattrs);
	sparse_release(&pax->sparse);
	memset(pax, 0, sizeof *pax);
}
