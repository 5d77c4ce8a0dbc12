#include "builder/sandbox/passwd.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "layers/scope.h"

enum { FIELDS = 7 };

/* A line of either file, cut at its colons. */
struct line {
	const char *field[FIELDS];
	size_t length[FIELDS];
	unsigned count;
};

/* Decimal digits and nothing else; 4294967295 is "no id" to the kernel. */
static bool to_id(const char *text, size_t length, uint32_t *id)
{
	uint64_t value = 0;

	if (length == 0 || length > 10)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		value = 10 * value + (uint64_t)(text[i] - '0');
	}
	if (value >= UINT32_MAX)
		return false;
	*id = (uint32_t)value;
	return true;
}

/* Cut the line at *TEXT and go on to the next; false at the end of the text. */
static bool next_line(const char **text, struct line *line)
{
	const char *p = *text, *end;

	if (!p || !*p)
		return false;
	end = p + strcspn(p, "\n");
	line->count = 0;
	while (line->count < FIELDS) {
		size_t length = strcspn(p, ":\n");

		line->field[line->count] = p;
		line->length[line->count++] = length;
		p += length;
		if (p >= end)
			break;
		p++;
	}
	*text = *end ? end + 1 : end;
	return true;
}

static bool is(const struct line *line, unsigned field, const char *text, size_t length)
{
	return line->length[field] == length && memcmp(line->field[field], text, length) == 0;
}

struct entry {
	uint32_t uid, gid;
	const char *name, *home;
	size_t name_length, home_length;
};

/* The first user of this name, or, when NAME is NULL, of this number. */
static bool find_user(const char *passwd, const char *name, size_t length, uint32_t uid,
                      struct entry *found)
{
	struct line line;

	while (next_line(&passwd, &line)) {
		struct entry u = { .name = line.field[0], .name_length = line.length[0] };

		if (line.count < 4 || u.name_length == 0 || u.name[0] == '#' ||
		    !to_id(line.field[2], line.length[2], &u.uid) ||
		    !to_id(line.field[3], line.length[3], &u.gid))
			continue;
		if (name ? !is(&line, 0, name, length) : u.uid != uid)
			continue;
		if (line.count > 5) {
			u.home = line.field[5];
			u.home_length = line.length[5];
		}
		*found = u;
		return true;
	}
	return false;
}

static bool find_group(const char *group, const char *name, size_t length, uint32_t *gid)
{
	struct line line;

	while (next_line(&group, &line))
		if (line.count >= 3 && line.field[0][0] != '#' && is(&line, 0, name, length) &&
		    to_id(line.field[2], line.length[2], gid))
			return true;
	return false;
}

static bool is_member(const char *list, size_t size, const char *name, size_t length)
{
	for (const char *end = list + size; list < end;) {
		const char *comma = memchr(list, ',', (size_t)(end - list));
		size_t one = (size_t)((comma ? comma : end) - list);

		if (one == length && memcmp(list, name, length) == 0)
			return true;
		list += one + 1;
	}
	return false;
}

static int add_group(struct passwd_user *user, gid_t gid, struct error *e)
{
	gid_t *groups;

	for (size_t i = 0; i < user->group_count; i++)
		if (user->groups[i] == gid)
			return 0;
	groups = reallocarray(user->groups, user->group_count + 1, sizeof *groups);
	if (!groups)
		return error_memory(e);
	user->groups = groups;
	groups[user->group_count++] = gid;
	return 0;
}

/* The groups whose member lists have NAME. */
static int add_memberships(struct passwd_user *user, const char *group, const struct entry *who,
                           struct error *e)
{
	struct line line;
	uint32_t gid;

	while (next_line(&group, &line)) {
		if (line.count < 4 || line.field[0][0] == '#' ||
		    !to_id(line.field[2], line.length[2], &gid) ||
		    !is_member(line.field[3], line.length[3], who->name, who->name_length))
			continue;
		if (add_group(user, gid, e) < 0)
			return -1;
	}
	return 0;
}

static int fill(struct passwd_user *user, const char *passwd, const char *group, const char *spec,
                struct error *e)
{
	size_t length = strcspn(spec, ":");
	const char *explicit = spec[length] ? spec + length + 1 : "";
	struct entry who = { 0 };
	bool number = length == 0 || to_id(spec, length, &who.uid), listed;

	/* A name may consist of digits, but Docker asks for the number first. */
	listed = find_user(passwd, number ? NULL : spec, length, who.uid, &who);
	if (!listed && !number)
		return error_set(e, ERROR_INPUT,
		                 "unable to find user %.*s: no matching entries in passwd file",
		                 (int)length, spec);
	user->uid = who.uid;
	user->gid = who.gid;
	user->home = who.home_length > 0 ? strndup(who.home, who.home_length) : strdup("/");
	if (!user->home)
		return error_memory(e);
	if (*explicit && !to_id(explicit, strlen(explicit), &user->gid) &&
	    !find_group(group, explicit, strlen(explicit), &user->gid))
		return error_set(e, ERROR_INPUT,
		                 "unable to find group %s: no matching entries in group file", explicit);
	if (add_group(user, user->gid, e) < 0)
		return -1;
	return listed && !*explicit ? add_memberships(user, group, &who, e) : 0;
}

int passwd_resolve(const char *passwd, const char *group, const char *spec,
                   struct passwd_user *user, struct error *e)
{
	*user = (struct passwd_user) { 0 };
	if (fill(user, passwd, group, spec, e) < 0) {
		passwd_release(user);
		return -1;
	}
	return 0;
}

void passwd_release(struct passwd_user *user)
{
	free(user->groups);
	free(user->home);
	*user = (struct passwd_user) { 0 };
}

int passwd_owner(const char *passwd, const char *group, const char *spec, uid_t *uid, gid_t *gid,
                 struct error *e)
{
	size_t length = strcspn(spec, ":");
	const char *explicit = spec[length] ? spec + length + 1 : "";
	struct entry who = { 0 };

	if (strchr(explicit, ':'))
		return error_set(e, ERROR_INPUT, "\"%s\" is not USER[:GROUP]", spec);
	*uid = *gid = 0;
	if (to_id(spec, length, uid)) {
		*gid = *uid;
	} else if (find_user(passwd, spec, length, 0, &who)) {
		*uid = who.uid;
		*gid = who.gid;
	} else if (length > 0) {
		return error_set(e, ERROR_NOT_FOUND, "the image has no user %.*s in /etc/passwd", (int)length,
		                 spec);
	}
	if (!*explicit || to_id(explicit, strlen(explicit), gid) ||
	    find_group(group, explicit, strlen(explicit), gid))
		return 0;
	return error_set(e, ERROR_NOT_FOUND, "the image has no group %s in /etc/group", explicit);
}
