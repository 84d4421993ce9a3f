// SPDX-License-Identifier: GPL-2.0-only
/*
 * More is promised than the machine has: a domain whose first touch finds no frame sleeps,
 * says so, and goes on when another one's memory comes back. Domain 0 is not disturbed.
 * @control 1
 * @timeout 120
 */
#include "lib/control.h"

void test(void)
{
	u64 before = machine()->frames_free, frames = before * 3 / 4, bytes = frames * 4096;
	u32 a, b;

	if (bytes > 1ull << 30)
		bytes = 1ull << 30;	/* as far as a child's tables go */
	frames = bytes / 4096;
	a = (u32)child_new("a", frames, child_touch, bytes);
	b = (u32)child_new("b", frames, child_touch, bytes);
	EXPECT(machine()->frames_promised > machine()->frames_free);
	EXPECT_EQ(child_unpause(a), 0);
	child_wait(a, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_unpause(b), 0);
	for (int i = 0; i < 1000000 && !(child_info(b)->flags & PARVUS_INFO_NO_MEMORY); i++)
		parvus_yield();
	EXPECT(child_info(b)->flags & PARVUS_INFO_NO_MEMORY);
	EXPECT_EQ(child_state(b), PARVUS_DOMAIN_RUNNING);
	EXPECT(machine()->frames_free < 1024);
	/* paused as well: both reasons have to go */
	EXPECT_EQ(child_op(PARVUS_CONTROL_PAUSE, b, 0), 0);
	EXPECT_EQ(child_destroy(a), 0);
	for (int i = 0; i < 1000; i++)
		parvus_yield();
	EXPECT_EQ(child_state(b), PARVUS_DOMAIN_RUNNING);
	EXPECT_EQ(child_unpause(b), 0);
	child_wait(b, PARVUS_DOMAIN_SHUTDOWN);
	EXPECT_EQ(child_info(b)->reason, PARVUS_SHUTDOWN_POWEROFF);
	EXPECT_EQ(child_destroy(b), 0);
	EXPECT_EQ(machine()->frames_free, before);
	/* one that waits can be destroyed */
	a = (u32)child_new("a", frames, child_touch, bytes);
	b = (u32)child_new("b", frames, child_touch, bytes);
	EXPECT_EQ(child_unpause(a), 0);
	EXPECT_EQ(child_unpause(b), 0);
	for (int i = 0; i < 1000000 && !(child_info(a)->flags & PARVUS_INFO_NO_MEMORY) &&
	     !(child_info(b)->flags & PARVUS_INFO_NO_MEMORY); i++)
		parvus_yield();
	EXPECT_EQ(child_destroy(a), 0);
	EXPECT_EQ(child_destroy(b), 0);
	EXPECT_EQ(machine()->frames_free, before);
}
