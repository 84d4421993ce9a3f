// SPDX-License-Identifier: GPL-2.0-only
/*
 * A micro guest that measures crossings in TSC ticks (instructions under -icount): the
 * no-op hypercall, a raw cli (trap and emulate), an invlpg, an exception and its return.
 */
#include "guest.h"

#define N 1000
static u64 ticks(void)
{
	u32 lo, hi;

	__asm__ volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return (u64)hi << 32 | lo;
}

static void skip(struct frame *f) { f->rip += 2; }

#define MEASURE(name, code) do { \
	u64 t, best = ~0ull; \
	for (int r = 0; r < 5; r++) { \
		t = ticks(); \
		for (int i = 0; i < N; i++) \
			code; \
		t = ticks() - t; \
		best = t < best ? t : best; \
	} \
	print("op %s %lu\n", name, best / N - 3); \
} while (0)

void test(void)
{
	on_trap = skip;
	MEASURE("hypercall-nop", parvus_nop());
	MEASURE("hypercall-timer-set", parvus_timer_set(0));
	MEASURE("raw-cli", __asm__ volatile("cli" : : : "memory"));
	MEASURE("raw-invlpg", __asm__ volatile("invlpg (%0)" : : "r"(0xffffffff90000000) : "memory"));
	MEASURE("flush-one-page", flush_page(0x40000000));
	MEASURE("exception-and-return", __asm__ volatile("ud2" : : : "memory"));
}
