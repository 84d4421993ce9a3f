/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A program of operations: rows of a table, each a function that runs n of it; if it has something
 * to set up it calls begin() after that, and end() when the n are done. Each operation runs twice
 * unrecorded, then in rounds, and each round prints one record (measure.h).
 */
#ifndef ROUNDS_H
#define ROUNDS_H

#include "measure.h"

struct op {
	const char *name;
	void (*run)(int n);
	int n, cpus;
};

static struct sample first, second;
static bool ended;

static void begin(void)
{
	ended = false;
	sample_first(&first);
}

static void end(void)
{
	if (!ended)
		sample_second(&second);
	ended = true;
}

static void empty(int n) { while (n--) __asm__ volatile("" : : : "memory"); }

static void measure(void (*run)(int n), int n, struct sample *result)
{
	begin();
	run(n);
	end();
	sample_difference(result, &first, &second);
}

/* What an empty loop of n costs: the least of some tries. */
static void loop_cost(int n, struct sample *least)
{
	struct sample s;
	int i;

	memset(least, 0, sizeof(*least));
	least->tsc = least->ns = ~0ull;
	for (i = 0; i < 5; i++) {
		measure(empty, n, &s);
		least->tsc = s.tsc < least->tsc ? s.tsc : least->tsc;
		least->ns = s.ns < least->ns ? s.ns : least->ns;
	}
}

static bool wanted(const char *name, char **names)
{
	if (!*names)
		return true;
	for (; *names; names++)
		if (!strcmp(name, *names))
			return true;
	return false;
}

/* Of the rows those that are named, all if none is. How many that were. */
static int run_ops(const struct op *ops, unsigned int count, char **names, int rounds)
{
	unsigned int i;
	int r, found = 0;

	for (i = 0; i < count; i++) {
		struct sample loop, s;

		if (!wanted(ops[i].name, names) || ops[i].cpus > sysconf(_SC_NPROCESSORS_ONLN))
			continue;
		found++;
		loop_cost(ops[i].n, &loop);
		/* the first rounds fill caches of the kernel */
		ops[i].run(ops[i].n);
		ops[i].run(ops[i].n);
		for (r = 1; r <= rounds; r++) {
			MARKER(MARKER_FORGET);
			measure(ops[i].run, ops[i].n, &s);
			MARKER(MARKER_EMIT);
			measure_record(ops[i].name, ops[i].n, &s, &loop, r);
		}
	}
	return found;
}

#endif
