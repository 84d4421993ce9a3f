/* SPDX-License-Identifier: GPL-2.0-only */
/* The console of domains (console.c): the first owns the serial line, others write to the log. */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include <core/domain.h>

void console_domain_new(struct domain *d);
void console_domain_gone(struct domain *d);
/* Characters arrived. */
void console_input(void);

#endif
