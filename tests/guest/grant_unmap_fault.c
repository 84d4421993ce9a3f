// SPDX-License-Identifier: GPL-2.0-only
/*
 * A mapping that was used is unmapped, its page-table entry left in place and no hint of it
 * given: the next access is a page fault. The owner can revoke the offer then, give the
 * frame back, and touch it no more either.
 * @domains 2
 * @mem 15M
 */
#include "lib/grant.h"

static void put(void *arg) { *(volatile u64 *)arg = 2; }

void test(void)
{
	u64 gpa;
	u32 ref, h;

	share();
	if (ME == 0) {
		gpa = page_new();
		EXPECT_EQ(offer(gpa, 1, 0, &ref), 0);
		reached(1);
		wait_for(1);
		EXPECT_EQ(revoke(ref), 0);
		*(volatile u64 *)va(gpa) = 1;
		EXPECT_EQ(release(gpa, 1), 1);
		EXPECT_EQ(catch_fault(put, va(gpa)), 1);
		EXPECT_EQ(fault.vector, 14);
		return;
	}
	wait_for(1);
	map(0x40000000, HOLE + PAGE, P | W | U);
	EXPECT_EQ(grant_map(0, 2, 0, HOLE + PAGE, &h), 0);
	*(volatile u64 *)0x40000000 = 1;
	*(volatile u64 *)va(HOLE + PAGE) = 1;
	EXPECT_EQ(grant_unmap(h, 0), 0);
	reached(1);
	EXPECT_EQ(catch_fault(put, (void *)0x40000000), 1);
	EXPECT_EQ(fault.vector, 14);
}
