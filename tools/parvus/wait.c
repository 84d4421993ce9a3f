// SPDX-License-Identifier: GPL-2.0-only
/* parvus: waiting: for time, a signal, the end of a domain; a bar meanwhile. */
#include "wait.h"

#include <poll.h>
#include <time.h>
#include <unistd.h>

#define SAY_AFTER	2	/* s: who waits longer is told what for */

volatile sig_atomic_t stopped;

static void on_signal(int number)
{
	stopped = number;
}

void catch_signals(void)
{
	struct sigaction on = { .sa_handler = on_signal };

	sigaction(SIGINT, &on, NULL);
	sigaction(SIGTERM, &on, NULL);
	sigaction(SIGHUP, &on, NULL);
	sigaction(SIGPIPE, &on, NULL);	/* a trace has to be switched off, too */
}

void nap(double seconds)
{
	struct timespec t = { .tv_sec = (time_t)seconds };

	t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
	nanosleep(&t, NULL);
}

bool parse_seconds(const char *text, double *seconds)
{
	char *end;

	*seconds = strtod(text, &end);
	return *text >= '0' && *text <= '9' && !*end && *seconds >= 0.01 && *seconds <= 86400;
}

int bar_progress(void *arg, uint64_t done, uint64_t total)
{
	struct bar *b = arg;
	int percent = total ? (int)(done / (total / 100 + 1)) : 100;
	struct timespec t;
	char hashes[41];
	int64_t ms;

	if (stopped)
		return 1;
	clock_gettime(CLOCK_MONOTONIC, &t);
	ms = t.tv_sec * 1000ll + t.tv_nsec / 1000000;
	if (!b->from_ms)
		b->from_ms = ms;
	if (ms - b->from_ms < 400)
		return 0;
	if (done >= total)
		percent = 100;
	if (percent == b->last || b->quiet || !isatty(2))
		return 0;
	b->last = percent;
	b->shown = true;
	memset(hashes, ' ', 40);
	memset(hashes, '#', (size_t)percent * 40 / 100);
	hashes[40] = 0;
	fprintf(stderr, "\r%s [%s] %3d %%", b->what, hashes, percent);
	return 0;
}

void bar_end(struct bar *b)
{
	if (b->shown)
		fprintf(stderr, "\r\033[K");
	b->shown = false;
}

enum waited wait_gone(struct tool *t, uint32_t domain, bool or_shutdown, int seconds)
{
	struct pollfd p = { .fd = parvus_fd(t->h), .events = POLLIN };
	struct parvus_control_info i;
	struct timespec from, now;
	int ret;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (;;) {
		if (parvus_changed(t->h))
			return fail_lib(t);
		ret = parvus_domain_info(t->h, domain, &i);
		if (ret == -ENOENT)
			return WAITED;
		if (ret)
			return fail_lib(t);
		if (or_shutdown && (i.state == PARVUS_DOMAIN_SHUTDOWN ||
				    i.state == PARVUS_DOMAIN_DYING))
			return WAITED;
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (stopped || (seconds >= 0 && now.tv_sec - from.tv_sec >= seconds))
			return WAIT_OVER;
		/* a signal may come between the look and the poll */
		ret = parvus_poll(t->h, &p, 1, seconds < 0 ? 1000 : 200);
		if (ret < 0 && ret != -EINTR)
			return fail_lib(t);
	}
}

int wait_ended(struct tool *t, const struct parvus_control_info *i, int seconds)
{
	int quiet = seconds < 0 || seconds > SAY_AFTER ? SAY_AFTER : seconds;
	enum waited ret;

	catch_signals();
	ret = wait_gone(t, i->domain, true, quiet);
	if (ret == WAIT_OVER && !stopped && quiet != seconds) {
		fail("waiting for domain %s (%u) to end%s; Ctrl-C leaves it asked", name_of(t, i),
		     i->domain, i->flags & PARVUS_INFO_PAUSED ? ", which is paused" : "");
		ret = wait_gone(t, i->domain, true, seconds < 0 ? -1 : seconds - quiet);
	}
	if (ret == WAIT_OVER && stopped)
		return fail("stopped: domain %s (%u) has not ended, and stays asked", name_of(t, i),
			    i->domain);
	return ret == WAIT_OVER ? fail("domain %s (%u) has not ended within %d s, and stays asked",
				       name_of(t, i), i->domain, seconds) : (int)ret;
}
