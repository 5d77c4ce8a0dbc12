#include "layers/tar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layers/memory_stream.h"
#include "layers/scope.h"
#include "layers/xattr.h"

_Static_assert(sizeof(struct tar_header) == TAR_BLOCK, "a header is one block");

#define XATTR_RECORD "SCHILY.xattr."

/* What DIGITS octal digits can hold. */
#define OCTAL_MAX(digits) ((1LL << (3 * (digits))) - 1)

static const char types[] = {
	[ENTRY_FILE] = '0',  [ENTRY_DIR] = '5',      [ENTRY_SYMLINK] = '2',
	[ENTRY_HARDLINK] = '1', [ENTRY_CHAR] = '3',  [ENTRY_BLOCK] = '4',
	[ENTRY_FIFO] = '6',  [ENTRY_WHITEOUT] = '0', [ENTRY_OPAQUE] = '5',
};

size_t tar_padding(int64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}

/* NUMBER as octal digits with a NUL; what does not fit is left to the pax record. */
static bool put_octal(char *field, size_t size, int64_t number)
{
	bool fits = number >= 0 && number <= OCTAL_MAX(size - 1);
	uint64_t rest = fits ? (uint64_t)number : 0;

	for (size_t i = size - 1; i-- > 0; rest >>= 3)
		field[i] = (char)('0' + (rest & 7));
	return fits;
}

/* Where a NAME that is too long for its field divides into prefix and name: at the slash it
 * returns, or NULL. */
static const char *split_name(const char *name, size_t length)
{
	const struct tar_header *h = NULL;
	size_t last = length < sizeof h->prefix ? length : sizeof h->prefix;

	for (size_t i = last; i > 0; i--)
		if (name[i] == '/' && i + 1 < length && length - i - 1 <= sizeof h->name)
			return name + i;
	return NULL;
}

static bool put_name(struct tar_header *h, const char *name)
{
	size_t length = strlen(name);
	const char *slash;

	if (length <= sizeof h->name) {
		memcpy(h->name, name, length);
		return true;
	}
	slash = split_name(name, length);
	if (!slash) {
		memcpy(h->name, name, sizeof h->name);
		return false;
	}
	memcpy(h->prefix, name, (size_t)(slash - name));
	memcpy(h->name, slash + 1, length - (size_t)(slash + 1 - name));
	return true;
}

static bool put_link(struct tar_header *h, const char *link)
{
	size_t length = link ? strlen(link) : 0;

	memcpy(h->link, link ? link : "", length < sizeof h->link ? length : sizeof h->link);
	return length <= sizeof h->link;
}

static void seal(struct tar_header *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0;

	memcpy(h->magic, "ustar\00000", sizeof h->magic);
	memset(h->checksum, ' ', sizeof h->checksum);
	for (size_t i = 0; i < sizeof *h; i++)
		sum += bytes[i];
	put_octal(h->checksum, 7, sum);
}

