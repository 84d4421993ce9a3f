/* SPDX-License-Identifier: GPL-2.0-only */
/* parvus: starting and asking a domain's monitor (ask.c). */
#ifndef PARVUS_ASK_H
#define PARVUS_ASK_H

#include "tool.h"

/*
 * Start the monitor of a domain that was built; @link is held until monitor_committed(). 0 or 1
 * (said).
 */
int monitor_start(uint32_t domain, const char *name, int *link);
void monitor_committed(int link);
/*
 * Ask the monitor of a domain, which is started if need be: words, NULL behind the last one.
 * 0 or 1 (said).
 */
int monitor_ask(struct tool *t, const struct parvus_control_info *i, ...);
/* Tell it something, if there is one; what it answers is not waited for. */
void monitor_tell(struct tool *t, const struct parvus_control_info *i, ...);

#endif
