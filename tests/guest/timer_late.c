// SPDX-License-Identifier: GPL-2.0-only
/*
 * How late a timer was at the most is told to domain 0, and no guest can make it up: one that is
 * set for the end of time while the interrupt of the last one is under way is not late.
 * @control 1
 */
#include "lib/control.h"

void test(void)
{
	clock_setup();
	for (u64 i = 0; i < 20000; i++) {
		/* due in the call that comes next, at times: the hypervisor's interrupts are off */
		EXPECT_EQ(parvus_timer_set(now_ns() + i % 100 * 100), 0);
		EXPECT_EQ(parvus_timer_set((3 + i % 7) * 1000000000000000000ull), 0);
	}
	EXPECT_EQ(parvus_timer_set(0), 0);
	EXPECT(machine()->late_ticks < 1ull << 50);
}
