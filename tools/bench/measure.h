/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the load programs share: the clock that counts instructions, the hypervisor's
 * counters, and the line that tools/bench/run reads.
 */
#ifndef MEASURE_H
#define MEASURE_H

#include <stdint.h>
#include <stdio.h>

#define ROUNDS 5
#define EVENTS 24

static inline uint64_t ticks(void)
{
	uint32_t lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (uint64_t)hi << 32 | lo;
}

/* This domain's counters into @v; how many there are, 0 on a bare machine. */
static int stats(uint64_t *v)
{
	FILE *f = fopen("/sys/hypervisor/parvus/stats", "r");
	char name[64];
	unsigned long long x;
	int n = 0;

	if (!f)
		return 0;
	while (n < EVENTS && fscanf(f, "%63s %llu", name, &x) == 2)
		v[n++] = x;
	fclose(f);
	return n;
}

/* Operation @name: @cost ticks, and the counters between @a and @b, are of @n of them. */
static inline void report(const char *name, uint64_t cost, const uint64_t *a, const uint64_t *b,
		int events, int n)
{
	int k;

	printf("op %s %llu", name, (unsigned long long)(cost / n));
	for (k = 0; k < events; k++)
		printf(" %.2f", (double)(b[k] - a[k]) / n);
	printf("\n");
	fflush(stdout);
}

#endif
