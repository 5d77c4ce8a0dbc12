#include "layers/record.h"

#include <errno.h>
#include <string.h>

struct record {
	int64_t size, mtime, offset;
	struct digest digest;
	uint32_t type, mode, uid, gid, major, minor;
	uint32_t path_size, link_size; /* with their NUL; a link_size of 0 is no link */
	uint32_t xattrs_size;
	uint32_t total;                /* of the whole record with its padding */
};

_Static_assert(sizeof(struct record) % 8 == 0, "records follow each other without gaps");

ssize_t record_write(FILE *file, const struct entry *entry)
{
	static const char padding[8];
	struct record r = {
		.size = entry->size, .mtime = entry->mtime, .offset = entry->offset,
		.digest = entry->digest, .type = entry->type, .mode = entry->mode,
		.uid = entry->uid, .gid = entry->gid, .major = entry->major, .minor = entry->minor,
		.path_size = (uint32_t)strlen(entry->path) + 1,
		.link_size = entry->link ? (uint32_t)strlen(entry->link) + 1 : 0,
		.xattrs_size = entry->xattrs_size,
	};
	size_t used = sizeof r + r.path_size + r.link_size + r.xattrs_size;

	r.total = (uint32_t)(used + 7) & ~7U;
	fwrite_unlocked(&r, sizeof r, 1, file);
	fwrite_unlocked(entry->path, r.path_size, 1, file);
	if (r.link_size)
		fwrite_unlocked(entry->link, r.link_size, 1, file);
	if (r.xattrs_size)
		fwrite_unlocked(entry->xattrs, r.xattrs_size, 1, file);
	fwrite_unlocked(padding, r.total - used, 1, file);
	return ferror_unlocked(file) ? -1 : (ssize_t)r.total;
}

/* Attributes are walked without looking at their end again, so it is looked at here. */
static bool xattrs_are_whole(const unsigned char *p, size_t size)
{
	while (size > 0) {
		size_t name = strnlen((const char *)p, size) + 1;
		uint32_t value;

		if (name + sizeof value > size)
			return false;
		memcpy(&value, p + name, sizeof value);
		if (value > size - name - sizeof value)
			return false;
		p += name + sizeof value + value;
		size -= name + sizeof value + value;
	}
	return true;
}

bool record_read(const unsigned char *bytes, size_t limit, struct entry *entry)
{
	const unsigned char *path = bytes + sizeof(struct record), *link, *xattrs;
	struct record r;

	*entry = (struct entry){ .path = "", .type = ENTRY_DIR };
	if (limit < sizeof r)
		return false;
	memcpy(&r, bytes, sizeof r);
	if (r.total > limit || r.path_size == 0 || r.type > ENTRY_OPAQUE ||
	    (uint64_t)sizeof r + r.path_size + r.link_size + r.xattrs_size > r.total)
		return false;
	link = path + r.path_size;
	xattrs = link + r.link_size;
	if (link[-1] || (r.link_size && xattrs[-1]) || !xattrs_are_whole(xattrs, r.xattrs_size))
		return false;
	*entry = (struct entry){
		.path = (const char *)path,
		.link = r.link_size ? (const char *)link : NULL,
		.xattrs = r.xattrs_size ? xattrs : NULL,
		.xattrs_size = r.xattrs_size,
		.type = r.type, .mode = r.mode, .uid = r.uid, .gid = r.gid,
		.major = r.major, .minor = r.minor,
		.size = r.size, .mtime = r.mtime, .offset = r.offset, .digest = r.digest,
	};
	return true;
}
