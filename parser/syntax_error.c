#include "parser/syntax_error.h"

#include <stdarg.h>
#include <stdio.h>

int syntax_error_set(struct syntax_error *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return -1;
	e->line = e->last_line = 0;
	e->column = e->column_line = 0;
	e->unset = false;
	va_start(ap, fmt);
	vsnprintf(e->text, sizeof e->text, fmt, ap);
	va_end(ap);
	for (char *p = e->text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	return -1;
}
