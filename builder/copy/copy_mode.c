#include "builder/copy/copy_mode.h"

#include <stdlib.h>
#include <string.h>

static const struct {
	char letter;
	unsigned mask; /* the bits that a clause about it may touch */
} classes[] = {
	{ 'u', 04700 },
	{ 'g', 02070 },
	{ 'o', 00007 },
	{ 'a', 06777 },
};

#define STICKY 01000

static unsigned class_mask(char letter)
{
	for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
		if (classes[i].letter == letter)
			return classes[i].mask;
	return 0;
}

/* The permissions that LETTER stands for, in all three classes. */
static unsigned permission_bits(char letter, unsigned mode, bool is_dir)
{
	switch (letter) {
	case 'r':
		return 0444;
	case 'w':
		return 0222;
	case 'x':
		return 0111;
	case 'X':
		return is_dir || mode & 0111 ? 0111 : 0;
	case 's':
		return 06000;
	case 't':
		return STICKY;
	case 'u':
		return (mode >> 6 & 7) * 0111;
	case 'g':
		return (mode >> 3 & 7) * 0111;
	default:
		return (mode & 7) * 0111; /* 'o' */
	}
}

/* One action, as "+rw": its length. */
static size_t act(const char *p, unsigned mask, unsigned *mode, bool is_dir)
{
	size_t length = 1 + strspn(p + 1, "rwxXstugo");
	unsigned bits = 0;

	for (size_t i = 1; i < length; i++)
		bits |= permission_bits(p[i], *mode, is_dir);
	/* The sticky bit belongs to no class. */
	if (bits & STICKY || p[0] == '=')
		mask |= mask == 06777 ? STICKY : bits & STICKY;
	if (p[0] == '=')
		*mode &= ~mask;
	if (p[0] == '-')
		*mode &= ~(bits & mask);
	else
		*mode |= bits & mask;
	return length;
}

unsigned copy_mode_apply(const struct copy_mode *m, unsigned mode, bool is_dir)
{
	if (!m->given)
		return mode;
	if (m->octal)
		return m->bits;
	for (const char *p = m->text; *p; p += *p == ',') {
		unsigned mask = 0;

		while (class_mask(*p))
			mask |= class_mask(*p++);
		if (!mask)
			mask = class_mask('a');
		while (*p && *p != ',')
			p += act(p, mask, &mode, is_dir);
	}
	return mode;
}

static bool is_symbolic(const char *p)
{
	if (!*p)
		return false;
	for (;;) {
		p += strspn(p, "ugoa");
		if (!*p || !strchr("+-=", *p))
			return false;
		while (*p && strchr("+-=", *p))
			p += 1 + strspn(p + 1, "rwxXstugo");
		if (!*p)
			return true;
		if (*p++ != ',')
			return false;
	}
}

int copy_mode_parse(const char *text, struct copy_mode *m, struct error *e)
{
	size_t digits;

	*m = (struct copy_mode){ .given = text && *text, .text = text };
	if (!m->given)
		return 0;
	digits = strspn(text, "01234567");
	if (!text[digits]) {
		m->octal = true;
		m->bits = digits < 20 ? (unsigned)strtoul(text, NULL, 8) : 010000;
		if (digits < 20 && strtoul(text, NULL, 8) <= 07777)
			return 0;
	} else if (is_symbolic(text)) {
		return 0;
	}
	return error_set(e, ERROR_INPUT,
	                 "invalid chmod parameter: '%s'. it should be octal string and "
	                 "between 0 and 07777, or changes such as u=rwX,go=rX",
	                 text);
}
