// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many new address spaces in a row whose first fault is the same (rip, address, fresh
 * generation) are many faults that each made progress, not one that stands still: this is what a
 * program does that forks, kills the child before it runs, and waits. Each child's kernel
 * writes to the same address from the same instruction on the same vCPU.
 * @beside canary
 */
#include "lib/guest.h"

#define AT 0x40000000ull
#define SPACES 1000u

void test(void)
{
	volatile u64 *e = entry_of(root, AT, 1);
	u64 frame = page_new(), id;

	*e = frame | P | W | U | A | D;
	for (id = 2; id < 2 + SPACES; id++) {
		EXPECT_EQ(parvus_mmu_switch(id, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
		*(volatile u64 *)AT = id;
		EXPECT_EQ(parvus_mmu_switch(1, pa(root), 0, 1, 0, PARVUS_SWITCH_NONE), 0);
		EXPECT_EQ(parvus_mmu_release(id), 0);
	}
	EXPECT_EQ(*(volatile u64 *)va(frame), id - 1);
}
