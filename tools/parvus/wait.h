/* SPDX-License-Identifier: GPL-2.0-only */
/* parvus: waiting (wait.c). */
#ifndef PARVUS_WAIT_H
#define PARVUS_WAIT_H

#include "tool.h"

#include <signal.h>

/* The signal that asks to end, once catch_signals() was called; 0 = none has come. */
extern volatile sig_atomic_t stopped;
void catch_signals(void);

void nap(double seconds);
bool parse_seconds(const char *text, double *seconds);

/* A bar on a terminal, for what takes a while; nothing else. A signal stops what it shows. */
struct bar {
	const char *what;
	bool shown, quiet;	/* quiet: nothing is shown */
	int last;
	int64_t from_ms;	/* set by the first call */
};
parvus_progress bar_progress;
void bar_end(struct bar *b);

enum waited { WAITED, WAIT_FAILED, WAIT_OVER };
/*
 * Wait until the domain is gone, or if @or_shutdown ended; seconds < 0 = for ever. WAIT_FAILED: an
 * error, said. WAIT_OVER: the time is over, or a signal has come.
 */
enum waited wait_gone(struct tool *t, uint32_t domain, bool or_shutdown, int seconds);
/* The same for the end of a domain, and says what it waits for. 0 or 1 (said). */
int wait_ended(struct tool *t, const struct parvus_control_info *i, int seconds);

#endif
