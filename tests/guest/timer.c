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
	u64 t, last = 0;

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
	irq_off();
	EXPECT_EQ(parvus_timer_set(now_ns() + 2000000), 0);
	EXPECT_EQ(parvus_timer_set(0), 0);
	irq_on();
	t = now_ns() + 5000000;
	while (now_ns() < t)
		relax();
	EXPECT_EQ(fired, 5);
	EXPECT_EQ(parvus_timer_set(1), 0);
	wait_change(&fired, 5);
	EXPECT_EQ(fired, 6);
}
