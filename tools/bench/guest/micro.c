// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measuring a row: warm up, count, subtract what an empty loop costs, print the record
 *   BENCH operation way n instructions cycles ns [name=value...]
 * Totals of n operations. Under QEMU's -icount shift=0 (the word "icount" on the command
 * line) the TSC counts instructions of the whole machine, exactly, and one round is
 * enough; else the least of several rounds, and no instructions.
 *
 * Markers tell the TCG plugin (plugin/count.c) where a measurement begins and ends. It writes
 * one block per record, in the same order.
 */
#include "micro.h"
#include "../marker.h"

#define ROUNDS	7	/* without -icount */

bool icount;
u64 tsc_khz, timer_ns, spin_count = 1000;

u64 ticks(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

void spin(void)
{
	u64 n = spin_count;

	__asm__ volatile("1: dec %0; jnz 1b" : "+r"(n) : : "memory");
}

bool option(const char *word)
{
	const char *c = command_line();
	u64 len = 0, i;

	while (word[len])
		len++;
	for (; *c; c++) {
		for (i = 0; i < len && c[i] == word[i]; i++)
			;
		if (i == len)
			return true;
	}
	return false;
}

static void empty(u64 n) { LOOP(n); }

/* One round: ticks for op->n repetitions. With @stats, markers and counters around it. */
static u64 round_of(const struct op *op, void (*run)(u64 n), struct parvus_vcpu_stats *s)
{
	static struct parvus_vcpu_stats a, b, c;
	u64 t, total = 0, reps = op->reset ? op->n : 1, n = op->reset ? 1 : op->n;

	for (u64 r = 0; r < reps; r++) {
		if (op->reset)
			op->reset();
		if (s) {
			stats_take(&c);	/* two in a row: what taking them costs */
			stats_take(&a);
			MARKER(MARKER_BEGIN);
		}
		t = ticks();
		run(n);
		total += ticks() - t;
		if (s) {
			MARKER(MARKER_END);
			stats_take(&b);
			for (u64 i = 1; i < sizeof(*s) / 8; i++)
				((u64 *)s)[i] +=
					((u64 *)&b)[i] - 2 * ((u64 *)&a)[i] + ((u64 *)&c)[i];
		}
	}
	return total;
}

static void value(const char *name, u64 v)
{
	if (v)
		print(" %s=%lu", name, (unsigned long)v);
}

static void measure_one(const struct op *op)
{
	static struct parvus_vcpu_stats s;
	u64 raw = ~0ull, base = ~0ull, t, cost, n = op->n * (op->per ? op->per : 1);
	int rounds = icount ? 1 : ROUNDS;

	if (op->setup)
		op->setup();
	round_of(op, op->run, NULL);
	round_of(op, op->empty ? op->empty : empty, NULL);
	for (int r = 0; r < rounds; r++) {
		memset(&s, 0, sizeof(s));
		irqs_a = 0;
		t = round_of(op, op->run, &s);
		if (op->check && !op->check(n)) {
			print("FAILED %s %s: not what it should have done\n", op->name,
			      op->way ? op->way : raw_way);
			failures++;
		}
		raw = t < raw ? t : raw;
		t = round_of(op, op->empty ? op->empty : empty, NULL);
		base = t < base ? t : base;
	}
	MARKER(MARKER_EMIT);
	if (op->done)
		op->done();
	cost = raw > base ? raw - base : 0;
	print("BENCH %s %s %lu %lu %lu %lu raw=%lu", op->name, op->way ? op->way : raw_way,
	      (unsigned long)n, (unsigned long)(icount ? cost : 0), (unsigned long)cost,
	      (unsigned long)(cost * 1000000 / tsc_khz), (unsigned long)raw);
	value("crossings", s.crossings);
	value("root_switches", s.root_switches);
	value("flushes", s.flushes);
	value("flushes_full", s.flushes_full);
	value("exceptions", s.exceptions);
	value("vectors", s.vectors);
	value("page_faults", s.page_faults);
	value("fills", s.fills);
	value("prefills", s.prefills);
	value("emulations", s.emulations);
	value("shootdowns", s.shootdowns);
	value("ipis", s.ipis);
	value("switches", s.switches);
	print("\n");
}

/* With only=NAME, one operation. */
void measure(const struct op *ops, u64 count)
{
	static char only[64] = "only=";
	bool all = !option("only=");
	u64 i, c;

	for (i = 0; i < count; i++) {
		for (c = 0; ops[i].name[c] && c < sizeof(only) - 7; c++)
			only[5 + c] = ops[i].name[c];
		only[5 + c] = ' ';
		only[6 + c] = 0;
		if ((all || option(only)) && has(ops[i].needs))
			measure_one(&ops[i]);
	}
}

void micro_main(void)
{
	u64 t;

	icount = option("icount");
	if (!tsc_khz || icount)
		tsc_khz = 1000000;
	timer_ns = icount ? 2000 : 100000;	/* QEMU's timers may be late, by the host's clock */
	/* long enough for a timer to fire within, twice over */
	do {
		t = ticks();
		spin();
		t = ticks() - t;
		spin_count *= 2;
	} while (t < 2 * timer_ns * tsc_khz / 1000000);
	run_tables();
	print("BENCH-END\n");
}
