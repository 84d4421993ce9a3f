// SPDX-License-Identifier: GPL-2.0-only
/*
 * The one-shot timer fires once, not before its deadline, and not when disarmed; a
 * deadline in the past fires at once. The clock does not go backwards.
 */
#include "lib/guest.h"

static volatile u64 fired;
static void handler(struct frame *f)
{
	EXPECT_EQ(f->vector, PARVUS_VECTOR_TIMER);
	fired++;
}

void test(void)
{
	u64 t, n, last = 0;
	bool late;

	on_trap = handler;
	clock_setup();
	for (int i = 0; i < 100000; i++) {
		t = now_ns();
		EXPECT(t >= last);
		last = t;
	}
	for (int i = 0; i < 5; i++) {
		t = now_ns() + 1000000;
		EXPECT_EQ(parvus_timer_set(t), 0);
		wait_change(&fired, (u64)i);
		EXPECT(now_ns() >= t);
	}
	EXPECT_EQ(fired, 5);
	do {	/* again, if the machine stood still until the timer was due */
		n = fired;
		irq_off();
		t = now_ns() + 2000000;
		EXPECT_EQ(parvus_timer_set(t), 0);
		EXPECT_EQ(parvus_timer_set(0), 0);
		late = now_ns() >= t;
		irq_on();
		while (now_ns() < t + 3000000)
			relax();
	} while (late);
	EXPECT_EQ(fired, n);
	EXPECT_EQ(parvus_timer_set(1), 0);
	wait_change(&fired, n);
	EXPECT_EQ(fired, n + 1);
}