bool tar_header(const struct entry *entry, const char *name, struct tar_header *h)
{
	bool fits;

	memset(h, 0, sizeof *h);
	put_octal(h->mode, sizeof h->mode, entry->mode);
	fits = put_name(h, name);
	fits &= put_link(h, entry->link);
	fits &= put_octal(h->uid, sizeof h->uid, entry->uid);
	fits &= put_octal(h->gid, sizeof h->gid, entry->gid);
	fits &= put_octal(h->size, sizeof h->size, entry->type == ENTRY_FILE ? entry->size : 0);
	fits &= put_octal(h->mtime, sizeof h->mtime, entry->mtime);
	h->type = types[entry->type];
	if (entry->type == ENTRY_CHAR || entry->type == ENTRY_BLOCK) {
		put_octal(h->major, sizeof h->major, entry->major);
		put_octal(h->minor, sizeof h->minor, entry->minor);
	}
	seal(h);
	return fits && entry->xattrs_size == 0;
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts its own digits. */
static void put_record(FILE *f, const char *prefix, const char *key, const void *value, size_t size)
{
	size_t rest = strlen(prefix) + strlen(key) + size + 3, length = rest + 1;

	while (length != rest + (size_t)snprintf(NULL, 0, "%zu", length))
		length = rest + (size_t)snprintf(NULL, 0, "%zu", length);
	fprintf(f, "%zu %s%s=", length, prefix, key);
	fwrite(value, size, 1, f);
	fputc('\n', f);
}

static void put_number(FILE *f, const char *key, int64_t number, int digits)
{
	char text[24];

	if (number < 0 || number > OCTAL_MAX(digits))
		put_record(f, "", key, text, (size_t)snprintf(text, sizeof text, "%lld", (long long)number));
}

/* Sorted by key, as capital letters come first. */
static void put_records(FILE *f, const struct entry *entry, const char *name)
{
	struct tar_header scratch = { .type = 0 };
	struct xattr x = { .name = NULL };

	while (xattr_next(entry, &x))
		put_record(f, XATTR_RECORD, x.name, x.value, x.size);
	put_number(f, "gid", entry->gid, 7);
	if (!put_link(&scratch, entry->link))
		put_record(f, "", "linkpath", entry->link, strlen(entry->link));
	put_number(f, "mtime", entry->mtime, 11);
	if (!put_name(&scratch, name))
		put_record(f, "", "path", name, strlen(name));
	if (entry->type == ENTRY_FILE)
		put_number(f, "size", entry->size, 11);
	put_number(f, "uid", entry->uid, 7);
}

char *tar_records(const struct entry *entry, const char *name, size_t *size)
{
	static const char zeros[TAR_BLOCK];
	struct tar_header h = { .name = "././@PaxHeader", .type = 'x' };
	char *bytes = NULL;
	FILE *f = memory_stream_open(&bytes, size);
	size_t body;

	if (!f)
		return NULL;
	fwrite(&h, sizeof h, 1, f);
	put_records(f, entry, name);
	body = (size_t)ftello(f) - sizeof h;
	fwrite(zeros, tar_padding((int64_t)body), 1, f);
	if (fclose(f) != 0) {
		free(bytes);
		return NULL;
	}
	put_octal(h.mode, sizeof h.mode, 0644);
	put_octal(h.uid, sizeof h.uid, 0);
	put_octal(h.gid, sizeof h.gid, 0);
	put_octal(h.size, sizeof h.size, (int64_t)body);
	put_octal(h.mtime, sizeof h.mtime, 0);
	seal(&h);
	memcpy(bytes, &h, sizeof h);
	return bytes;
}

bool tar_checksum_holds(const struct tar_header *h)
{
	const unsigned char *bytes = (const unsigned char *)h;
	unsigned sum = 0, high = 0;
	int64_t claimed;

	if (!tar_number(h->checksum, sizeof h->checksum, &claimed))
		return false;
	for (size_t i = 0; i < sizeof *h; i++) {
		sum += bytes[i];
		high += bytes[i] >> 7;
	}
	/* The field itself counts as blanks. */
	for (size_t i = 0; i < sizeof h->checksum; i++) {
		unsigned char byte = (unsigned char)h->checksum[i];

		sum += ' ' - byte;
		high -= byte >> 7;
	}
	return claimed == sum || claimed == (int64_t)sum - 256 * (int64_t)high;
}

/* Two's complement, the first bit being only a mark. */
static bool base_256(const unsigned char *field, size_t size, int64_t *number)
{
	bool negative = field[0] & 0x40;
	uint64_t value = negative ? UINT64_MAX : 0;

	for (size_t i = 0; i < size; i++) {
		unsigned char byte = i > 0 ? field[i] : negative ? field[0] : field[0] & 0x7f;

		if (value >> 55 != (negative ? 0x1ff : 0))
			return false;
		value = value << 8 | byte;
	}
	*number = (int64_t)value;
	return true;
}

bool tar_number(const char *field, size_t size, int64_t *number)
{
	const char *p = field, *end = field + size;
	uint64_t value = 0;

	if (*field & 0x80)
		return base_256((const unsigned char *)field, size, number);
	while (p < end && *p == ' ')
		p++;
	for (; p < end && *p >= '0' && *p <= '7'; p++)
		value = value << 3 | (uint64_t)(*p - '0'); /* at most 12 digits: 36 bits */
	for (; p < end; p++)
		if (*p != ' ' && *p != '\0')
			return false;
	*number = (int64_t)value;
	return true;
}
