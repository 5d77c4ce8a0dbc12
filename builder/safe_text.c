#include "builder/safe_text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "layers/memory_stream.h"

/* How many bytes of a well-formed UTF-8 character, that is no control character, stand at S; 0 when
 * there is none. RFC 3629, section 4. */
static size_t character(const unsigned char *s, size_t size)
{
	static const struct {
		unsigned char first_low, first_high, second_low, second_high, length;
	} forms[] = {
		{ 0xc2, 0xc2, 0xa0, 0xbf, 2 }, /* from U+00A0 on: C1 controls are before */
		{ 0xc3, 0xdf, 0x80, 0xbf, 2 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 3 }, { 0xe1, 0xec, 0x80, 0xbf, 3 },
		{ 0xed, 0xed, 0x80, 0x9f, 3 }, { 0xee, 0xef, 0x80, 0xbf, 3 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 4 }, { 0xf1, 0xf3, 0x80, 0xbf, 4 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 4 },
	};

	if (s[0] < 0x80)
		return s[0] == '\t' || (s[0] >= ' ' && s[0] != 0x7f);
	for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
		if (s[0] < forms[i].first_low || s[0] > forms[i].first_high)
			continue;
		if (size < forms[i].length || s[1] < forms[i].second_low ||
		    s[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].length; k++)
			if ((s[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].length;
	}
	return 0;
}

/* The length of the SGR sequence at S ("\e[1;31m"), or 0. */
static size_t colour_sequence(const unsigned char *s, size_t size)
{
	size_t i = 2;

	if (size < 3 || s[0] != 0x1b || s[1] != '[')
		return 0;
	while (i < size && i < 32 && (s[i] == ';' || (s[i] >= '0' && s[i] <= '9')))
		i++;
	return i < size && s[i] == 'm' ? i + 1 : 0;
}

void safe_output(FILE *out, const char *bytes, size_t size)
{
	const unsigned char *s = (const unsigned char *)bytes;
	size_t plain = 0, i = 0;

	while (i < size) {
		size_t n = character(s + i, size - i);

		if (n) {
			i += n;
			continue;
		}
		fwrite_unlocked(s + plain, 1, i - plain, out);
		n = colour_sequence(s + i, size - i);
		if (!n && s[i] == '\n')
			fputs_unlocked("\\n", out);
		else if (!n)
			fprintf(out, "\\x%02x", s[i]);
		i += n ? n : 1;
		plain = i;
	}
	fwrite_unlocked(s + plain, 1, size - plain, out);
}

static bool ends_with(const char *text, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - text) >= length && strncasecmp(end - length, word, length) == 0;
}

/* Where the next password of SIZE bytes of TEXT is, and how long. Of http a user without a password
 * is a token; of others ("ssh://git@host") a name. SIZE when there is none. */
static size_t find_password(const char *text, size_t size, size_t *length)
{
	const char *end = text + size, *at = text;

	while ((at = memmem(at, (size_t)(end - at), "://", 3))) {
		const char *user = at + 3, *host, *colon;
		size_t authority = 0;

		while (user + authority < end && (unsigned char)user[authority] > ' ' &&
		       !strchr("/?#\"'\\", user[authority]))
			authority++;
		host = memrchr(user, '@', authority);
		colon = host ? memchr(user, ':', (size_t)(host - user)) : NULL;
		if (colon || (host && (ends_with(text, at, "http") || ends_with(text, at, "https")))) {
			const char *secret = colon ? colon + 1 : user;

			*length = (size_t)(host - secret);
			return (size_t)(secret - text);
		}
		at = user;
	}
	return size;
}

static void write_masked(FILE *out, const char *text, size_t size,
                         void (*write)(FILE *, const char *, size_t))
{
	while (size > 0) {
		size_t length = 0, plain = find_password(text, size, &length);

		write(out, text, plain);
		if (plain < size)
			fputs_unlocked("xxxxx", out);
		text += plain + length;
		size -= plain + length;
	}
}

void safe_text(FILE *out, const char *bytes, size_t size)
{
	write_masked(out, bytes, size, safe_output);
}

static char *masked_copy(const char *text, void (*write)(FILE *, const char *, size_t))
{
	char *copy = NULL;
	size_t size;
	FILE *f = memory_stream_open(&copy, &size);

	if (!f)
		return NULL;
	write_masked(f, text, strlen(text), write);
	if (fclose(f) != 0) {
		free(copy);
		return NULL;
	}
	return copy;
}

char *safe_copy(const char *text)
{
	return masked_copy(text, safe_output);
}

static void write_plain(FILE *out, const char *bytes, size_t size)
{
	fwrite_unlocked(bytes, 1, size, out);
}

char *mask_passwords(const char *text)
{
	return masked_copy(text, write_plain);
}
