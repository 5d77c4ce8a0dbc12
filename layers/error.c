#include "layers/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *e, enum error_kind kind, const char *fmt, ...)
{
	va_list ap;

	e->kind = kind;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	return -1;
}

static enum error_kind kind_of(int number)
{
	switch (number) {
	case ENOENT:
	case ENOTDIR:
		return ERROR_NOT_FOUND;
	case EACCES:
	case EPERM:
		return ERROR_DENIED;
	default:
		return ERROR_SYSTEM;
	}
}

int error_errno(struct error *e, const char *fmt, ...)
{
	int number = errno;
	size_t used;
	va_list ap;

	e->kind = kind_of(number);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, ": %s", strerror(number));
	return -1;
}

int error_memory(struct error *e)
{
	return error_set(e, ERROR_SYSTEM, "out of memory");
}

int error_context(struct error *e, const char *fmt, ...)
{
	char cause[sizeof e->text];
	size_t used;
	va_list ap;

	memcpy(cause, e->text, sizeof cause);
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof e->text - used, ": %s", cause);
	return -1;
}
