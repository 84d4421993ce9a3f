// SPDX-License-Identifier: GPL-2.0-only
/*
 * A micro guest that measures crossings in TSC ticks (instructions under -icount): the
 * no-op hypercall, a raw cli (trap and emulate), an invlpg, an exception and its return, an
 * event that finds its port pending, one that does not, and one with its handler.
 */
#include "event.h"

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

static void events(void)
{
	s64 p, q;

	event_setup();
	p = event_unbound(SELF);
	q = event_join(SELF, (u64)p);
	irq_off();
	MEASURE("event-send-pending", event_send(p));
	MEASURE("event-send", (event_page.pending[0] = 0, event_send(p)));
	irq_on();
	MEASURE("event-send-and-serve", event_send(p));
	EXPECT(event_count[q] > N);
}

void test(void)
{
	on_trap = skip;
	MEASURE("hypercall-nop", parvus_nop());
	MEASURE("hypercall-timer-set", parvus_timer_set(0));
	MEASURE("raw-cli", __asm__ volatile("cli" : : : "memory"));
	MEASURE("raw-invlpg", __asm__ volatile("invlpg (%0)" : : "r"(0xffffffff90000000) : "memory"));
	MEASURE("flush-one-page", flush_page(0x40000000));
	MEASURE("exception-and-return", __asm__ volatile("ud2" : : : "memory"));
	events();
}
