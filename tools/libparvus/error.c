// SPDX-License-Identifier: LGPL-2.1-or-later
/* libparvus: the error object. Every failure is told here, once, where it is born. */
#include "internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int pv_fail(struct parvus_error *e, int code, const char *format, ...)
{
	struct parvus_error new;
	va_list args;
	char *p;

	if (!e)
		return -code;
	/* by way of a copy: an argument may be the old text */
	va_start(args, format);
	vsnprintf(new.text, sizeof(new.text), format, args);
	va_end(args);
	/* names and files come from outside: one line, and nothing that a terminal obeys */
	for (p = new.text; *p; p++)
		if ((unsigned char)*p < ' ' || *p == 127)
			*p = '?';
	memcpy(e, &new, sizeof(new));
	return -code;
}
