/* SPDX-License-Identifier: GPL-2.0-only */
/* parvus: a terminal on the console of a domain (terminal.c). */
#ifndef PARVUS_TERMINAL_H
#define PARVUS_TERMINAL_H

#include "tool.h"

/* Until the domain is gone, or the user leaves. 0 or 1 (said). */
int console_attach(struct tool *t, uint32_t domain, const char *name, bool input);

#endif
