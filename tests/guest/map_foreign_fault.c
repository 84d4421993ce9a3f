// SPDX-License-Identifier: GPL-2.0-only
/*
 * A page-table entry that names a frame which is not the domain's memory (foreign):
 * using it is a page fault, "not present", and touches nothing.
 * @beside canary
 */
#include "lib/guest.h"

static void put(void *arg) { *(volatile u64 *)arg = 0x4141414141414141; }

void test(void)
{
	map(0x40000000, 0x8000000000, P | W | U);
	EXPECT_EQ(catch_fault(put, (void *)0x40000000), 1);
	EXPECT_EQ(fault.vector, 14);
	EXPECT_EQ(fault.error, 2);
	EXPECT_EQ(fault.cr2, 0x40000000);
}
