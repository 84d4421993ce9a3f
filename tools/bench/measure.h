/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the load programs of Linux share: the clock that counts instructions, the event
 * counters, and the raw record (docs/benchmarks.md):
 *
 *	BENCH operation way n instructions tsc ns [key=value ...]
 *
 * Totals of n repetitions, with the cost of the loop taken off; raw= is what was read. With
 * measure_counted a tick of the TSC is an instruction (QEMU with -icount shift=0). Events
 * are those of /sys/hypervisor/parvus/stats where it exists, and three of Linux that exist
 * everywhere: guest_faults, context_switches, guest_ipis (to reschedule or to call a function).
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "marker.h"

#define EVENTS 32

struct sample {
	uint64_t tsc, ns, event[EVENTS];
};

static char event_name[EVENTS][32] = { "guest_faults", "context_switches", "guest_ipis" };
static int event_count, stats_fd, vmstat_fd, stat_fd, interrupts_fd;
static struct sample reading;	/* what two readings with nothing between them differ by */
static bool measure_counted;
static const char *measure_way = "unknown";

static void need(bool good, const char *what)
{
	if (good)
		return;
	perror(what);
	exit(1);
}

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static const char *slurp(int fd)
{
	static char text[16384];
	ssize_t got = pread(fd, text, sizeof(text) - 1, 0);

	need(got >= 0, "statistics");
	text[got] = 0;
	return text;
}

static uint64_t field(const char *text, const char *name)
{
	const char *at = strstr(text, name);

	return at ? strtoull(at + strlen(name), NULL, 10) : 0;
}

/* A line of /proc/interrupts: the sum of its CPUs. */
static uint64_t interrupts(const char *text, const char *name)
{
	const char *at = strstr(text, name);
	uint64_t sum = 0, n;
	int used;

	for (at += at ? strlen(name) : 0; at && sscanf(at, "%lu%n", &n, &used) == 1; at += used)
		sum += n;
	return sum;
}

static void read_events(struct sample *s)
{
	const char *line;
	int n = 0;

	line = slurp(interrupts_fd);
	s->event[2] = interrupts(line, "RES:") + interrupts(line, "CAL:");

	s->event[n++] = field(slurp(vmstat_fd), "\npgfault ");
	s->event[n++] = field(slurp(stat_fd), "\nctxt ");
	n++;
	if (stats_fd >= 0)
		for (line = slurp(stats_fd); line && n < EVENTS; line = strchr(line, '\n')) {
			line += *line == '\n';
			if (sscanf(line, "%31s %lu", event_name[n], &s->event[n]) == 2)
				n++;
		}
	event_count = n;
}

/* The first sample of a measurement reads the clocks last, the second one first. */
static inline void sample_first(struct sample *s)
{
	read_events(s);
	s->ns = now_ns();
	MARKER(MARKER_BEGIN);
	s->tsc = ticks();
}

static inline void sample_second(struct sample *s)
{
	s->tsc = ticks();
	MARKER(MARKER_END);
	s->ns = now_ns();
	read_events(s);
}

static void measure_prepare(void)
{
	struct sample a, b;
	int i, k;

	vmstat_fd = open("/proc/vmstat", O_RDONLY);
	stat_fd = open("/proc/stat", O_RDONLY);
	interrupts_fd = open("/proc/interrupts", O_RDONLY);
	stats_fd = open("/sys/hypervisor/parvus/stats", O_RDONLY);
	need(vmstat_fd >= 0 && stat_fd >= 0 && interrupts_fd >= 0, "/proc");
	for (i = 0; i < 3; i++) {
		sample_first(&a);
		sample_second(&b);
	}
	for (k = 0; k < event_count; k++)
		reading.event[k] = b.event[k] - a.event[k];
}

static uint64_t less(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* The difference of two samples; what reading the counters counts is taken off. */
static void sample_difference(struct sample *d, const struct sample *a, const struct sample *b)
{
	int k;

	d->tsc = b->tsc - a->tsc;
	d->ns = less(b->ns, a->ns);
	for (k = 0; k < event_count; k++)
		d->event[k] = less(b->event[k] - a->event[k], reading.event[k]);
}

/* One record: @n of @name took @d; of these @loop is not the operation's. */
static void measure_record(const char *name, int n, const struct sample *d,
			   const struct sample *loop, int round)
{
	uint64_t tsc = less(d->tsc, loop->tsc);
	int k;

	printf("BENCH %s %s %d %lu %lu %lu round=%d raw=%lu", name, measure_way, n,
	       measure_counted ? tsc : 0, tsc, less(d->ns, loop->ns), round, d->tsc);
	for (k = 0; k < event_count; k++)
		printf(" %s=%lu", event_name[k], less(d->event[k], loop->event[k]));
	printf("\n");
	fflush(stdout);
}

#endif
